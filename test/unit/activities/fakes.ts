/** Ports in memory, with the guarantees of the real ones. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { MockActivityEnvironment } from '@temporalio/testing';
import type {
  BlobStore,
  LogRef,
  LogState,
  LogStore,
  RecordStore,
  Rights,
} from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { installationSchema } from '../../../src/installation.ts';
import type { InstallationFacts } from '../../../src/installation-facts.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import type { RunInput } from '../../../activities/contract.ts';
import { sha256 } from '../../../src/utils/sha256.ts';

export function memoryBlobs(): BlobStore & { all: Map<string, Uint8Array>; text(digest: string): string } {
  const all = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): Digest => {
    const digest: Digest = `sha256:${sha256(bytes)}`;
    all.set(digest, bytes);
    return digest;
  };
  const get = (digest: string): Uint8Array => {
    const found = all.get(digest);
    if (!found) throw new DavitError('blob/missing', `There is no blob ${digest}.`);
    return found;
  };
  return {
    all,
    text: (digest) => new TextDecoder().decode(get(digest)),
    putBytes: async (bytes) => put(bytes),
    async putStream(stream) {
      const bytes = await buffer(stream);
      return { digest: put(bytes), bytes: bytes.length };
    },
    getBytes: async (digest) => get(digest),
    getStream: async (digest) => Readable.from([get(digest)], { objectMode: false }),
    has: async (digest) => all.has(digest),
  };
}

export function memoryRecords(): RecordStore & { all: Map<string, string> } {
  const all = new Map<string, string>();
  const read = <T>(name: string): T | undefined => {
    const text = all.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  };
  return {
    all,
    async putIfAbsent<T>(name: string, value: T) {
      const there = read<T>(name);
      if (there !== undefined) return { created: false, value: there };
      all.set(name, JSON.stringify(value));
      return { created: true, value };
    },
    async put(name, value) {
      all.set(name, JSON.stringify(value));
    },
    get: async <T>(name: string) => read<T>(name),
    list: async (prefix) =>
      [...all.keys()]
        .filter((name) => name.startsWith(prefix))
        .sort()
        .reverse(),
    async allocate(counter, claim, count) {
      const key = `counter/${counter}`;
      const claims = read<{ next: number; claims: Record<string, number> }>(key) ?? { next: 1, claims: {} };
      const known = claims.claims[claim];
      if (known !== undefined) return known;
      const first = claims.next;
      all.set(key, JSON.stringify({ next: first + count, claims: { ...claims.claims, [claim]: first } }));
      return first;
    },
  };
}

/** `text` is that of all logs together. */
export function memoryLogs(): LogStore & { text(): string } {
  interface Log {
    bytes: Buffer;
    state: LogState;
  }
  const all = new Map<string, Log>();
  const find = (ref: LogRef): Log => {
    const key = `${ref.pipeline}/${ref.job}/${ref.attempt}`;
    const empty = { bytes: Buffer.alloc(0), state: { offset: 0, crc: 0, epoch: 0, incomplete: false } };
    const log = all.get(key) ?? empty;
    all.set(key, log);
    return log;
  };
  const fence = (log: Log, epoch: number): void => {
    if (epoch < log.state.epoch) throw new DavitError('log/fenced', 'A newer writer has this log.');
    log.state = { ...log.state, epoch };
  };
  return {
    text: () => [...all.values()].map(({ bytes }) => bytes.toString('utf8')).join(''),
    async open(ref, epoch) {
      const log = find(ref);
      fence(log, epoch);
      return log.state;
    },
    async append(ref, chunk) {
      const log = find(ref);
      fence(log, chunk.epoch);
      if (chunk.offset !== log.state.offset) throw new DavitError('log/offset', 'A gap in the log.');
      log.bytes = Buffer.concat([log.bytes, chunk.bytes]);
      log.state = { ...log.state, offset: log.bytes.length, crc: crc32(log.bytes) };
      return log.state;
    },
    async end(ref, end) {
      const log = find(ref);
      fence(log, end.epoch);
      log.state = { ...log.state, ended: end.summary };
      return log.state;
    },
    state: async (ref) => find(ref).state,
    read: async (ref) => ({ bytes: find(ref).bytes, state: find(ref).state }),
  };
}

/** A server that knows of no forge, and whose users have all their rights. */
export const steadyRights: Rights = {
  protection: async () => undefined,
  approvals: async () => ({ verdict: 'stands' }),
};

export function testFacts(config: Record<string, unknown> = {}): InstallationFacts {
  const { users: _users, ...rest } = installationSchema.parse(config);
  return {
    installation: '6f1c2f0e-0000-4000-8000-000000000001',
    url: 'http://davit.test:8080',
    config: { ...rest, helper_image: 'davit/helper:1' },
  };
}

export function runInput(spec: Digest, more: Partial<RunInput> = {}): RunInput {
  return {
    ref: { pipeline: 'table/7', job: 'ship', jobId: 70, attempt: 1, epoch: 1 },
    kind: 'push',
    project: 'table',
    spec,
    timeoutMs: 60_000,
    dispatchedAt: 1_700_000_000_000,
    tags: [],
    artifacts: [],
    dotenv: [],
    images: [],
    indexes: [],
    graceMs: 1_000,
    ...more,
  };
}

export const common = {
  version: 1,
  key: 'ship',
  group: 'ship',
  stage: 'ship',
  project: 'table',
  ref: 'main',
  sha: '1'.repeat(40),
  protectedRef: true,
  fork: false,
  source: `sha256:${'0'.repeat(64)}`,
  projectDir: '/builds/table',
  variables: [],
  timeoutMs: 60_000,
} as const;

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
export const digest = (char: string): Digest => `sha256:${char.repeat(64)}`;

/** Runs an activity as Temporal would, and returns its environment. */
export async function asActivity<I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> {
  return new MockActivityEnvironment().run(activity, input);
}
