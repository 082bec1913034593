/**
 * The log of a job that has no container: build output and davit's own lines, masked, in order, appended to the log store in chunks.
 * Not its role: following an engine's log (job/). A later epoch of the same attempt goes on below what stands there. A store
 * that is away is waited for until the activity is told to end: what was built or deployed is not lost for its log.
 */
import { crc32 } from 'node:zlib';
import { Context } from '@temporalio/activity';
import type { LogState, LogStore } from '../../src/adapters/ports.ts';
import { Masker, type Automaton } from '../../src/masking/index.ts';
import type { AttemptRef } from '../../src/plan/model/ids.ts';
import { crcText, type LogSummary } from '../../src/plan/model/outcome.ts';
import { retryUntilReachable } from './retry.ts';

const FLUSH_BYTES = 64 * 1024;
const FLUSH_MS = 300;

export interface AttemptLogOptions {
  automaton?: Automaton;
  /** Bytes after which the rest of the output is left out, with a line that says so. */
  maxBytes: number;
}

const encoder = new TextEncoder();

/** Raises the epoch at the store. Rejects with `log/fenced` when a newer one writes. */
export async function openAttemptLog(
  store: LogStore,
  ref: AttemptRef,
  options: AttemptLogOptions,
): Promise<AttemptLog> {
  const { cancellationSignal: signal } = Context.current();
  const state = await retryUntilReachable(signal, () => store.open(ref, ref.epoch));
  return new AttemptLog({ store, ref, signal, state, ...options });
}

interface Parts extends AttemptLogOptions {
  store: LogStore;
  ref: AttemptRef;
  signal: AbortSignal;
  state: LogState;
}

export class AttemptLog {
  readonly #parts: Parts;
  readonly #masker: Masker;
  #offset: number;
  #crc: number;
  #room: number;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #broken: unknown;
  #chain: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#masker = new Masker(parts.automaton);
    this.#offset = parts.state.offset;
    this.#crc = parts.state.crc;
    this.#room = parts.maxBytes - parts.state.offset;
  }

  /** Takes any text; never throws. What cannot be written shows at the next `flush` or `end`. */
  write(text: string): void {
    this.#take(this.#masker.push(encoder.encode(text)));
  }
  line(text: string): void {
    this.write(`${text}\n`);
  }

  async flush(): Promise<void> {
    this.#send();
    await this.#chain;
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Closes the log; one that a former epoch has closed stays as it is. */
  async end(): Promise<LogSummary> {
    const { state, store, ref, signal } = this.#parts;
    if (state.ended) return state.ended;
    this.#take(this.#masker.flush());
    await this.flush();
    const summary: LogSummary = {
      bytes: this.#offset,
      crc: crcText(this.#crc),
      complete: !state.incomplete && this.#room > 0,
    };
    await retryUntilReachable(signal, () => store.end(ref, { epoch: ref.epoch, summary }));
    return summary;
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#room <= 0 || this.#parts.state.ended) return;
    const kept = bytes.length > this.#room ? bytes.subarray(0, this.#room) : bytes;
    this.#waiting.push(kept);
    this.#size += kept.length;
    this.#room -= bytes.length;
    if (this.#room <= 0)
      this.#waiting.push(
        encoder.encode(`\n[davit] the log has reached its limit of ${this.#parts.maxBytes} bytes\n`),
      );
    if (this.#size >= FLUSH_BYTES) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), FLUSH_MS);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#size = 0;
    this.#chain = this.#chain.then(() => this.#append(bytes));
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#broken !== undefined || bytes.length === 0) return;
    const { store, ref, signal } = this.#parts;
    const chunk = { epoch: ref.epoch, offset: this.#offset, bytes };
    try {
      await retryUntilReachable(signal, () => store.append(ref, chunk));
      this.#offset += bytes.length;
      this.#crc = crc32(bytes, this.#crc);
    } catch (error) {
      // Kept for flush() and end(), which reject with it: write() is called from stream handlers that cannot wait.
      this.#broken = error;
    }
  }
}
