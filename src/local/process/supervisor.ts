/**
 * Keeps the parts of davit running on one machine. It knows nothing of what they do.
 *
 * Invariants: S1 a part that ends by itself is started again, after a pause that doubles up to 30 s and starts anew once it
 * has lived for a minute. S2 parts end by falling rank, each before what it stands on; parts of one rank end together. S3 after
 * `stop` has been called nothing is started any more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import { readyOrEnded, type Part, type RunningProcess } from './managed-process.ts';
import type { Progress } from './progress.ts';
import { messageOf } from '../../utils/message.ts';

const INITIAL_PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
const STABLE_MS = 60_000;
const READY_MS = 60_000;

interface Kept {
  part: Part;
  running: RunningProcess;
  loop: Promise<void>;
}
export class Supervisor {
  readonly #progress: Progress;
  readonly #changed: () => Promise<void>;
  readonly #kept: Kept[] = [];
  readonly #adding: Promise<void>[] = [];
  #recording: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  /** `changed` is told after every start, before the part is ready, and when it is; so that the run file can be written. */
  constructor(progress: Progress, changed: () => Promise<void> = async () => undefined) {
    this.#progress = progress;
    this.#changed = changed;
  }

  /** Starts a part, waits until it is ready, and keeps it running from then on. Rejects with `local/not-started`. */
  add(part: Part): Promise<void> {
    const adding = this.#add(part);
    this.#adding.push(adding);
    return adding;
  }

  async #add(part: Part): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const start = async (): Promise<string | undefined> => {
      const one: Kept = { part, running: await this.#launch(part), loop: Promise.resolve() };
      this.#kept.push(one);
      // Whoever comes after a kill -9 of this process must find the part, ready or not.
      if (!this.#stopping.signal.aborted) await this.#record();
      const detail = await firstReady(part, one.running, this.#stopping.signal);
      one.loop = this.#keep(one);
      await this.#record();
      return detail;
    };
    // A start that was cut short is no news.
    const shown = (detail: string | undefined) =>
      this.#stopping.signal.aborted ? undefined : (detail ?? '');
    await this.#progress.step(part.name, start, shown);
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  processes(): { name: string; pid: number; mark?: string }[] {
    return this.#kept.flatMap(({ part: { name }, running: { pid, mark } }) =>
      pid === undefined ? [] : [{ name, pid, mark }],
    );
  }

  /** One after the other: an older record never lands on a newer one. */
  #record(): Promise<void> {
    const tell = (): Promise<void> => this.#changed();
    return (this.#recording = this.#recording.then(tell, tell));
  }

  /** Idempotent. Resolves when every part has ended. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #launch(part: Part): Promise<RunningProcess> {
    const running = await part.start();
    if (this.#stopping.signal.aborted) await running.stop();
    return running;
  }

  async #keep(one: Kept): Promise<void> {
    const { signal } = this.#stopping;
    let wait = INITIAL_PAUSE_MS;
    for (;;) {
      const since = Date.now();
      const how = await one.running.exited;
      if (signal.aborted) return;
      if (Date.now() - since > STABLE_MS) wait = INITIAL_PAUSE_MS;
      this.#progress.note(`${one.part.name} ${how}; it is started again. Log: ${one.part.log}`);
      await delay(wait, undefined, { signal }).catch(() => undefined); // stopped: seen in the next line
      if (signal.aborted) return;
      wait = Math.min(wait * 2, MAX_PAUSE_MS);
      try {
        one.running = await this.#launch(one.part);
        await this.#record();
      } catch (error) {
        // What it needs is not there at this moment: the pause grows, and it is tried again.
        this.#progress.note(`${one.part.name} cannot be started: ${messageOf(error)}`);
      }
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error('davit is ending'));
    // What is being started at this moment has a process soon: it must be known before all are ended.
    await Promise.allSettled(this.#adding);
    const ranks = [...new Set(this.#kept.map((one) => one.part.rank))].sort((a, b) => b - a);
    for (const rank of ranks)
      await Promise.all(this.#kept.filter((one) => one.part.rank === rank).map((one) => endOf(one)));
  }
}

async function endOf(one: Kept): Promise<void> {
  await one.running.stop();
  await one.loop;
  await one.running.stop(); // the loop may have started it once more just before
}

async function firstReady(
  part: Part,
  running: RunningProcess,
  stopping: AbortSignal,
): Promise<string | undefined> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(READY_MS)]);
  const cut = new Promise<never>((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('did not get ready in time')), { once: true }),
  );
  try {
    return await Promise.race([readyOrEnded(running, part.ready(running, signal)), cut]);
  } catch (cause) {
    if (stopping.aborted) return undefined;
    const why =
      cause instanceof DavitError
        ? ` ${cause.message}`
        : cause instanceof Error
          ? ` It ${cause.message}.`
          : '';
    throw new DavitError('local/not-started', `${part.name} did not start.${why} Its log: ${part.log}`, {
      hint: cause instanceof DavitError ? cause.hint : undefined,
      cause,
    });
  }
}
