/** Stops and removes what an attempt has on an engine. Everything here is idempotent. */
import type { ContainerState, Engine } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { isAlive } from './follow.ts';
import { attemptOf, LABELS, type ObjectKind, type ObjectOf } from '../../runtime/container-names.ts';

/** The kernel needs a moment after SIGKILL; an engine that needs longer than this has failed. */
const KILL_MS = 30_000;

/** SIGTERM, grace period, SIGKILL, verified. Undefined if there is no such container. */
export async function stopContainer(
  engine: Engine,
  name: string,
  graceMs: number,
): Promise<ContainerState | undefined> {
  const state = await engine.inspectContainer(name);
  if (!state || !isAlive(state)) return state;
  await signalAlive(engine, name, 'SIGTERM');
  const after = await endedWithin(engine, name, graceMs);
  if (after) return after;
  await signalAlive(engine, name, 'SIGKILL');
  const killed = await endedWithin(engine, name, KILL_MS);
  if (killed) return killed;
  throw new DavitError('engine/failed', `The engine did not end container ${name} within 30 s of SIGKILL.`);
}

/** A container that ends at this moment cannot be signalled, and need not be. */
async function signalAlive(engine: Engine, name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  try {
    await engine.signalContainer(name, signal);
  } catch (error) {
    const state = await engine.inspectContainer(name);
    if (state && isAlive(state)) throw error;
  }
}

async function endedWithin(engine: Engine, name: string, ms: number): Promise<ContainerState | undefined> {
  const limit = AbortSignal.timeout(Math.max(ms, 1));
  try {
    return await engine.waitContainer(name, limit);
  } catch (error) {
    if (error instanceof DavitError && error.code === 'engine/container-missing') return undefined;
    if (limit.aborted) return undefined;
    throw error;
  }
}

/** Objects with all of these labels; `kinds` selects kinds of containers. */
export interface Removal {
  labels: Record<string, string>;
  kinds?: readonly ObjectKind[];
  /** Selects by the attempt. */
  only?(of: ObjectOf): boolean;
}

async function removeContainers(
  engine: Engine,
  names: readonly string[],
): Promise<PromiseSettledResult<void>[]> {
  const removed = await Promise.allSettled(names.map((name) => engine.removeContainer(name)));
  // Podman removes a container whose network is shared only after the containers that share it.
  const left = names.filter((_, at) => isInUse(removed[at]));
  if (left.length === 0) return removed;
  const again = await Promise.allSettled(left.map((name) => engine.removeContainer(name)));
  return [...removed.filter((end) => !isInUse(end)), ...again];
}

const isInUse = (end: PromiseSettledResult<void> | undefined): boolean =>
  end?.status === 'rejected' && end.reason instanceof DavitError && end.reason.code === 'engine/in-use';

/**
 * Containers first: a volume or network in use cannot be removed. Removes as much as possible, then rejects
 * with the failures.
 */
export async function removeObjects(engine: Engine, removal: Removal): Promise<void> {
  const wanted = (object: { name: string; labels: Record<string, string> }): boolean => {
    const of = attemptOf(object);
    const kind = object.labels[LABELS.kind];
    if (!of || (removal.kinds && !removal.kinds.some((one) => one === kind))) return false;
    return removal.only?.(of) ?? true;
  };
  const containers = await engine.listContainers(removal.labels);
  const removed = await removeContainers(
    engine,
    containers.filter(wanted).map(({ name }) => name),
  );
  const [volumes, networks] = await Promise.all([
    engine.listVolumes(removal.labels),
    engine.listNetworks(removal.labels),
  ]);
  const rest = await Promise.allSettled([
    ...volumes.filter(wanted).map(({ name }) => engine.removeVolume(name)),
    ...networks.filter(wanted).map(({ name }) => engine.removeNetwork(name)),
  ]);
  // In Podman an ended container still holds what it shared, which goes when all are removed.
  const partly = removal.kinds !== undefined;
  const failed = [...removed, ...rest].find((end) => end.status === 'rejected' && !(partly && isInUse(end)));
  if (failed?.status === 'rejected') throw failed.reason;
}
