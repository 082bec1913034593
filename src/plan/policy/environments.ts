/**
 * What a project knows of its environments: who deployed last, and when and how each is to be stopped. Pure: every function
 * answers the list after it. The project workflow keeps it and its timer.
 *
 * E1 Only a deployment that succeeded makes or changes an environment; only a stop that succeeded, or one for which there is
 *    no job, ends it.
 * E2 Each deployment sets the time to stop anew, or takes it away.
 * E3 The list is bounded: the oldest stopped ones are forgotten first.
 */
import type { JobKey, PipelineId } from '../model/ids.ts';
import type { LockRelease } from '../model/protocol.ts';

export interface EnvironmentState {
  name: string;
  state: 'available' | 'stopping' | 'stopped';
  /** Of the last deployment. */
  pipeline: PipelineId;
  job: JobKey;
  /** Job of that pipeline that stops it; without one there is nothing to run. */
  onStop?: JobKey;
  /** That job runs always, so the environment is there for that pipeline alone and goes with it. */
  withPipeline?: boolean;
  /** Epoch ms, when to stop it or to ask again; absent: never by itself. */
  stopAt?: number;
  /** How often the pipeline was asked in vain. */
  tries?: number;
  url?: string;
  tier?: string;
  /** Epoch ms. */
  since: number;
  /** Who asked for the stop that is under way. */
  stoppedBy?: string;
}
/** What a job with an environment did to it; goes to the project with the lock's release. */
export interface EnvironmentChange {
  action: 'start' | 'stop';
  onStop?: JobKey;
  withPipeline?: boolean;
  autoStopInMs?: number;
  url?: string;
  tier?: string;
}

/** Stops an environment as `auto_stop_in` would. */
export interface StopEnvironment {
  name: string;
  actor: string;
}

export const MAX_ENVIRONMENTS = 500;
const CLOSING_MS = 2_000;
const INITIAL_WAIT_MS = 60_000;
const MAX_WAIT_MS = 3_600_000;

/** After a job with an environment has succeeded. */
export function changeEnvironment(
  list: readonly EnvironmentState[],
  release: LockRelease & { environment: EnvironmentChange },
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
 * Its pipeline has ended, and what goes with it has not been stopped: cancelled, or the stop failed. It is stopped after a moment,
 * when that pipeline is surely closed; once, for what is being stopped is not looked at again. undefined: there is no such.
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

/** A person asks: its time has come. undefined: there is none of that name that could be stopped. */
export function stopNow(
  list: readonly EnvironmentState[],
  name: string,
  by: { actor: string; now: number },
): EnvironmentState[] | undefined {
  const known = list.find((one) => one.name === name);
  if (!known || known.state === 'stopped') return undefined;
  return replace(list, { ...known, stopAt: by.now, tries: 0, stoppedBy: by.actor });
}

export const dueAt = (list: readonly EnvironmentState[], now: number): EnvironmentState[] =>
  list.filter((one) => one.stopAt !== undefined && one.stopAt <= now);
/** Epoch ms of the next one that is to be stopped. */
export function nextStop(list: readonly EnvironmentState[]): number | undefined {
  const times = list.flatMap((one) => one.stopAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** No job stops it: it is only said to be stopped. */
export const withoutJob = (
  list: readonly EnvironmentState[],
  name: string,
  now: number,
): EnvironmentState[] => update(list, name, (one) => stopped(one, now));

/**
 * The job that stops it was asked for. An open pipeline may not be able to play it yet, so it is asked again, less and less
 * often; a closed one runs on for it, once.
 */
export const withStopRequest = (
  list: readonly EnvironmentState[],
  name: string,
  of: { open: boolean; now: number },
): EnvironmentState[] =>
  update(list, name, ({ stopAt: _stopAt, ...one }) => {
    const tries = (one.tries ?? 0) + 1;
    const wait = Math.min(INITIAL_WAIT_MS * 2 ** (tries - 1), MAX_WAIT_MS);
    return { ...one, state: 'stopping', tries, ...(of.open && { stopAt: of.now + wait }) };
  });

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
  const forgotten = all.find((one) => one.state === 'stopped') ?? all[0];
  return all.filter((one) => one !== forgotten);
}
