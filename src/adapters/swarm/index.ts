/**
 * A swarm as a deploy target: reads one service, changes it conditionally, restores it. It does not wait,
 * poll or decide about rollbacks. The target itself stores what has happened:
 *   SWARM-1 A deployment's id and seq are labels of the service and of each of its tasks. If the id is found
 *           anywhere, the deployment took effect. So a lost response is recovered, and nothing is deployed
 *           twice.
 *   SWARM-2 A higher seq anywhere means that a newer deployment came first; nothing is changed. Both hold
 *           within one installation.
 *   SWARM-3 A write is conditional on the version that was just read. Swarm raises it in its own rollouts
 *           too, so a conflict is a result, not an error.
 *   SWARM-4 The swarm never rolls back by itself: that would restore old labels and break SWARM-1.
 */
import { filesOf } from './granted.ts';
import { isPermitted } from './permission.ts';
import { ownerOf, pipelineOf } from './labels.ts';
import { DavitError } from '../../errors.ts';
import type { DeployRequest, DeployTarget, TargetState } from '../ports.ts';
import { path, type EngineApi } from '../docker/api.ts';
import { connect } from '../docker/connection/transport.ts';
import { parseImageName } from '../../match/image-name.ts';
import {
  ABSENT,
  DEPLOY_ID,
  desiredSpec,
  isForeign,
  nodesOf,
  nodeState,
  ownService,
  ownTask,
  serviceOf,
  specOf,
  stamped,
  targetState,
  tasksOf,
  type Service,
  type ServiceSpec,
  type DeployLabels,
  type Task,
  type Node,
} from './mapping.ts';

export interface SwarmOptions {
  name: string;
  /** Engine of a manager: `unix://`, `tcp://` or `ssh://`. */
  address: string;
  certPath?: string;
  knownHosts?: string;
  /** As of an engine. */
  pinnedHosts?: string;
  /** As of an engine: the registry that its nodes pull from. */
  reversePorts?: number[];
  onProblem?: (text: string) => void;
  /** UUID. A deployment of another installation is neither `already` nor newer. */
  installation?: string;
  /** How long a swarm watches a new task before it counts as updated, ms; the swarm's own 5 s if absent. */
  monitorMs?: number;
  /** Changes only a swarm that davit made, or that a person has allowed (permission.ts). */
  permittedOnly?: boolean;
}
interface Swarm {
  api: EngineApi;
  installation?: string;
  monitorMs?: number;
}
const RESTORE_TRIES = 10;

/** Rejects with `engine/address` or `engine/untrusted`; the first call shows whether the target responds. */
export async function swarmTarget(options: SwarmOptions): Promise<DeployTarget> {
  const { api, close } = await connect(options);
  const { name: target, installation, monitorMs, permittedOnly } = options;
  const swarm = { api, installation, monitorMs };
  return {
    name: target,
    read: (service) => coded(swarm, target, () => read(swarm, service)),
    apply: (request) =>
      coded(swarm, target, async () => {
        if (permittedOnly && !(await isPermitted(api))) throw notPermitted(target);
        return apply(swarm, request);
      }),
    restore: (service, snapshot, { authFor, ...stamp }) =>
      coded(swarm, target, () =>
        restore(swarm, { service, snapshot, stamp: { ...stamp, installation }, target, authFor }),
      ),
    remove: (service) => coded(swarm, target, () => remove(api, service)),
    nodes: () => coded(swarm, target, async () => (await listNodes(api)).map(nodeState)),
    close,
  };
}

async function rawService({ api }: Swarm, name: string): Promise<Service | undefined> {
  const response = await api.find({
    method: 'GET',
    path: path`/services/${name}`,
    action: `inspect service ${name}`,
  });
  const service = response === undefined ? undefined : serviceOf(response);
  // An engine also matches the beginning of an id.
  return service?.Spec.Name === name ? service : undefined;
}

async function findService(swarm: Swarm, name: string): Promise<Service | undefined> {
  const service = await rawService(swarm, name);
  return service && ownService(service, swarm.installation);
}

async function findTasks({ api, installation }: Swarm, service: Service): Promise<Task[]> {
  const filters = JSON.stringify({ service: [service.ID] });
  const action = `list the tasks of service ${service.Spec.Name}`;
  const tasks = tasksOf(await api.json({ method: 'GET', path: path`/tasks`, query: { filters }, action }));
  return tasks.map((task) => ownTask(task, installation));
}

const listNodes = async (api: EngineApi): Promise<Node[]> =>
  nodesOf(await api.json({ method: 'GET', path: path`/nodes`, action: 'list the nodes' }));

async function read(swarm: Swarm, name: string): Promise<TargetState> {
  // Without a service, the engine must still be a manager: one that left the swarm is not an empty target.
  const nodes = await listNodes(swarm.api);
  const raw = await rawService(swarm, name);
  if (!raw) return ABSENT;
  const service = ownService(raw, swarm.installation);
  const state = targetState(service, await findTasks(swarm, service), nodes);
  if (isForeign(raw, swarm.installation)) return { ...state, foreign: true };
  const owner = ownerOf(raw.Spec.Labels);
  const pipeline = pipelineOf(raw.Spec.Labels);
  return { ...state, ...(owner !== undefined && { owner }), ...(pipeline && { pipeline }) };
}

