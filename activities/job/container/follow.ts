/**
 * Reads the engine's log of a container into a ContainerLog until the container has ended and everything is
 * read. The engine's port survives dropped links; when it gives up, reading continues at the position of the
 * ContainerLog.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerState, Engine } from '../../../src/adapters/ports.ts';
import type { ContainerLog } from '../../runtime/log/container-log.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { isAwayForNow } from '../../runtime/failures.ts';

const INITIAL_RETRY_MS = 100;
const MAX_RETRY_MS = 3_000;
/** Failed reads of an ended container before its log is given up as lost. */
export const MAX_FINAL_READS = 6;

/** Reads of an ended container whose end mark is still missing. */
const MAX_TAIL_READS = 6;
/** 128 + SIGKILL. */
const KILLED = 137;

/** The record at the log's position is not in the engine's log any more. */
const ROTATED = 'The engine has rotated its log: lines between the last restart and here are lost.';

export interface FollowRequest {
  engine: Engine;
  container: string;
  log: ContainerLog;
  /** Dispatch that reads, if its attempt may be resumed. */
  epoch?: number;
  /** Settles when the container has stopped or does not exist. */
  ended: Promise<ContainerState | void>;
  /** When aborted: stops reading, leaves the container as it is. */
  signal: AbortSignal;
  /** Tests: shorter than 100 ms. */
  firstRetryMs?: number;
}

/**
 * Resolves when the log is read to its end. Throws the signal's reason, or the error that made writing
 * impossible, or `engine/unreachable` if the engine of an ended container stays unreachable and the attempt
 * may be resumed: that engine has the rest of the log.
 */
export async function followLog(followed: FollowRequest): Promise<void> {
  const { log, signal, epoch } = followed;
  let over = false;
  const settle = (): void => {
    over = true;
  };
  followed.ended.then(settle, settle); // if the end cannot be awaited, treat the log as complete
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
      if (epoch !== undefined && isAwayForNow(end.broken, { epoch })) throw end.broken;
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
 * An engine that was restarted with live-restore (seen with Docker 29) can report the end of a container
 * before it has written the container's last lines.
 */
async function lacksTail({ log, ended }: FollowRequest): Promise<boolean> {
  if (log.endRead || log.ended) return false;
  const state = await ended.catch(() => undefined); // the caller handles the failure
  return state !== undefined && state.labels[LABELS.marked] === 'true' && state.exitCode !== KILLED;
}

export const isAlive = (state: ContainerState): boolean =>
  state.status === 'running' || state.status === 'paused' || state.status === 'restarting';

/** Its script has started, and may have ended. */
export const hasStarted = (state: ContainerState): boolean =>
  isAlive(state) || state.status === 'exited' || state.status === 'dead';

/**
 * How long a container has run, in ms. The engine recorded the start, so its clock is used for the current
 * time too.
 */
export async function runTimeOf(engine: Engine, state: ContainerState): Promise<number> {
  const until = isAlive(state) ? (await engine.info()).time : state.finishedAt;
  return Math.max(until - state.startedAt, 0);
}

/** Why a read stopped early. */
interface Broken {
  broken: unknown;
}

/**
 * Reads the engine's log once, from the position of the ContainerLog. Throws only failures of the log store.
 */
async function readOnce(followed: FollowRequest): Promise<'ended' | Broken> {
  const { engine, container, log, signal } = followed;
  const from = { ...log.position };
  const since = from.engineTime === '' ? undefined : from.engineTime;
  const records = engine.logs(container, { follow: true, since, signal })[Symbol.asyncIterator]();
  let toSkip = from.recordsAtTime;
  try {
    for (;;) {
      // A broken link, or an engine that restarts: the caller inspects the container and reads again.
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
    await records.return?.().catch(() => undefined); // the stream is abandoned; its failure does not matter
  }
  return 'ended';
}
