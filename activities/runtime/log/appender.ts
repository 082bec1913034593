/**
 * Sends a log's bytes to the store, in order, one append at a time, for as long as it takes. All logs of
 * attempts share this part, including the size limit and the end. Invariants LOG-2 to LOG-4 of
 * `container-log.ts` are kept here.
 */
import type { LogCheckpoint, LogRef, LogState, LogStore } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { crcText, type LogSummary } from '../../../src/plan/model/outcome.ts';
import { retryUntilReachable } from '../retry-policies.ts';
import { ownLine } from '../../../src/plan/model/log-mark.ts';

const CHUNK_BYTES = 64 * 1_024;
const FLUSH_MS = 250;
/** A writer waits while more bytes than this are waiting to be sent. */
const MAX_WAITING = 1_024 * 1_024;
/** Checkpoints are at least this part of a chunk apart, so that only few are waiting. */
const CHECKPOINTS_A_CHUNK = 4;

export interface AppenderOptions {
  store: LogStore;
  ref: LogRef;
  epoch: number;
  /** Ends retries: the activity is over. */
  signal: AbortSignal;
  /**
   * Bytes that the job itself may write. The rest is dropped, and a line in the log reports that. Unlimited
   * if absent.
   */
  capBytes?: number;
  /** Tests: smaller than 64 KiB. */
  chunkBytes?: number;
}

const YELLOW = '\u001b[33;1m';
const PLAIN = '\u001b[0;m';
const encoder = new TextEncoder();
const highlighted = (text: string): string => `${YELLOW}${text}${PLAIN}\n`;
/** A highlighted line of davit in the log. */
export const notice = (text: string): Uint8Array => encoder.encode(ownLine(highlighted(text)));

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
  #capped: boolean;

  /** `offset`: position of the first byte. Bytes below the store's end have to equal those in the store. */
  private constructor(options: AppenderOptions, state: LogState, offset: number) {
    this.#options = options;
    this.#capped = options.capBytes !== undefined && offset > options.capBytes;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#state = state;
    this.#sent = offset;
  }

  /**
   * Raises the epoch at the store: an older dispatch cannot write any more. Begins at the end of the log, or
   * at `startAt`. Rejects with `log/fenced` if a newer dispatch writes.
   */
  static async open(
    options: AppenderOptions,
    startAt: (state: LogState) => number = ({ offset }) => offset,
  ): Promise<Appender> {
    const { store, ref, epoch, signal } = options;
    const state = await retryUntilReachable(signal, () => store.open(ref, epoch));
    return new Appender(options, state, startAt(state));
  }

  /** What the store has acknowledged. */
  get state(): LogState {
    return this.#state;
  }
  /** Offset behind the last byte that was put. */
  get end(): number {
    return this.#sent + this.#waitingBytes;
  }

  /** Output was dropped because of the limit. */
  get capped(): boolean {
    return this.#capped;
  }

  /** Output of the job. The limit counts bytes of the log, so it is always reached at the same byte. */
  putCapped(bytes: Uint8Array): void {
    const { capBytes = Number.POSITIVE_INFINITY } = this.#options;
    if (bytes.length === 0 || this.#capped) return;
    const left = Math.max(capBytes - this.end, 0);
    this.put(bytes.subarray(0, left));
    if (bytes.length <= left) return;
    this.#capped = true;
    this.put(encoder.encode('\n'));
    // Without a mark, because a follower of another version has to make the same bytes again (LOG-2): no checkpoint is behind it.
    const text = `The log has reached its limit of ${capBytes} bytes; the job runs on, its output is dropped.`;
    this.put(encoder.encode(highlighted(text)));
  }

  put(bytes: Uint8Array): void {
    // After a failure nothing more is sent: kept bytes would only fill the memory of a long build.
    if (bytes.length === 0 || this.#failure !== undefined) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#schedule();
  }

  /** A position to resume from; sent with the bytes that reach it. */
  mark(checkpoint: LogCheckpoint): void {
    const before = this.#checkpoints.at(-2);
    const last = this.#checkpoints.at(-1);
    const apart = this.#chunkBytes / CHECKPOINTS_A_CHUNK;
    if (before && last && last.offset - before.offset < apart) this.#checkpoints.pop();
    this.#checkpoints.push(checkpoint);
  }

  /** Waits while the store is behind. Throws the error that made appending impossible. */
  async drain(): Promise<void> {
    while (this.#waitingBytes > MAX_WAITING && this.#failure === undefined)
      await (this.#pump ?? this.#start());
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Everything that was put is durable. Throws the error that made appending impossible. */
  async flush(): Promise<void> {
    while ((this.#waitingBytes > 0 || this.#pump) && this.#failure === undefined)
      await (this.#pump ?? this.#start());
    clearTimeout(this.#timer);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Closes the log; an end that an earlier dispatch has written stays. `complete`: as far as the writer
   * knows.
   */
  async close(complete: boolean): Promise<LogSummary> {
    if (this.#state.ended) return this.#state.ended;
    const { store, ref, epoch, signal } = this.#options;
    const { offset, crc, incomplete } = this.#state;
    const summary = { bytes: offset, crc: crcText(crc), complete: complete && !incomplete && !this.#capped };
    this.#state = await retryUntilReachable(signal, () => store.end(ref, { epoch, summary }));
    return this.#state.ended ?? summary;
  }

  /** Accepts the current content of the store: it differs from what was put, and stays. */
  async refresh(): Promise<void> {
    const { store, ref, epoch, signal } = this.#options;
    this.#state = await retryUntilReachable(signal, () => store.open(ref, epoch));
  }

  /** Sends nothing more and drops the waiting bytes. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#failure ??= new DavitError('log/fenced', 'The log belongs to another follower now.');
  }

  #schedule(): void {
    if (this.#pump || this.#failure !== undefined || this.#waitingBytes === 0) return;
    if (this.#waitingBytes >= this.#chunkBytes) void this.#start();
    else this.#timer ??= setTimeout(() => void this.#start(), FLUSH_MS);
  }

  /** Never rejects: a failure is kept for the next write or flush. */
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
    // A chunk never spans the end of the stored log: it is either a repeat or new.
    const known = this.#state.offset - this.#sent;
    const bytes = this.#first(known > 0 ? Math.min(known, this.#chunkBytes) : this.#chunkBytes);
    const offset = this.#sent;
    const reached = offset + bytes.length;
    const checkpoint = this.#checkpoints.findLast((mark) => mark.offset <= reached);
    this.#state = await retryUntilReachable(signal, () =>
      store.append(ref, { epoch, offset, bytes, checkpoint }),
    );
    if (this.#failure !== undefined) return;
    this.#checkpoints = this.#checkpoints.filter((mark) => mark.offset > reached);
    this.#dropFirst(bytes.length);
    this.#sent = reached;
  }

  /** The first waiting bytes, at most `max`. */
  #first(max: number): Buffer {
    const pieces: Uint8Array[] = [];
    let left = max;
    for (const piece of this.#waiting) {
      if (left === 0) break;
      pieces.push(piece.subarray(0, left));
      left -= Math.min(piece.length, left);
    }
    return Buffer.concat(pieces);
  }

  #dropFirst(count: number): void {
    this.#waitingBytes -= count;
    let left = count;
    for (let piece = this.#waiting[0]; piece !== undefined && left > 0; piece = this.#waiting[0]) {
      if (piece.length > left) this.#waiting[0] = piece.subarray(left);
      else this.#waiting.shift();
      left -= Math.min(piece.length, left);
    }
  }
}