async function apply(swarm: Swarm, requested: DeployRequest): ReturnType<DeployTarget['apply']> {
  const { api, installation, monitorMs } = swarm;
  const request = { ...requested, installation, monitorMs, files: await filesOf(api, requested.spec) };
  const raw = await rawService(swarm, request.spec.service);
  if (!raw) return create(api, request);
  // Another project was quicker since the target was read: read it again.
  const owner = isForeign(raw, installation) ? undefined : ownerOf(raw.Spec.Labels);
  if (request.owner !== undefined && owner !== request.owner) return 'conflict';
  const service = ownService(raw, installation);
  const now = targetState(service, await findTasks(swarm, service), []);
  if (now.deployIds.includes(request.deployId)) return 'already';
  if (now.seq > request.seq) return 'outdated';
  const changed = await update(api, service, {
    spec: desiredSpec(request, service.Spec),
    auth: registryAuth(request),
  });
  return changed ? 'applied' : 'conflict';
}

/** The swarm keeps the credentials of the header, so that its nodes can pull. */
const registryAuth = (request: Pick<DeployRequest, 'image' | 'auth'>) =>
  request.auth && { ...request.auth, serveraddress: parseImageName(request.image).host };

async function create(
  api: EngineApi,
  request: Parameters<typeof desiredSpec>[0],
): Promise<'applied' | 'conflict'> {
  try {
    await api.json({
      method: 'POST',
      path: path`/services/create`,
      body: desiredSpec(request, undefined),
      auth: registryAuth(request),
      action: `create service ${request.spec.service}`,
    });
    return 'applied';
  } catch (error) {
    if (error instanceof DavitError && /name conflicts with an existing object/i.test(error.message))
      return 'conflict';
    throw error;
  }
}

/** False if the service has another version by now. */
async function update(
  api: EngineApi,
  service: Service,
  change: { spec: ServiceSpec; auth: ReturnType<typeof registryAuth> },
): Promise<boolean> {
  try {
    await api.json({
      method: 'POST',
      path: path`/services/${service.ID}/update`,
      // Without new credentials the swarm keeps those of the current spec.
      query: { version: String(service.Version.Index), registryAuthFrom: 'spec' },
      body: change.spec,
      auth: change.auth,
      action: `update service ${service.Spec.Name}`,
    });
    return true;
  } catch (error) {
    if (error instanceof DavitError && /update out of sequence|service .* not found/i.test(error.message))
      return false;
    throw error;
  }
}

interface RestoreRequest {
  service: string;
  snapshot: string | undefined;
  stamp: DeployLabels;
  target: string;
  authFor?: Parameters<DeployTarget['restore']>[2]['authFor'];
}

async function restore(swarm: Swarm, request: RestoreRequest): Promise<void> {
  const { api } = swarm;
  if (request.snapshot === undefined) return removeOwn(swarm, request);
  const spec = stamped(specOf(JSON.parse(request.snapshot)), request.stamp);
  const image = spec.TaskTemplate.ContainerSpec.Image ?? undefined;
  const auth =
    image === undefined ? undefined : registryAuth({ image, auth: await request.authFor?.(image) });
  for (let tries = 0; tries < RESTORE_TRIES; tries += 1) {
    const service = await findService(swarm, request.service);
    if (!service)
      throw new DavitError(
        'target/missing',
        `Service ${request.service} no longer exists on ${request.target}; there is nothing to roll back.`,
      );
    if (service.Spec.Labels[DEPLOY_ID] === request.stamp.deployId) return;
    const { seq } = targetState(service, await findTasks(swarm, service), []);
    if (seq > request.stamp.seq)
      throw new DavitError(
        'target/refused',
        `Service ${request.service} on ${request.target} was deployed again in the meantime; it is not rolled back.`,
      );
    if (await update(api, service, { spec, auth })) return;
  }
  throw new DavitError(
    'target/refused',
    `Service ${request.service} on ${request.target} changed during every attempt to roll it back.`,
  );
}

/** SWARM-2. By its id: a service of this name that was created after the check is another one. */
async function removeOwn(swarm: Swarm, { service: name, stamp, target }: RestoreRequest): Promise<void> {
  const service = await findService(swarm, name);
  if (!service) return;
  const { seq } = targetState(service, await findTasks(swarm, service), []);
  if (seq > stamp.seq)
    throw new DavitError(
      'target/refused',
      `Service ${name} on ${target} was deployed again in the meantime; it is not removed.`,
    );
  await remove(swarm.api, service.ID);
}

async function remove(api: EngineApi, service: string): Promise<void> {
  await api.find({ method: 'DELETE', path: path`/services/${service}`, action: `remove service ${service}` });
}

const notPermitted = (target: string): DavitError =>
  new DavitError(
    'target/refused',
    `Deploy target ${target}: davit did not make the swarm of this engine, and no person has allowed its use.`,
    { hint: 'Allow it on the machine with `davit up --use-swarm`.' },
  );

const noSwarm = (address: string, at: string): DavitError =>
  new DavitError(
    'target/not-a-manager',
    `Deploy target ${at}: the engine at ${address} is Podman, which has no swarm.`,
    { hint: 'Name a Docker engine that is a swarm manager as `docker:` of the target.' },
  );

/** An engine's errors in a deploy target's codes. */
async function coded<T>({ api }: Swarm, target: string, work: () => Promise<T>): Promise<T> {
  try {
    const { podman } = await api.traits();
    if (podman) throw noSwarm(api.address, target);
    return await work();
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    const targetError = (
      code: 'target/unreachable' | 'target/not-a-manager' | 'target/refused',
    ): DavitError => new DavitError(code, `Deploy target ${target}: ${error.message}`, { cause: error });
    if (error.code === 'engine/unreachable') throw targetError('target/unreachable');
    if (/not a swarm manager|is not part of a swarm|not part of a swarm/i.test(error.message))
      throw targetError('target/not-a-manager');
    // A manager without quorum responds, but cannot do anything: that is temporary.
    if (/does not have a leader|context deadline exceeded/i.test(error.message))
      throw targetError('target/unreachable');
    throw error.code.startsWith('engine/') ? targetError('target/refused') : error;
  }
}
