/**
 * Sends a log's bytes to the store, in order, one append at a time, for as long as it takes. Invariants J2 to J4 of
 * `container-log.ts` are kept here.
 */
import type { LogCheckpoint, LogRef, LogState, LogStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { retryUntilReachable } from './retry.ts';

const CHUNK_BYTES = 64 * 1_024;
const FLUSH_MS = 250;
/** Whoever writes waits while more than this waits to be sent. */
const MAX_WAITING = 1_024 * 1_024;
/** Checkpoints that wait lie at least this part of a chunk apart, so that there are few of them. */
const CHECKPOINTS_A_CHUNK = 4;

export interface AppenderOptions {
  store: LogStore;
  ref: LogRef;
  epoch: number;
  /** Ends retries: the activity is over. */
  signal: AbortSignal;
  /** Tests: smaller than 64 KiB. */
  chunkBytes?: number;
}

export class Appender {
  readonly #options: AppenderOptions;
  readonly #chunkBytes: number;
  #state: LogState;
  #sent: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #checkpoints: LogCheckpoint[] = [];
  #pump: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  /** `offset`: where the first byte goes; bytes below the store's end must be what stands there. */
  constructor(options: AppenderOptions, state: LogState, offset: number) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#state = state;
    this.#sent = offset;
  }

  /** What the store has acknowledged. */
  get state(): LogState {
    return this.#state;
  }
  /** Offset behind the last byte that was put. */
  get end(): number {
    return this.#sent + this.#waitingBytes;
  }

  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#schedule();
  }

  /** A place to go on from; sent with the bytes that reach it. */
  mark(checkpoint: LogCheckpoint): void {
    const before = this.#checkpoints.at(-2);
    const last = this.#checkpoints.at(-1);
    const apart = this.#chunkBytes / CHECKPOINTS_A_CHUNK;
    if (before && last && last.offset - before.offset < apart) this.#checkpoints.pop();
    this.#checkpoints.push(checkpoint);
  }

  /** Waits while the store is behind. Throws what made appending impossible. */
  async drain(): Promise<void> {
    while (this.#waitingBytes > MAX_WAITING && this.#failure === undefined)
      await (this.#pump ?? this.#start());
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Everything that was put is durable. Throws what made appending impossible. */
  async flush(): Promise<void> {
    while ((this.#waitingBytes > 0 || this.#pump) && this.#failure === undefined)
      await (this.#pump ?? this.#start());
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Nothing is sent any more; what waits is forgotten. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#failure ??= new DavitError('log/fenced', 'The log was left to another follower.');
  }

  #schedule(): void {
    if (this.#pump || this.#failure !== undefined || this.#waitingBytes === 0) return;
    if (this.#waitingBytes >= this.#chunkBytes) void this.#start();
    else this.#timer ??= setTimeout(() => void this.#start(), FLUSH_MS);
  }

  /** Never rejects: a failure is kept for whoever writes or flushes next. */
  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump ??= this.#send()
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#pump = undefined;
        this.#schedule();
      });
    return this.#pump;
  }

  async #send(): Promise<void> {
    const { store, ref, epoch, signal } = this.#options;
    const all = Buffer.concat(this.#waiting);
    this.#waiting = [all];
    // A chunk never straddles the end that the store has: it is a repeat, or it is new.
    const known = this.#state.offset - this.#sent;
    const bytes = all.subarray(0, known > 0 ? Math.min(known, this.#chunkBytes) : this.#chunkBytes);
    const offset = this.#sent;
    const reached = offset + bytes.length;
    const checkpoint = this.#checkpoints.findLast((mark) => mark.offset <= reached);
    this.#state = await retryUntilReachable(signal, () =>
      store.append(ref, { epoch, offset, bytes, checkpoint }),
    );
    if (this.#failure !== undefined) return;
    this.#checkpoints = this.#checkpoints.filter((mark) => mark.offset > reached);
    this.#waiting[0] = all.subarray(bytes.length);
    this.#waitingBytes -= bytes.length;
    this.#sent = reached;
  }
}
