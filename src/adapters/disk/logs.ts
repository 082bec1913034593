/**
 * The log store of one server: files under one folder, one operation per log at a time, changes published to
 * followers.
 */
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { parsePipelineId } from '../../plan/model/ids.ts';
import type { FollowedLogs, LogRef, LogState } from '../ports.ts';
import { diskError, KeyedLock } from './files.ts';
import { LogFile } from './log-file.ts';
import { sha256 } from '../../utils/sha256.ts';

const MAX_OPEN = 128;
const MAX_READ = 4 * 1_024 * 1_024;

export function diskLogs(folder: string): FollowedLogs & { close(): Promise<void> } {
  const store = new DiskLogs(folder);
  return {
    open: (ref, epoch) => store.change(ref, true, (file) => file.raise(checked(epoch))),
    append: (ref, chunk) =>
      store.change(ref, false, (file) => {
        checked(chunk.epoch, chunk.offset);
        return file.append(chunk);
      }),
    end: (ref, { epoch, summary }) => store.change(ref, false, (file) => file.end(checked(epoch), summary)),
    state: (ref) => store.use(ref, false, async (file) => file?.state),
    read: (ref, offset, limit) => {
      checked(offset, limit);
      return store.use(ref, false, async (file) => {
        if (!file) throw new DavitError('not-found', `${ref.job} has no log of attempt ${ref.attempt}.`);
        return { bytes: await file.read(offset, Math.min(limit, MAX_READ)), state: file.state };
      });
    },
    watch: (ref, listener) => store.watch(ref, listener),
    close: () => store.close(),
  };
}

class DiskLogs {
  readonly #folder: string;
  readonly #lock = new KeyedLock();
  /** In order of last use. */
  readonly #open = new Map<string, LogFile>();
  readonly #changes = new EventEmitter().setMaxListeners(0);

  constructor(folder: string) {
    this.#folder = folder;
  }

  watch(ref: LogRef, listener: (state: LogState) => void): () => void {
    const base = baseOf(this.#folder, ref);
    this.#changes.on(base, listener);
    return () => void this.#changes.off(base, listener);
  }

  async change(ref: LogRef, make: boolean, work: (file: LogFile) => Promise<LogState>): Promise<LogState> {
    const state = await this.use(ref, make, async (file) => {
      if (!file) throw new DavitError('log/offset', 'This log was never opened.');
      return work(file);
    });
    this.#changes.emit(baseOf(this.#folder, ref), state);
    return state;
  }

  use<T>(ref: LogRef, make: boolean, work: (file: LogFile | undefined) => Promise<T>): Promise<T> {
    const base = baseOf(this.#folder, ref);
    return this.#lock.run(base, async () => {
      try {
        const file = this.#open.get(base) ?? (await LogFile.open(base, make));
        if (file) this.#keep(base, file);
        return await work(file);
      } catch (error) {
        // A refusal by the log itself leaves it as it is; after a disk error it is read again.
        if (!(error instanceof DavitError)) await this.#drop(base);
        throw diskError(error, 'logs');
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((base) => this.#lock.run(base, () => this.#drop(base))));
  }

  #keep(base: string, file: LogFile): void {
    this.#open.delete(base);
    this.#open.set(base, file);
    if (this.#open.size <= MAX_OPEN) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) void this.#lock.run(oldest, () => this.#drop(oldest));
  }

  async #drop(base: string): Promise<void> {
    const file = this.#open.get(base);
    this.#open.delete(base);
    try {
      await file?.close();
    } catch {
      // Nothing depends on the close: everything acknowledged is durable without it.
    }
  }
}

function checked(...counts: number[]): number {
  if (counts.some((one) => !Number.isSafeInteger(one) || one < 0))
    throw new DavitError('usage/invalid', 'Epochs, offsets and lengths must be whole numbers.');
  return counts[0] ?? 0;
}

/** A path consists of validated parts and a hash only. */
function baseOf(folder: string, ref: LogRef): string {
  const id = parsePipelineId(ref.pipeline);
  if (!id || !Number.isSafeInteger(ref.attempt) || ref.attempt < 1)
    throw new DavitError('usage/invalid', 'A log is named by pipeline SLUG/IID, job and attempt.');
  const job = sha256(ref.job).slice(0, 32);
  return join(folder, id.slug, String(id.iid), `${job}-${ref.attempt}`);
}
