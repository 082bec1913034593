/**
 * Splits an engine's log stream into records: bytes in any chunks to whole records, each with its stream, its
 * time and its bytes. It does not mask, decode text or join lines. Format: Engine API, "Attach to a
 * container", stream format: frames with a header of 8 bytes ([stream, 0, 0, 0, length as big-endian uint32])
 * and payload; with `timestamps` each payload starts with a time and one space, and one payload is one record
 * of the json-file log, at most 16 KiB of output.
 *   DEMUX-1 Linear: every byte is read once and copied at most once, whatever the chunks are.
 *   DEMUX-2 Bounded: at most one frame is held; a frame over MAX_FRAME is an error.
 *   DEMUX-3 The records do not depend on how the stream was cut.
 */
import { DavitError } from '../../errors.ts';
import type { LogRecord } from '../ports.ts';

/** Engines cut records at 16 KiB; longer records of other log drivers are accepted up to this size. */
export const MAX_FRAME = 4 * 1024 * 1024;
const HEAD = 8;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

const broken = (why: string): DavitError =>
  new DavitError('engine/failed', `The engine's log stream cannot be read: ${why}.`);

export class LogDemuxer {
  readonly #head = Buffer.alloc(HEAD);
  #headBytes = 0;
  #parts: Buffer[] = [];
  #missing = 0;

  /** Complete records so far, in order. Throws `engine/failed` if the stream is not a log. */
  push(chunk: Buffer): LogRecord[] {
    const records: LogRecord[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#headBytes < HEAD) {
        at += this.#takeHead(chunk, at);
        if (this.#headBytes < HEAD || this.#missing > 0) continue;
      } else {
        const part = chunk.subarray(at, at + this.#missing);
        this.#parts.push(part);
        this.#missing -= part.length;
        at += part.length;
        if (this.#missing > 0) continue;
      }
      const record = this.#finish();
      if (record) records.push(record);
    }
    return records;
  }

  /** True between frames: where a stream may end. */
  get whole(): boolean {
    return this.#headBytes === 0;
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = Math.min(HEAD - this.#headBytes, chunk.length - at);
    chunk.copy(this.#head, this.#headBytes, at, at + taken);
    this.#headBytes += taken;
    if (this.#headBytes < HEAD) return taken;
    const stream = this.#head[0] ?? 255;
    if (stream > 2 || this.#head[1] !== 0 || this.#head[2] !== 0 || this.#head[3] !== 0)
      throw broken('a frame has an invalid header (does the container run with a terminal?)');
    this.#missing = this.#head.readUInt32BE(4);
    if (this.#missing > MAX_FRAME) throw broken(`a frame claims ${this.#missing} bytes`);
    return taken;
  }

  #finish(): LogRecord | undefined {
    const stream = this.#head[0] === 2 ? 'stderr' : 'stdout';
    const payload =
      this.#parts.length === 1 ? (this.#parts[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#headBytes = 0;
    if (payload.length === 0) return undefined;
    const space = payload.subarray(0, 40).indexOf(0x20);
    const time = payload.toString('latin1', 0, Math.max(space, 0));
    if (!TIME.test(time)) throw broken('a record has no timestamp');
    return { stream, time, bytes: payload.subarray(space + 1) };
  }
}

/**
 * RFC 3339 to the engine's `since`: seconds and nanoseconds since 1970, exact. Throws `engine/failed` for
 * another text.
 */
export function sinceParameter(time: string): string {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const seconds = found ? Date.parse(`${found[1]}${found[3]}`) / 1000 : Number.NaN;
  if (!found || Number.isNaN(seconds)) throw broken(`"${time.slice(0, 40)}" is not a timestamp`);
  return `${seconds}.${(found[2] ?? '').padEnd(9, '0')}`;
}

/** For Podman, which omits the records at exactly `since`. */
export function justBefore(time: string): string {
  const [seconds = '', fraction = ''] = sinceParameter(time).split('.');
  const before = BigInt(seconds) * 1_000_000_000n + BigInt(fraction) - 1n;
  return `${before / 1_000_000_000n}.${String(before % 1_000_000_000n).padStart(9, '0')}`;
}
