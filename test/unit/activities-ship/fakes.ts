/** Ports in memory, with the promises that the real ones keep. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { BlobStore, LogState, LogStore, RecordStore } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { installationSchema, type InstallationFacts } from '../../../src/installation.ts';
import type { Digest } from '../../../src/plan/ids.ts';
import type { RunInput } from '../../../activities/contract.ts';

export function memoryBlobs(): BlobStore & { all: Map<string, Uint8Array>; text(digest: string): string } {
  const all = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): Digest => {
    const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
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
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(Buffer.from(part));
      const bytes = Buffer.concat(parts);
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

export function memoryLogs(): LogStore & { text(): string } {
  let bytes = Buffer.alloc(0);
  let state: LogState = { offset: 0, crc: 0, epoch: 0, incomplete: false };
  return {
    text: () => bytes.toString('utf8'),
    async open(_ref, epoch) {
      if (epoch < state.epoch) throw new DavitError('log/fenced', 'A newer writer has this log.');
      state = { ...state, epoch };
      return state;
    },
    async append(_ref, chunk) {
      if (chunk.offset !== state.offset) throw new DavitError('log/offset', 'A gap in the log.');
      bytes = Buffer.concat([bytes, chunk.bytes]);
      state = { ...state, offset: bytes.length, crc: crc32(bytes) };
      return state;
    },
    async end(_ref, end) {
      state = { ...state, ended: end.summary };
      return state;
    },
    state: async () => state,
    read: async () => ({ bytes, state }),
  };
}

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

/** Runs an activity as Temporal would, and hands out its environment. */
export async function asActivity<I, O>(activity: (input: I) => Promise<O>, input: I): Promise<O> {
  return new MockActivityEnvironment().run(activity, input);
}
