/**
 * A deployment as a swarm service's spec, and a swarm's state as davit's types. Pure. davit owns what a
 * pipeline file can set (image, command, env, networks, replicas, ports, placement, update) and keeps
 * everything else that an operator has set on the service: resources, health checks, and the mounts,
 * capabilities, secrets and configs that the file says nothing about.
 */
import { z } from 'zod';
import type { SwarmNode } from '../../plan/model/fleet.ts';
import type { DeployRequest, TargetState } from '../ports.ts';
import { granted, type ServiceFiles } from './granted.ts';
import {
  DEPLOY_ENV,
  DEPLOY_ID,
  DEPLOY_SEQ,
  isForeignStamp,
  ownLabels,
  stampLabels,
  type DeployLabels,
} from './labels.ts';

export { DEPLOY_ID, DEPLOY_SEQ, type DeployLabels } from './labels.ts';

/** A part of a spec that is returned unchanged. */
const part = z.looseObject({});
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const specSchema = z.looseObject({
  Name: z.string(),
  Labels: labels,
  Mode: part.nullish(),
  TaskTemplate: z.looseObject({
    ContainerSpec: z.looseObject({ Image: z.string().nullish(), Labels: labels }),
    Placement: part.nullish(),
  }),
  UpdateConfig: part.nullish(),
  EndpointSpec: z
    .looseObject({
      Ports: z
        .array(z.looseObject({ PublishedPort: z.number().nullish(), PublishMode: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
});
export type ServiceSpec = z.infer<typeof specSchema>;
const serviceSchema = z.object({
  ID: z.string(),
  Version: z.object({ Index: z.number() }),
  Spec: specSchema,
  UpdateStatus: z.object({ State: z.string().nullish() }).nullish(),
});
export type Service = z.infer<typeof serviceSchema>;
export const serviceOf = (response: unknown): Service => serviceSchema.parse(response);
export const specOf = (json: unknown): ServiceSpec => specSchema.parse(json);

const taskSchema = z.object({
  ID: z.string(),
  Slot: z.number().nullish(),
  NodeID: z.string().nullish(),
  DesiredState: z.string().nullish(),
  Spec: z.object({ ContainerSpec: z.object({ Labels: labels }).nullish() }),
  Status: z.object({
    Timestamp: z.string().nullish(),
    State: z.string(),
    Err: z.string().nullish(),
    ContainerStatus: z.object({ ExitCode: z.number().nullish() }).nullish(),
  }),
});
export type Task = z.infer<typeof taskSchema>;
export const tasksOf = (response: unknown): Task[] => z.array(taskSchema).parse(response);

const nodeSchema = z.object({
  ID: z.string(),
  Description: z.object({ Hostname: z.string().nullish() }).nullish(),
  Status: z.object({ Addr: z.string().nullish(), State: z.string().nullish() }).nullish(),
  Spec: z.object({ Availability: z.string().nullish() }).nullish(),
});
export type Node = z.infer<typeof nodeSchema>;
export const nodesOf = (response: unknown): Node[] => z.array(nodeSchema).parse(response);
export const nodeState = ({ ID, Description, Status, Spec }: Node): SwarmNode => ({
  name: Description?.Hostname ?? ID,
  state: Status?.State ?? 'unknown',
  availability: Spec?.Availability ?? 'active',
});

// ---------------------------------------------------------------- to the swarm

/** The spec of this deployment, on top of the service's current spec. */
export function desiredSpec(
  request: DeployRequest & Pick<DeployLabels, 'installation'> & { monitorMs?: number; files?: ServiceFiles },
  current: ServiceSpec | undefined,
): ServiceSpec {
  const { spec } = request;
  const task = current?.TaskTemplate;
  // The platforms are those of the last image: they would exclude this image from other machines.
  const placement = { ...task?.Placement, Platforms: null, Constraints: spec.constraints };
  return stamped(
    {
      ...current,
      Name: spec.service,
      Labels: { ...current?.Labels, ...request.labels, [DEPLOY_ENV]: Object.keys(spec.env).join(',') },
      Mode: { Replicated: { Replicas: spec.replicas } },
      TaskTemplate: {
        ...task,
        ContainerSpec: {
          ...task?.ContainerSpec,
          Labels: task?.ContainerSpec.Labels ?? {},
          Image: request.image,
          Args: spec.command ?? null,
          Env: [
            ...othersEnv(request, current),
            ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
          ],
          ...granted(request),
        },
        Networks: spec.networks.map((name) => ({ Target: name })),
        Placement: placement,
      },
      UpdateConfig: updateConfig(request),
      EndpointSpec: {
        Mode: spec.endpointMode,
        Ports: spec.publish.map((port) => ({
          Protocol: port.protocol,
          TargetPort: port.target,
          PublishedPort: port.published,
          PublishMode: port.mode,
        })),
      },
    },
    request,
  );
}

/** Variables that somebody else has set since: those that no deployment of davit has set, as the last one says. */
function othersEnv({ spec }: DeployRequest, current: ServiceSpec | undefined): string[] {
  const before = current?.Labels[DEPLOY_ENV];
  if (before === undefined) return [];
  const davits = new Set([...before.split(','), ...Object.keys(spec.env)]);
  const env = z.array(z.string()).safeParse(current?.TaskTemplate.ContainerSpec.Env);
  return (env.data ?? []).filter((text) => !davits.has(text.split('=')[0] ?? ''));
}

/**
 * Always `pause`, whatever the pipeline sets: the swarm's own rollback would restore the old labels and lose
 * the deployment's id. davit rolls back itself, once.
 */
const updateConfig = ({
  spec,
  monitorMs,
}: DeployRequest & { monitorMs?: number }): Record<string, unknown> => ({
  Parallelism: spec.update.parallelism,
  Delay: spec.update.delayMs * 1_000_000,
  FailureAction: 'pause',
  MaxFailureRatio: 0,
  ...(monitorMs !== undefined && { Monitor: monitorMs * 1_000_000 }),
  Order: spec.update.order,
});

/**
 * The spec with the labels of a deployment, on the service and on its tasks. A rollback is such a spec too.
 */
export function stamped(spec: ServiceSpec, stamp: DeployLabels): ServiceSpec {
  const own = stampLabels(stamp);
  const container = spec.TaskTemplate.ContainerSpec;
  return {
    ...spec,
    Labels: { ...spec.Labels, ...own },
    TaskTemplate: {
      ...spec.TaskTemplate,
      ContainerSpec: { ...container, Labels: { ...container.Labels, ...own } },
    },
    ...(spec.UpdateConfig && { UpdateConfig: { ...spec.UpdateConfig, FailureAction: 'pause' } }),
  };
}

// ---------------------------------------------------------------- from the swarm

const seqOf = (from: Record<string, string>): number => {
  const seq = Number(from[DEPLOY_SEQ] ?? 0);
  return Number.isSafeInteger(seq) ? seq : 0;
};
/** True if the service has another installation's deployment. */
export const isForeign = (service: Service, installation: string | undefined): boolean =>
  isForeignStamp(service.Spec.Labels, installation);
export const ownService = (service: Service, installation: string | undefined): Service => ({
  ...service,
  Spec: { ...service.Spec, Labels: ownLabels(service.Spec.Labels, installation) },
});
export const ownTask = (task: Task, installation: string | undefined): Task => ({
  ...task,
  Spec: { ContainerSpec: { Labels: ownLabels(taskLabels(task), installation) } },
});

const taskLabels = (task: Task): Record<string, string> => task.Spec.ContainerSpec?.Labels ?? {};
const time = (task: Task): number => Date.parse(task.Status.Timestamp ?? '') || 0;

export const ABSENT: TargetState = {
  exists: false,
  deployIds: [],
  seq: 0,
  desired: 0,
  running: 0,
  failures: [],
  rollout: 'none',
  endpoints: [],
};

/**
 * The state of a service, with tasks separated by the deployment that created them: only its own count as
 * running.
 */
export function targetState(service: Service, tasks: Task[], nodes: Node[]): TargetState {
  const { Spec: spec } = service;
  const all = [spec.Labels, ...tasks.map(taskLabels)];
  const ids = all.flatMap((one) => one[DEPLOY_ID] ?? []);
  const own = tasks.filter((task) => taskLabels(task)[DEPLOY_ID] === spec.Labels[DEPLOY_ID]);
  const running = own.filter((task) => task.DesiredState === 'running' && task.Status.State === 'running');
  const replicated = z.object({ Replicated: z.object({ Replicas: z.number() }) }).safeParse(spec.Mode);
  return {
    exists: true,
    deployIds: [...new Set(ids)],
    seq: Math.max(...all.map(seqOf)),
    image: spec.TaskTemplate.ContainerSpec.Image ?? undefined,
    desired: replicated.success
      ? replicated.data.Replicated.Replicas
      : own.filter((task) => task.DesiredState === 'running').length,
    running: running.length,
    failures: failures(own, nodes),
    rollout: rollout(service.UpdateStatus?.State),
    snapshot: JSON.stringify(spec),
    endpoints: endpoints(spec, running, nodes),
  };
}

/** Tasks that failed, and tasks that cannot start, with the reason. */
function failures(tasks: Task[], nodes: Node[]): string[] {
  return tasks
    .filter(
      ({ Status: status }) =>
        status.State === 'failed' || status.State === 'rejected' || (status.Err ?? '') !== '',
    )
    .sort((a, b) => time(b) - time(a))
    .map((task) => {
      const node = nodes.find(({ ID }) => ID === task.NodeID);
      const on = node ? ` on ${node.Description?.Hostname ?? node.ID}` : '';
      return `task ${task.Slot ?? task.ID}${on} ${task.Status.State}: ${task.Status.Err || 'no reason given'}`;
    });
}

function rollout(state: string | null | undefined): TargetState['rollout'] {
  switch (state) {
    case 'updating':
      return 'updating';
    case 'paused':
    case 'rollback_paused':
      return 'paused';
    case 'completed':
    case 'rollback_completed':
      return 'completed';
    case 'rollback_started':
      return 'rolling_back';
    default:
      return 'none';
  }
}

/** Ports on the machines of running tasks (`host` listens there only; `ingress` there too). */
function endpoints(spec: ServiceSpec, running: Task[], nodes: Node[]): string[] {
  const hosts = new Set(
    running.flatMap((task) => {
      const address = nodes.find(({ ID }) => ID === task.NodeID)?.Status?.Addr ?? '';
      return address === '' || address === '0.0.0.0' ? [] : [address];
    }),
  );
  const ports = (spec.EndpointSpec?.Ports ?? []).flatMap((port) => port.PublishedPort || []);
  return [...hosts].flatMap((host) =>
    ports.map((port) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
  );
}
