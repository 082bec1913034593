/**
 * A swarm as a deploy target. Role: read one service, change it conditionally, put it back. It does not wait, poll or decide
 * about rollbacks. The target itself holds what has happened:
 *   T1 A deployment's id and seq are labels of the service and of each of its tasks. The id anywhere means: it took effect.
 *      So an answer that was lost is found again, and nothing is deployed twice.
 *   T2 A higher seq anywhere means: a newer deployment came first; nothing is changed. Both hold within one installation.
 *   T3 A write is conditional on the version that was just read. Swarm raises it in its own rollouts too, so a conflict is an
 *      answer, not an error.
 *   T4 The swarm never rolls back by itself: that would restore old labels and break T1.
 */
import { ownerOf } from './labels.ts';
import { DavitError } from '../../errors.ts';
import type { DeployRequest, DeployTarget, TargetState } from '../ports.ts';
import { path, type EngineApi } from '../docker/api.ts';
import { connect } from '../docker/connection/transport.ts';
import { parseImageName } from '../registry/name.ts';
import {
  ABSENT,
  DEPLOY_ID,
  desiredSpec,
  isForeign,
  nodesOf,
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
} from './mapping.ts';

export interface SwarmOptions {
  name: string;
  /** Engine of a manager: `unix://`, `tcp://` or `ssh://`. */
  address: string;
  certPath?: string;
  knownHosts?: string;
  /** UUID. What another installation has deployed is neither `already` nor newer. */
  installation?: string;
  /** Ms for which a swarm watches a new task before it counts it as updated; its own 5 s when absent. */
  monitorMs?: number;
}
interface Swarm {
  api: EngineApi;
  installation?: string;
  monitorMs?: number;
}
const RESTORE_TRIES = 10;

/** Rejects with `engine/address` or `engine/untrusted`; whether the target answers shows at the first call. */
export async function swarmTarget(options: SwarmOptions): Promise<DeployTarget> {
  const { api } = await connect(options);
  const { name: at, installation, monitorMs } = options;
  const swarm = { api, installation, monitorMs };
  return {
    name: at,
    read: (service) => coded(swarm, at, () => read(swarm, service)),
    apply: (request) => coded(swarm, at, () => apply(swarm, request)),
    restore: (service, snapshot, stamp) =>
      coded(swarm, at, () => restore(swarm, { service, snapshot, stamp: { ...stamp, installation }, at })),
    remove: (service) => coded(swarm, at, () => remove(api, service)),
  };
}

async function rawService({ api }: Swarm, name: string): Promise<Service | undefined> {
  const answer = await api.find({
    method: 'GET',
    path: path`/services/${name}`,
    what: `look at service ${name}`,
  });
  const service = answer === undefined ? undefined : serviceOf(answer);
  // An engine also finds by the beginning of an id.
  return service?.Spec.Name === name ? service : undefined;
}

async function findService(swarm: Swarm, name: string): Promise<Service | undefined> {
  const service = await rawService(swarm, name);
  return service && ownService(service, swarm.installation);
}

async function findTasks({ api, installation }: Swarm, service: Service): Promise<Task[]> {
  const filters = JSON.stringify({ service: [service.ID] });
  const what = `look at the tasks of service ${service.Spec.Name}`;
  const tasks = tasksOf(await api.json({ method: 'GET', path: path`/tasks`, query: { filters }, what }));
  return tasks.map((task) => ownTask(task, installation));
}

async function read(swarm: Swarm, name: string): Promise<TargetState> {
  // With no service the target must still be one: a worker's engine that left the swarm is no empty target.
  const nodes = nodesOf(
    await swarm.api.json({ method: 'GET', path: path`/nodes`, what: 'look at the nodes' }),
  );
  const raw = await rawService(swarm, name);
  if (!raw) return ABSENT;
  const service = ownService(raw, swarm.installation);
  const state = targetState(service, await findTasks(swarm, service), nodes);
  if (isForeign(raw, swarm.installation)) return { ...state, foreign: true };
  const owner = ownerOf(raw.Spec.Labels);
  return owner === undefined ? state : { ...state, owner };
}

async function apply(swarm: Swarm, asked: DeployRequest): ReturnType<DeployTarget['apply']> {
  const { api, installation, monitorMs } = swarm;
  const request = { ...asked, installation, monitorMs };
  const raw = await rawService(swarm, request.spec.service);
  if (!raw) return create(api, request);
  // Another project was quicker since the target was read: read it again.
  const owner = isForeign(raw, installation) ? undefined : ownerOf(raw.Spec.Labels);
  if (request.owner !== undefined && owner !== request.owner) return 'conflict';
  const service = ownService(raw, installation);
  const now = targetState(service, await findTasks(swarm, service), []);
  if (now.deployIds.includes(request.deployId)) return 'already';
  if (now.seq > request.seq) return 'outdated';
  const changed = await update(api, service, { spec: desiredSpec(request, service.Spec), request });
  return changed ? 'applied' : 'conflict';
}

