/**
 * What a project knows about its environments: who deployed last, and when and how each is to be stopped.
 * Pure: every function returns the new list. The project workflow keeps the list and its timer.
 *
 * ENVIRONMENT-1 Only a successful deployment creates or changes an environment; only a successful stop, or a
 *               stop without a job, ends it.
 * ENVIRONMENT-2 Each deployment sets the time to stop again, or removes it.
 * ENVIRONMENT-3 The list is bounded: the oldest stopped environments are dropped first.
 */
import type { EnvironmentChange, EnvironmentState, StopRef } from '../model/environments.ts';
import type { PipelineId } from '../model/ids.ts';
import type { LockRelease } from '../model/locks.ts';
import { refKey } from './memory.ts';

export const MAX_ENVIRONMENTS = 500;
const CLOSING_MS = 2_000;
const INITIAL_WAIT_MS = 60_000;
const MAX_WAIT_MS = 3_600_000;

/** After a job with an environment has succeeded. */
export function changeEnvironment(
  list: readonly EnvironmentState[],
  release: LockRelease & { environment: EnvironmentChange; ref?: string | undefined },
  now: number,
): EnvironmentState[] {
  const name = release.resource.replace(/^environment:/, '');
  const known = list.find((one) => one.name === name);
  const { action, autoStopInMs, onStop, withPipeline, url, tier } = release.environment;
  if (action === 'stop') return known ? replace(list, stopped(known, now)) : [...list];
  const next: EnvironmentState = {
    name,
    state: 'available',
    pipeline: release.pipeline,
    job: release.job,
    ...(release.ref !== undefined && { ref: release.ref }),
    since: now,
    ...(onStop !== undefined && { onStop }),
    ...(withPipeline && { withPipeline }),
    ...(autoStopInMs !== undefined && { stopAt: now + autoStopInMs }),
    ...(url !== undefined && { url }),
    ...(tier !== undefined && { tier }),
  };
  return replace(list, next);
}

/**
 * The pipeline has ended, and environments that belong to it have not been stopped: it was cancelled, or the
 * stop failed. They are stopped a moment later, when the pipeline has surely closed, and only once:
 * environments that are stopping are skipped. Returns undefined if there are none.
 */
export function stopWithPipeline(
  list: readonly EnvironmentState[],
  pipeline: PipelineId,
  now: number,
): EnvironmentState[] | undefined {
  const due = (one: EnvironmentState): boolean =>
    one.pipeline === pipeline && one.withPipeline === true && one.state === 'available';
  if (!list.some(due)) return undefined;
  return list.map((one) => (due(one) ? { ...one, stopAt: now + CLOSING_MS, tries: 0 } : one));
}

/** Returns undefined if nothing that a job can stop was deployed from this ref before it was gone. */
export function stopOfRef(
  list: readonly EnvironmentState[],
  gone: Omit<StopRef, 'proof'>,
  now: number,
): EnvironmentState[] | undefined {
  const due = (one: EnvironmentState): boolean =>
    one.ref === refKey(gone) && one.state === 'available' && one.onStop !== undefined && one.since <= gone.at;
  if (!list.some(due)) return undefined;
  return list.map((one) => (due(one) ? { ...one, stopAt: now, tries: 0 } : one));
}

/** A person asks to stop it now. Returns undefined if no environment of that name can be stopped. */
export function stopNow(
  list: readonly EnvironmentState[],
  name: string,
  actor: string,
  now: number,
): EnvironmentState[] | undefined {
  const known = list.find((one) => one.name === name);
  if (!known || known.state === 'stopped') return undefined;
  return replace(list, { ...known, stopAt: now, tries: 0, stoppedBy: actor });
}

export const dueAt = (list: readonly EnvironmentState[], now: number): EnvironmentState[] =>
  list.filter((one) => one.stopAt !== undefined && one.stopAt <= now);
/** When the next environment is to be stopped, epoch ms. */
export function nextStop(list: readonly EnvironmentState[]): number | undefined {
  const times = list.flatMap((one) => one.stopAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** For an environment that no job stops. */
export const markStopped = (
  list: readonly EnvironmentState[],
  name: string,
  now: number,
): EnvironmentState[] => update(list, name, (one) => stopped(one, now));

/**
 * The job that stops it was requested. An open pipeline may not be able to play it yet, so the request is
 * repeated, less and less often; a closed pipeline is rerun for it, once.
 */
export const withStopRequest = (
  list: readonly EnvironmentState[],
  name: string,
  open: boolean,
  now: number,
): EnvironmentState[] =>
  update(list, name, ({ stopAt: _stopAt, ...one }) => {
    const tries = (one.tries ?? 0) + 1;
    const wait = Math.min(INITIAL_WAIT_MS * 2 ** (tries - 1), MAX_WAIT_MS);
    return { ...one, state: 'stopping', tries, ...(open && { stopAt: now + wait }) };
  });

/** The server does not prove that it is to be stopped: it stays, unless it was deployed again meanwhile. */
export const withoutStop = (
  list: readonly EnvironmentState[],
  { name, since }: Pick<EnvironmentState, 'name' | 'since'>,
): EnvironmentState[] =>
  update(list, name, ({ stopAt, ...one }) =>
    one.since === since ? one : { ...one, ...(stopAt !== undefined && { stopAt }) },
  );

const stopped = (
  { stopAt: _stopAt, tries: _tries, ...one }: EnvironmentState,
  now: number,
): EnvironmentState => ({
  ...one,
  state: 'stopped',
  since: now,
});
const update = (
  list: readonly EnvironmentState[],
  name: string,
  change: (one: EnvironmentState) => EnvironmentState,
): EnvironmentState[] => list.map((one) => (one.name === name ? change(one) : one));

/** Newest last. */
function replace(list: readonly EnvironmentState[], next: EnvironmentState): EnvironmentState[] {
  const all = [...list.filter((one) => one.name !== next.name), next];
  if (all.length <= MAX_ENVIRONMENTS) return all;
  const dropped = all.find((one) => one.state === 'stopped') ?? all[0];
  return all.filter((one) => one !== dropped);
}
