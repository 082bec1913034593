/**
 * The workers as they report themselves, and what the server tells them. In memory but for the book: workers report every few
 * seconds, so the fleet is complete again soon after a restart.
 */
import type { Fleet } from '../../adapters/ports.ts';
import { DavitError, ERRORS } from '../../errors.ts';
import { nameOf, type FleetAnswer, type SeenWorker } from '../../plan/model/fleet.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import { readIdentity } from '../../plan/model/worker-identity.ts';
import type { FleetBook } from './fleet-book.ts';
import { HostIds } from './host-ids.ts';

const LIVE_MS = 60_000;
const MAX_WORKERS = 10_000;

export type Reported = Parameters<Fleet['report']>[0];
interface Entry {
  worker: WorkerReport;
  name: string;
}

export class WorkerFleet implements Fleet {
  readonly #book: FleetBook;
  readonly #now: () => number;
  readonly #ids: HostIds;
  readonly #entries = new Map<string, Entry>();
  #checksSince: number | undefined;

  constructor(book: FleetBook, now: () => number = Date.now) {
    this.#book = book;
    this.#now = now;
    this.#ids = new HostIds(book, now);
  }

  /** `token`: the name of the one that the worker has shown. */
  async report({ marks, ...said }: Reported, token?: string): Promise<FleetAnswer> {
    if (this.#entries.size >= MAX_WORKERS) this.#forget();
    const worker: WorkerReport = { ...said, ...(token !== undefined && { token }), seenAt: this.#now() };
    const name = nameOf(worker);
    const draining = this.#book.drainedSince(name) !== undefined;
    const verdict = worker.failed ? {} : await this.#ids.answer({ ...worker, marks });
    const failed = verdict.refused
      ? {
          failed: {
            code: 'worker/twin',
            message: verdict.refused.message,
            hint: ERRORS['worker/twin'].remedy,
          },
        }
      : {};
    // One that is refused, or waits for the word of another, replaces nobody.
    if (!verdict.refused && !verdict.undecided) this.#replace(worker);
    this.#entries.set(worker.id, { name, worker: { ...worker, ...failed, ...(draining && { draining }) } });
    await this.#book.see(seenOf(worker, name));
    return {
      ...verdict,
      ...(draining && { draining }),
      ...(this.#checksSince !== undefined && { checksSince: this.#checksSince }),
    };
  }

  /** The worker has ended. */
  async leave(id: string): Promise<void> {
    this.#remove(id);
    await this.#book.flush();
  }

  /** Those of jobs and targets that could start, wherever their engines are. */
  async live(): Promise<WorkerReport[]> {
    return this.all().filter((worker) => !worker.failed && !worker.control);
  }

  /** With those that could not start. */
  all(): WorkerReport[] {
    this.#forget();
    return [...this.#entries.values()].map(({ worker }) => worker).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Machines that are known and have no worker now. */
  gone(): SeenWorker[] {
    this.#forget();
    const live = new Set([...this.#entries.values()].map(({ name }) => name));
    return this.#book.seen().filter(({ name }) => !live.has(name));
  }

  isDrained = (name: string): boolean => this.#book.drainedSince(name) !== undefined;

  /** `by`: who says so; undefined: it takes jobs again. */
  async drain(name: string, by: string | undefined): Promise<void> {
    await this.#book.drain(name, by);
    for (const [id, { worker, ...entry }] of this.#entries)
      if (entry.name === name)
        this.#entries.set(id, { ...entry, worker: { ...worker, draining: by !== undefined } });
  }

  /** Rejects with `worker/busy` while its workers run jobs, unless it is forced. */
  async remove(name: string, force: boolean): Promise<void> {
    const own = [...this.#entries].filter(([, entry]) => entry.name === name);
    const running = own.flatMap(([, { worker }]) => worker.running ?? []);
    if (running.length > 0 && !force)
      throw new DavitError(
        'worker/busy',
        `${name} runs ${running.map(({ pipeline, job }) => `${job} of ${pipeline}`).join(', ')}.`,
      );
    for (const [id] of own) this.#remove(id);
    await this.#book.forget(name);
  }

  /** Workers make their checks again, and report them. Returns the time since when they count as new. */
  askForChecks(): number {
    this.#checksSince = this.#now();
    return this.#checksSince;
  }

  close = (): Promise<void> => this.#book.flush();

  /** The entry of a former process of the same worker: it was killed, or could not start. */
  #replace(worker: WorkerReport): void {
    const own = readIdentity(worker.id);
    if (!own || worker.failed) return;
    for (const [id, { worker: other }] of this.#entries) {
      const former = id === worker.id ? undefined : readIdentity(id);
      if (!former || former.hostName !== own.hostName || former.arches.join() !== own.arches.join()) continue;
      const couldNotStart = other.failed !== undefined && other.hostName === worker.engine?.address;
      const isOlder =
        other.engine?.address === worker.engine?.address &&
        other.hostId === worker.hostId &&
        (other.startedAt ?? 0) < (worker.startedAt ?? 0);
      if (couldNotStart || isOlder) this.#remove(id);
    }
  }

  #remove(id: string): void {
    this.#entries.delete(id);
    this.#ids.forget(id);
  }

  #forget(): void {
    for (const [id, { worker }] of this.#entries) if (this.#now() - worker.seenAt > LIVE_MS) this.#remove(id);
  }
}

const seenOf = (worker: WorkerReport, name: string): SeenWorker => ({
  name,
  hostName: worker.hostName,
  arches: worker.arches,
  tags: worker.tags,
  targets: worker.targets,
  version: worker.version,
  seenAt: worker.seenAt,
});