/** The header's credentials are kept by the swarm, so that its nodes can pull. */
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
      what: `create service ${request.spec.service}`,
    });
    return 'applied';
  } catch (error) {
    if (error instanceof DavitError && /name conflicts with an existing object/i.test(error.message))
      return 'conflict';
    throw error;
  }
}

/** False when the service is at another version by now. */
async function update(
  api: EngineApi,
  service: Service,
  to: { spec: ServiceSpec; request?: DeployRequest },
): Promise<boolean> {
  try {
    await api.json({
      method: 'POST',
      path: path`/services/${service.ID}/update`,
      // Without new credentials the swarm keeps those of the spec that stands.
      query: { version: String(service.Version.Index), registryAuthFrom: 'spec' },
      body: to.spec,
      auth: to.request && registryAuth(to.request),
      what: `update service ${service.Spec.Name}`,
    });
    return true;
  } catch (error) {
    if (error instanceof DavitError && /update out of sequence|service .* not found/i.test(error.message))
      return false;
    throw error;
  }
}

interface Restore {
  service: string;
  snapshot: string | undefined;
  stamp: DeployLabels;
  at: string;
}

async function restore(swarm: Swarm, how: Restore): Promise<void> {
  const { api } = swarm;
  if (how.snapshot === undefined) return removeOwn(swarm, how);
  const spec = stamped(specOf(JSON.parse(how.snapshot)), how.stamp);
  for (let tries = 0; tries < RESTORE_TRIES; tries += 1) {
    const service = await findService(swarm, how.service);
    if (!service)
      throw new DavitError(
        'target/missing',
        `Service ${how.service} is not on ${how.at} any more; nothing is left to roll back.`,
      );
    if (service.Spec.Labels[DEPLOY_ID] === how.stamp.deployId) return;
    const { seq } = targetState(service, await findTasks(swarm, service), []);
    if (seq > how.stamp.seq)
      throw new DavitError(
        'target/refused',
        `Service ${how.service} on ${how.at} was deployed again meanwhile; it is not rolled back.`,
      );
    if (await update(api, service, { spec })) return;
  }
  throw new DavitError(
    'target/refused',
    `Service ${how.service} on ${how.at} changed at every try to roll it back.`,
  );
}

/** T2. By its id: a service of this name that was made after the look is another one. */
async function removeOwn(swarm: Swarm, { service: name, stamp, at }: Restore): Promise<void> {
  const service = await findService(swarm, name);
  if (!service) return;
  const { seq } = targetState(service, await findTasks(swarm, service), []);
  if (seq > stamp.seq)
    throw new DavitError(
      'target/refused',
      `Service ${name} on ${at} was deployed again meanwhile; it is not removed.`,
    );
  await remove(swarm.api, service.ID);
}

async function remove(api: EngineApi, service: string): Promise<void> {
  await api.find({ method: 'DELETE', path: path`/services/${service}`, what: `remove service ${service}` });
}

const noSwarm = (address: string, at: string): DavitError =>
  new DavitError(
    'target/not-a-manager',
    `Deploy target ${at}: the engine at ${address} is Podman, which has no swarm.`,
    { hint: 'Name a Docker engine that is a swarm manager as `docker:` of the target.' },
  );

/** An engine's errors in a deploy target's codes. */
async function coded<T>({ api }: Swarm, at: string, what: () => Promise<T>): Promise<T> {
  try {
    const { podman } = await api.traits();
    if (podman) throw noSwarm(api.address, at);
    return await what();
  } catch (error) {
    if (!(error instanceof DavitError)) throw error;
    const say = (code: 'target/unreachable' | 'target/not-a-manager' | 'target/refused'): DavitError =>
      new DavitError(code, `Deploy target ${at}: ${error.message}`, { cause: error });
    if (error.code === 'engine/unreachable') throw say('target/unreachable');
    if (/not a swarm manager|is not part of a swarm|not part of a swarm/i.test(error.message))
      throw say('target/not-a-manager');
    // A manager without quorum answers, but cannot do anything: it comes back.
    if (/does not have a leader|context deadline exceeded/i.test(error.message))
      throw say('target/unreachable');
    throw error.code.startsWith('engine/') ? say('target/refused') : error;
  }
}
