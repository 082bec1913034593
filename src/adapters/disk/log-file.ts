/**
 * One append-only log on disk: `X.log` holds only the bytes, `X.state` two slots with what was acknowledged.
 * Not its role: the order of calls (`logs.ts` locks) and who may write (epochs are checked here, tokens
 * elsewhere). Invariants:
 *  LOGFILE-1 An operation returns only after bytes and slot are on the disk, the bytes first.
 *  LOGFILE-2 Slots are written in turn, so the last acknowledged one is never overwritten by the next, and a
 *            torn one was never acknowledged. The newest whole slot is the state; bytes behind its length
 *            were never acknowledged and are cut off.
 *  LOGFILE-3 After a disk error nothing in memory is trusted: the file is closed and read again (a failed
 *            fsync may have dropped what was written).
 *  LOGFILE-4 A slot holds the CRC of all bytes before it. If the bytes differ, they were changed from outside
 *            (LOGFILE-1 leaves no other way): what exists is kept and the log is marked `incomplete`, never
 *            silently.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { DavitError } from '../../errors.ts';
import { crcText, type LogSummary } from '../../plan/model/outcome.ts';
import type { LogCheckpoint, LogChunk, LogState } from '../ports.ts';
import { FILE_MODE, makeDir, syncDir, systemCode } from './files.ts';
import { decodeSlots, encodeSlot, SLOT_BYTES, type Slot } from './log-slots.ts';

const READ_BYTES = 1_024 * 1_024;
const FRESH: LogState = { offset: 0, crc: 0, epoch: 0, incomplete: false };

export class LogFile {
  readonly #data: FileHandle;
  readonly #slots: FileHandle;
  #slot: Slot;

  private constructor(data: FileHandle, slots: FileHandle, slot: Slot) {
    this.#data = data;
    this.#slots = slots;
    this.#slot = slot;
  }

  /** `base` is the path without its ending. Undefined if the log does not exist and is not to be created. */
  static async open(base: string, make: boolean): Promise<LogFile | undefined> {
    const slots = await openFile(`${base}.state`, make);
    if (!slots) return undefined;
    let data: FileHandle | undefined;
    try {
      data = await openFile(`${base}.log`, true);
      if (!data) throw new DavitError('store/failed', 'Cannot create a file of the log store.');
      const [found] = await Promise.all([readAt(slots, 0, 2 * SLOT_BYTES), syncDir(dirname(base))]);
      return new LogFile(data, slots, await recover(data, decodeSlots(found)));
    } catch (error) {
      await slots.close();
      await data?.close();
      throw error;
    }
  }

  get state(): LogState {
    return this.#slot.state;
  }

  async raise(epoch: number): Promise<LogState> {
    this.#fence(epoch);
    if (epoch > this.state.epoch) await this.#commit({ ...this.state, epoch });
    return this.state;
  }

  /** With `end`, bytes and end are durable together. */
  async append(chunk: LogChunk): Promise<LogState> {
    this.#fence(chunk.epoch);
    const { state } = this;
    if (chunk.offset > state.offset)
      throw new DavitError(
        'log/offset',
        `The log ends at ${state.offset}, but the bytes are for ${chunk.offset}.`,
      );
    const known = Math.min(state.offset - chunk.offset, chunk.bytes.length);
    if (known > 0 && !(await this.#holds(chunk.offset, chunk.bytes.subarray(0, known))))
      throw new DavitError('log/offset', `The log has other bytes at ${chunk.offset}.`);
    const fresh = chunk.bytes.subarray(known);
    if (fresh.length > 0 && state.ended)
      throw new DavitError('log/fenced', 'The log has ended; nothing can be appended.');
    const offset = state.offset + fresh.length;
    const checkpoint = newer(state.checkpoint, chunk.checkpoint, offset);
    const ends = chunk.end !== undefined && state.ended === undefined;
    if (fresh.length === 0 && checkpoint === state.checkpoint && !ends) return this.raise(chunk.epoch);
    await writeAt(this.#data, state.offset, fresh);
    await this.#data.datasync();
    const crc = crc32(fresh, state.crc);
    const next: LogState = { ...state, offset, crc, epoch: chunk.epoch, checkpoint };
    await this.#commit(ends ? ended(next, chunk.end?.complete === true) : next);
    return this.state;
  }

  /** The first end is final; a repeat returns it. */
  async end(epoch: number, summary: LogSummary): Promise<LogState> {
    this.#fence(epoch);
    const { state } = this;
    if (state.ended) return state;
    if (summary.bytes !== state.offset || Number.parseInt(summary.crc, 16) !== state.crc)
      throw new DavitError('log/offset', 'The log has other bytes than its writer counted.');
    await this.#commit({
      ...state,
      epoch,
      ended: summary,
      incomplete: state.incomplete || !summary.complete,
    });
    return this.state;
  }

  /** At most `limit` acknowledged bytes from `offset`. */
  read(offset: number, limit: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(limit, this.state.offset - offset));
    return readAt(this.#data, offset, length);
  }

  async close(): Promise<void> {
    await Promise.all([this.#data.close(), this.#slots.close()]);
  }

  #fence(epoch: number): void {
    if (epoch < this.state.epoch)
      throw new DavitError(
        'log/fenced',
        `Epoch ${epoch} no longer writes this log; epoch ${this.state.epoch} does.`,
      );
  }

  async #holds(offset: number, bytes: Uint8Array): Promise<boolean> {
    return (await readAt(this.#data, offset, bytes.length)).equals(bytes);
  }

  async #commit(state: LogState): Promise<void> {
    const slot: Slot = { seq: this.#slot.seq + 1, state };
    await writeAt(this.#slots, (slot.seq % 2) * SLOT_BYTES, encodeSlot(slot));
    await this.#slots.datasync();
    this.#slot = slot;
  }
}

const ended = (state: LogState, complete: boolean): LogState => {
  const summary = { bytes: state.offset, crc: crcText(state.crc), complete: complete && !state.incomplete };
  return { ...state, ended: summary, incomplete: !summary.complete };
};

/** The checkpoint that is further on; one behind the end would be unusable. */
function newer(
  old: LogCheckpoint | undefined,
  given: LogCheckpoint | undefined,
  end: number,
): LogCheckpoint | undefined {
  if (!given) return old;
  if (given.offset > end)
    throw new DavitError('usage/invalid', `A checkpoint at ${given.offset} is behind the log's end, ${end}.`);
  return old && old.offset >= given.offset ? old : given;
}

/** LOGFILE-2 and LOGFILE-4. `slots`: the whole ones. */
async function recover(data: FileHandle, slots: Slot[]): Promise<Slot> {
  const { size } = await data.stat();
  const newest = slots.toSorted((a, b) => b.seq - a.seq)[0] ?? { seq: 0, state: FRESH };
  const { offset, crc } = newest.state;
  if (offset <= size && (await crcTo(data, offset)) === crc) {
    if (size > offset) await data.truncate(offset);
    return newest;
  }
  const state = { ...newest.state, offset: size, crc: await crcTo(data, size), incomplete: true };
  return { seq: newest.seq, state: { ...state, checkpoint: undefined, ended: undefined } };
}

async function crcTo(data: FileHandle, end: number): Promise<number> {
  let crc = 0;
  for (let at = 0; at < end; at += READ_BYTES)
    crc = crc32(await readAt(data, at, Math.min(READ_BYTES, end - at)), crc);
  return crc;
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

async function writeAt(handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length)
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
}

async function openFile(path: string, make: boolean): Promise<FileHandle | undefined> {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | (make ? constants.O_CREAT : 0);
  if (make) await makeDir(dirname(path));
  try {
    return await open(path, flags, FILE_MODE);
  } catch (error) {
    if (!make && systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
