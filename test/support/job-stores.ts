/** Stores in memory that fulfil the ports, with switches for outages, for tests of whole jobs. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type {
  BlobStore,
  LogChunk,
  LogRef,
  LogState,
  LogStore,
  RecordStore,
  Registries,
  Secrets,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import { crcText } from '../../src/plan/model/outcome.ts';
import { sha256 } from '../../src/utils/sha256.ts';

export class MemoryBlobs implements BlobStore {
  readonly blobs = new Map<string, Uint8Array>();

  async putBytes(bytes: Uint8Array): Promise<Digest> {
    const digest: Digest = `sha256:${sha256(bytes)}`;
    this.blobs.set(digest, bytes);
    return digest;
  }
  async putStream(stream: Readable): Promise<{ digest: Digest; bytes: number }> {
    const bytes = await buffer(stream);
    return { digest: await this.putBytes(bytes), bytes: bytes.length };
  }
  async getBytes(digest: Digest): Promise<Uint8Array> {
    const bytes = this.blobs.get(digest);
    if (!bytes) throw new DavitError('blob/missing', `There is no blob ${digest}.`);
    return bytes;
  }
  async getStream(digest: Digest): Promise<Readable> {
    return Readable.from([await this.getBytes(digest)]);
  }
  async has(digest: Digest): Promise<boolean> {
    return this.blobs.has(digest);
  }
}

export class MemoryRecords implements RecordStore {
  readonly records = new Map<string, string>();

  async putIfAbsent<T>(name: string, value: T): Promise<{ created: boolean; value: T }> {
    const there = await this.get<T>(name);
    if (there !== undefined) return { created: false, value: there };
    await this.put(name, value);
    return { created: true, value };
  }
  async put<T>(name: string, value: T): Promise<void> {
    this.records.set(name, JSON.stringify(value));
  }
  async get<T>(name: string): Promise<T | undefined> {
    const text = this.records.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }
  async list(prefix: string, limit: number): Promise<string[]> {
    return [...this.records.keys()].filter((name) => name.startsWith(prefix)).slice(0, limit);
  }
  allocate(): Promise<number> {
    return Promise.reject(new Error('not used by jobs'));
  }
}

interface MemoryLog {
  bytes: Buffer;
  state: LogState;
}

export class MemoryLogs implements LogStore {
  readonly logs = new Map<string, MemoryLog>();
  /** Number of calls that fail before the store works again. */
  outages = 0;
  /** Called after each append that was acknowledged: a test may crash the follower there. */
  onAppend: (state: LogState) => void = () => undefined;

  async open(ref: LogRef, epoch: number): Promise<LogState> {
    const log = this.#log(ref);
    if (epoch < log.state.epoch) throw fenced();
    log.state = { ...log.state, epoch };
    return log.state;
  }
  async append(ref: LogRef, chunk: LogChunk): Promise<LogState> {
    const log = this.#log(ref);
    if (chunk.epoch < log.state.epoch) throw fenced();
    if (chunk.offset > log.bytes.length) throw new DavitError('log/offset', 'A gap.');
    const there = log.bytes.subarray(chunk.offset, chunk.offset + chunk.bytes.length);
    const repeat = Buffer.compare(there, Buffer.from(chunk.bytes.subarray(0, there.length))) === 0;
    if (!repeat) throw new DavitError('log/offset', 'Other bytes stand there.');
    log.bytes = Buffer.concat([log.bytes, chunk.bytes.subarray(there.length)]);
    log.state = {
      ...log.state,
      offset: log.bytes.length,
      crc: crc32(log.bytes),
      ...(chunk.checkpoint && { checkpoint: chunk.checkpoint }),
    };
    const { offset: bytes, crc } = log.state;
    if (chunk.end) log.state.ended ??= { bytes, crc: crcText(crc), complete: chunk.end.complete };
    this.onAppend(log.state);
    return log.state;
  }
  async end(ref: LogRef, end: { epoch: number; summary: LogState['ended'] }): Promise<LogState> {
    const log = this.#log(ref);
    if (end.epoch < log.state.epoch) throw fenced();
    log.state = { ...log.state, ended: end.summary };
    return log.state;
  }
  async state(ref: LogRef): Promise<LogState | undefined> {
    return this.logs.get(keyOf(ref))?.state;
  }
  async read(ref: LogRef, offset: number, limit: number): Promise<{ bytes: Uint8Array; state: LogState }> {
    const log = this.#log(ref);
    return { bytes: log.bytes.subarray(offset, offset + limit), state: log.state };
  }
  /** All of a log. */
  text(ref: LogRef): string {
    return this.#log(ref).bytes.toString('utf8');
  }
  #log(ref: LogRef): MemoryLog {
    if (this.outages > 0) {
      this.outages -= 1;
      throw new Error('the store is away');
    }
    const key = keyOf(ref);
    const fresh = { bytes: Buffer.alloc(0), state: { offset: 0, crc: 0, epoch: 0, incomplete: false } };
    const log = this.logs.get(key) ?? fresh;
    this.logs.set(key, log);
    return log;
  }
}

const keyOf = (ref: LogRef): string => `${ref.pipeline} ${ref.job} ${ref.attempt}`;
const fenced = (): DavitError => new DavitError('log/fenced', 'A newer epoch writes.');

/** The adapter implements sealing and is tested separately; here it only has to be reversible. */
export const memorySecrets = (values: Record<string, string> = {}): Secrets => ({
  resolve: async (ref) => {
    const value = values[ref];
    if (value === undefined) throw new DavitError('secret/missing', `${ref} names nothing.`);
    return value;
  },
  seal: (plain) => plain.map((byte) => byte ^ 0x5a),
  unseal: (sealed) => sealed.map((byte) => byte ^ 0x5a),
});

export const noRegistries = (host = '127.0.0.1:5000'): Registries => ({
  forImage: () => Promise.reject(new Error('not used by jobs')),
  authFor: async () => undefined,
  authForTarget: async () => undefined,
  default: async (use) =>
    use?.job.fork ? { host } : { host, auth: { username: 'ci', password: 'registry-password' } },
});

/** A tar of these files. */
export async function tarOf(files: Record<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name, mode: 0o644 }, text);
  archive.finalize();
  return buffer(Readable.from(archive, { objectMode: false }));
}
export const zippedTarOf = async (files: Record<string, string>): Promise<Buffer> =>
  gzipSync(await tarOf(files));
