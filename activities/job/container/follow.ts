/**
 * Reads the engine's log of a container into a ContainerLog until the container has ended and everything is
 * read. The engine's port survives dropped links; what it gives up on is taken up again where the
 * ContainerLog stands.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerState, Engine } from '../../../src/adapters/ports.ts';
import type { ContainerLog } from '../../runtime/log/container-log.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { mayBeBack } from '../../runtime/failures.ts';

const INITIAL_RETRY_MS = 100;
const MAX_RETRY_MS = 3_000;
/** Readings of an ended container that fail before its log is given up as lost. */
export const MAX_FINAL_READS = 6;

/** Readings of an ended container whose end mark is not there yet. */
const MAX_TAIL_READS = 6;
/** 128 + SIGKILL. */
const KILLED = 137;

/** The record where the log stands is not in the engine's log any more. */
const ROTATED = 'The engine has rotated its log: lines between the last restart and here are lost.';

export interface FollowRequest {
  engine: Engine;
  container: string;
  log: ContainerLog;
  /** Of the try that reads, where its attempt may be resumed. */
  epoch?: number;
  /** Settles when the container runs no longer, or is not there. */
  ended: Promise<ContainerState | void>;
  /** Aborted: stop reading, leave the container as it is. */
  signal: AbortSignal;
  /** Tests: shorter than 100 ms. */
  firstRetryMs?: number;
}

/**
 * Resolves when the log is read to its end; throws the signal's reason, what made writing impossible, or
 * `engine/unreachable` when the engine of an ended container stays away and the attempt may be resumed: it
 * has the rest of the log.
 */
export async function followLog(followed: FollowRequest): Promise<void> {
  const { log, signal, epoch } = followed;
  let over = false;
  const settle = (): void => {
    over = true;
  };
  followed.ended.then(settle, settle); // a container that cannot be waited for has ended as far as its log goes
  let wait = followed.firstRetryMs ?? INITIAL_RETRY_MS;
  for (let failed = 0, tails = 0; ; ) {
    const end = await readOnce(followed);
    signal.throwIfAborted();
    if (end === 'ended') {
      if (++tails >= MAX_TAIL_READS || !(await lacksTail(followed))) break;
      await delay(wait, undefined, { signal });
      wait = Math.min(wait * 2, MAX_RETRY_MS);
      continue;
    }
    if (over && ++failed >= MAX_FINAL_READS) {
      if (epoch !== undefined && mayBeBack(end.broken, { epoch })) throw end.broken;
      log.lost('The container or its log is gone: its last lines are lost.');
      break;
    }
    await delay(wait, undefined, { signal });
    wait = Math.min(wait * 2, MAX_RETRY_MS);
  }
  signal.throwIfAborted();
  log.recordsEnded();
}

/**
 * An engine that was restarted with live-restore (seen with Docker 29) can report the end of a container before
 * it has written the container's last lines.
 */
async function lacksTail({ log, ended }: FollowRequest): Promise<boolean> {
  if (log.endRead || log.ended) return false;
  const state = await ended.catch(() => undefined); // the caller handles the failure
  return state !== undefined && state.labels[LABELS.marked] !== undefined && state.exitCode !== KILLED;
}

export const isAlive = (state: ContainerState): boolean =>
  state.status === 'running' || state.status === 'paused' || state.status === 'restarting';

/** Its script has run, or runs. */
export const hasBegun = (state: ContainerState): boolean =>
  isAlive(state) || state.status === 'exited' || state.status === 'dead';

/**
 * How long a container has run, ms: its engine has written down its start, so the engine is asked for the
 * time too.
 */
export async function ranFor(engine: Engine, state: ContainerState): Promise<number> {
  const until = isAlive(state) ? (await engine.info()).time : state.finishedAt;
  return Math.max(until - state.startedAt, 0);
}

/** Why a reading broke off. */
interface Broken {
  broken: unknown;
}

/**
 * One reading of the engine's log, from where the ContainerLog stands. Only failures of the log store are
 * thrown.
 */
async function readOnce(followed: FollowRequest): Promise<'ended' | Broken> {
  const { engine, container, log, signal } = followed;
  const from = { ...log.position };
  const since = from.engineTime === '' ? undefined : from.engineTime;
  const records = engine.logs(container, { follow: true, since, signal })[Symbol.asyncIterator]();
  let toSkip = from.recordsAtTime;
  try {
    for (;;) {
      // A broken link, or an engine that restarts: the caller looks at the container and reads again.
      const next = await records.next().catch((broken: unknown) => ({ broken }));
      if ('broken' in next) {
        signal.throwIfAborted();
        return next;
      }
      if (next.done) {
        if (toSkip > 0) log.lost(ROTATED);
        break;
      }
      if (toSkip > 0 && next.value.time === from.engineTime) {
        toSkip -= 1;
        continue;
      }
      if (toSkip > 0) {
        log.lost(ROTATED);
        toSkip = 0;
      }
      await log.record(next.value);
    }
  } finally {
    await records.return?.().catch(() => undefined); // the stream is being left; how it ends says nothing more
  }
  return 'ended';
}
