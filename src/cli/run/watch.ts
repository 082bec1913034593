/**
 * Follows a pipeline to its end: prints logs of its jobs as they come, and what it waits for; returns its
 * last status.
 *
 * Invariants:
 * WATCH-1 Each byte of each log is shown once, also after a lost connection.
 * WATCH-2 It ends only when the pipeline has ended and every log is complete, or when it is aborted.
 * WATCH-3 No text of a job reaches the terminal unfiltered.
 */
import type { PipelineId } from '../../plan/model/ids.ts';
import type { JobStatus, PipelineStatus } from '../../plan/model/protocol.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { Cli } from '../cli.ts';
import { followLog } from '../client/log-follower.ts';
import { followStatus } from '../client/status-follower.ts';
import { waitingText } from '../../plan/policy/waiting-text.ts';
import { JobPrinter, Prefixes } from './printer.ts';
import { messageOf } from '../../utils/message.ts';

/** Logs that are followed at the same time; the others wait for a free slot. */
const MAX_FOLLOWED = 40;

export interface WatchOptions {
  client: ApiClient;
  id: PipelineId;
  /** Stops watching; the pipeline continues. */
  signal: AbortSignal;
  /** Writes log text. */
  write(text: string): void;
  color: boolean;
  /** Called after every change. */
  onStatus?(status: PipelineStatus): void;
}

/**
 * Resolves with the last status; undefined if aborted by the signal. Rejects with a final error of the
 * server.
 */
export async function watchPipeline(cli: Cli, options: WatchOptions): Promise<PipelineStatus | undefined> {
  const watch = new Watch(cli, options);
  return watch.run();
}

class Watch {
  readonly #cli: Cli;
  readonly #options: WatchOptions;
  readonly #prefixes: Prefixes;
  readonly #seen = new Set<string>();
  readonly #following = new Set<Promise<void>>();
  readonly #queue: JobStatus[] = [];
  readonly #waits = new Map<string, string>();

  constructor(cli: Cli, options: WatchOptions) {
    this.#cli = cli;
    this.#options = options;
    this.#prefixes = new Prefixes(options.color);
  }

  async run(): Promise<PipelineStatus | undefined> {
    const { client, id, signal } = this.#options;
    const last = await followStatus(client, {
      id,
      signal,
      onStatus: (status) => this.#take(status),
      tell: (line) => this.#cli.io.err(`${line}\n`),
    });
    while (this.#following.size > 0) await Promise.race(this.#following);
    return this.#options.signal.aborted ? undefined : last;
  }

  #take(status: PipelineStatus): void {
    this.#prefixes.learn(status.jobs.map((job) => job.key));
    for (const job of status.jobs) {
      this.#reportWait(status.id, job);
      const name = `${job.key}/${job.attempt}`;
      if (!hasLog(job) || this.#seen.has(name)) continue;
      this.#seen.add(name);
      this.#queue.push(job);
    }
    this.#fill();
    // Last, so that a question to a person appears below these lines.
    this.#options.onStatus?.(status);
  }

  /** Reports waits that may be long: for a person, a lock or a machine. */
  #reportWait(id: PipelineId, job: JobStatus): void {
    const kind = job.waitingFor?.split(':')[0] ?? '';
    const isLong = job.phase === 'gate' || job.phase === 'manual' || kind === 'queue' || kind === 'lock';
    const text = isLong ? (waitingText(id, job) ?? '') : '';
    if ((this.#waits.get(job.key) ?? '') === text) return;
    this.#waits.set(job.key, text);
    if (text) this.#options.write(`${this.#prefixes.of(job.key)} ${text}\n`);
  }

  #fill(): void {
    while (this.#following.size < MAX_FOLLOWED) {
      const job = this.#queue.shift();
      if (!job) return;
      const work: Promise<void> = this.#follow(job).finally(() => {
        this.#following.delete(work);
        this.#fill();
      });
      this.#following.add(work);
    }
  }

  async #follow(job: JobStatus): Promise<void> {
    const { client, id, signal, write, color } = this.#options;
    const prefix = this.#prefixes.of(job.key);
    const printer = new JobPrinter({ prefix, color, write });
    const place = { job: job.key, attempt: job.attempt };
    try {
      const end = await followLog(client, { id, place, signal, onText: (text) => printer.push(text) });
      printer.end();
      if (end && !end.complete && end.bytes > 0) write(`${prefix} (this log is incomplete)\n`);
    } catch (error) {
      // A log that cannot be shown does not end the watch; the exit code does not depend on it.
      write(`${prefix} (cannot show the log: ${messageOf(error)})\n`);
    }
  }
}

/** True once this attempt has, or will have, a log. */
const hasLog = (job: JobStatus): boolean =>
  job.attempt >= 1 &&
  (job.phase === 'dispatched' ||
    job.phase === 'running' ||
    job.phase === 'stopping' ||
    (job.phase === 'ended' && job.result?.log !== undefined));
