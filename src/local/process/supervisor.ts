/**
 * Keeps the processes of davit running on one machine, independent of what they do.
 *
 * Invariants:
 * SUPERVISOR-1 A process that ends by itself is restarted, after a pause that doubles up to 30 s and is reset
 *              once the process has run for a minute.
 * SUPERVISOR-2 Processes stop by descending rank, each before its dependencies; those of one rank stop
 *              together.
 * SUPERVISOR-3 Nothing is started after `stop` has been called.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import { readyOrEnded, type ManagedProcess, type RunningProcess } from './managed-process.ts';
import type { Progress } from './progress.ts';
import { RestartPause } from './restart-pause.ts';
import { messageOf } from '../../utils/message.ts';

const READY_MS = 60_000;

interface Supervised {
  managed: ManagedProcess;
  running: RunningProcess;
  loop: Promise<void>;
}
export class Supervisor {
  readonly #progress: Progress;
  readonly #changed: () => Promise<void>;
  readonly #kept: Supervised[] = [];
  readonly #adding: Promise<void>[] = [];
  #recording: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  /**
   * Calls `changed` after every start, before and after the process is ready, so that the run file can be
   * written.
   */
  constructor(progress: Progress, changed: () => Promise<void> = async () => undefined) {
    this.#progress = progress;
    this.#changed = changed;
  }

  /** Starts a process, waits until it is ready, and keeps it running. Rejects with `local/not-started`. */
  add(managed: ManagedProcess): Promise<void> {
    const adding = this.#add(managed);
    this.#adding.push(adding);
    return adding;
  }

  async #add(managed: ManagedProcess): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const start = async (): Promise<string | undefined> => {
      const one: Supervised = { managed, running: await this.#launch(managed), loop: Promise.resolve() };
      this.#kept.push(one);
      // After a kill -9 of this process the next start must find the child, ready or not.
      if (!this.#stopping.signal.aborted) await this.#record();
      const detail = await firstReady(managed, one.running, this.#stopping.signal);
      one.loop = this.#keep(one);
      await this.#record();
      return detail;
    };
    // An aborted start is not reported.
    const shown = (detail: string | undefined) =>
      this.#stopping.signal.aborted ? undefined : (detail ?? '');
    await this.#progress.step(managed.name, start, shown);
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }
  /** Aborts when `stop` is called. */
  get stopped(): AbortSignal {
    return this.#stopping.signal;
  }

  processes(): { name: string; pid: number; mark?: string }[] {
    return this.#kept.flatMap(({ managed: { name }, running: { pid, mark } }) =>
      pid === undefined ? [] : [{ name, pid, mark }],
    );
  }

  /** In sequence, so that an older record never overwrites a newer one. */
  #record(): Promise<void> {
    const notify = (): Promise<void> => this.#changed();
    return (this.#recording = this.#recording.then(notify, notify));
  }

  /** Idempotent. Resolves when every process has ended. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #launch(managed: ManagedProcess): Promise<RunningProcess> {
    const running = await managed.start();
    if (this.#stopping.signal.aborted) await running.stop();
    return running;
  }

  async #keep(one: Supervised): Promise<void> {
    const { signal } = this.#stopping;
    const pause = new RestartPause();
    for (;;) {
      const since = Date.now();
      const how = await one.running.exited;
      if (signal.aborted) return;
      const wait = pause.after(Date.now() - since);
      this.#progress.note(`${one.managed.name} ${how}; restarting it. Log: ${one.managed.log}`);
      await delay(wait, undefined, { signal }).catch(() => undefined); // stopped: checked in the next line
      if (signal.aborted) return;
      try {
        one.running = await this.#launch(one.managed);
        await this.#record();
      } catch (error) {
        // Something it needs is missing now: retry after a longer pause.
        this.#progress.note(`${one.managed.name} cannot be started: ${messageOf(error)}`);
      }
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error('davit is stopping'));
    // Wait for starts in progress, so that their processes are known and stopped too.
    await Promise.allSettled(this.#adding);
    const ranks = [...new Set(this.#kept.map((one) => one.managed.rank))].sort((a, b) => b - a);
    for (const rank of ranks)
      await Promise.all(this.#kept.filter((one) => one.managed.rank === rank).map((one) => endOf(one)));
  }
}

async function endOf(one: Supervised): Promise<void> {
  await one.running.stop();
  await one.loop;
  await one.running.stop(); // the loop may have restarted it just before
}

async function firstReady(
  managed: ManagedProcess,
  running: RunningProcess,
  stopping: AbortSignal,
): Promise<string | undefined> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(READY_MS)]);
  const cut = new Promise<never>((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('was not ready in time')), { once: true }),
  );
  try {
    return await Promise.race([readyOrEnded(running, managed.ready(running, signal)), cut]);
  } catch (cause) {
    if (stopping.aborted) return undefined;
    const why =
      cause instanceof DavitError
        ? ` ${cause.message}`
        : cause instanceof Error
          ? ` It ${cause.message}.`
          : '';
    throw new DavitError(
      'local/not-started',
      `${managed.name} did not start.${why} See its log: ${managed.log}`,
      {
        hint: cause instanceof DavitError ? cause.hint : undefined,
        cause,
      },
    );
  }
}
