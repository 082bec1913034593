/**
 * The log of a job that has no container: build output and davit's own lines, masked, in order, appended to the log store in chunks.
 * Not its role: following an engine's log (job/). A later epoch of the same attempt goes on below what stands there.
 */
import { crc32 } from 'node:zlib';
import type { LogStore } from '../../src/adapters/ports.ts';
import { Masker, type Automaton } from '../../src/masking/index.ts';
import type { AttemptRef } from '../../src/plan/ids.ts';
import type { LogSummary } from '../../src/plan/outcome.ts';

const FLUSH_BYTES = 64 * 1024;
const FLUSH_MS = 300;

export interface ShipLog {
  /** Takes any text; never throws. What cannot be written shows at the next `flush` or `end`. */
  write(text: string): void;
  line(text: string): void;
  flush(): Promise<void>;
  end(): Promise<LogSummary>;
}
export interface ShipLogOptions {
  automaton?: Automaton;
  /** Bytes after which the rest of the output is left out, with a line that says so. */
  maxBytes: number;
}

export async function openShipLog(
  logs: LogStore,
  ref: AttemptRef,
  options: ShipLogOptions,
): Promise<ShipLog> {
  const state = await logs.open(ref, ref.epoch);
  const masker = new Masker(options.automaton);
  const encoder = new TextEncoder();
  let { offset, crc } = state;
  let room = options.maxBytes - offset;
  let waiting: Uint8Array[] = [];
  let size = 0;
  let timer: NodeJS.Timeout | undefined;
  let broken: unknown;
  let chain: Promise<void> = Promise.resolve();

  const append = async (bytes: Uint8Array): Promise<void> => {
    if (broken !== undefined || bytes.length === 0) return;
    try {
      await logs.append(ref, { epoch: ref.epoch, offset, bytes });
      offset += bytes.length;
      crc = crc32(bytes, crc);
    } catch (error) {
      // Kept for flush() and end(), which reject with it: write() is called from stream handlers that cannot wait.
      broken = error;
    }
  };
  const send = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const bytes = Buffer.concat(waiting);
    waiting = [];
    size = 0;
    chain = chain.then(() => append(bytes));
  };
  const take = (bytes: Uint8Array): void => {
    if (bytes.length === 0 || room <= 0) return;
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
    waiting.push(kept);
    room -= bytes.length;
    if (room <= 0)
      waiting.push(encoder.encode(`\n[davit] the log has reached its limit of ${options.maxBytes} bytes\n`));
    size += kept.length;
    if (size >= FLUSH_BYTES) send();
    else timer ??= setTimeout(send, FLUSH_MS);
  };
  const flush = async (): Promise<void> => {
    send();
    await chain;
    if (broken !== undefined) throw broken;
  };
  return {
    write: (text) => take(masker.push(encoder.encode(text))),
    line: (text) => take(masker.push(encoder.encode(`${text}\n`))),
    flush,
    async end() {
      if (state.ended) return state.ended;
      take(masker.flush());
      await flush();
      const summary: LogSummary = {
        bytes: offset,
        crc: (crc >>> 0).toString(16).padStart(8, '0'),
        complete: !state.incomplete && room > 0,
      };
      await logs.end(ref, { epoch: ref.epoch, summary });
      return summary;
    },
  };
}
