/**
 * The disk of the server's stores is full while a job writes its log and stores artifacts: a small file
 * system of its own, the real server over it, a real container.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { type HttpStores, httpStores } from '../../src/adapters/http/index.ts';
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { installationSchema } from '../../src/installation.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { JobBench } from '../support/job-bench.ts';
import { tarOf } from '../support/job-stores.ts';
import { until } from '../support/world.ts';

const SIZE = '8m';
const LINES = 4_000;
const SCRIPT = [
  'echo begun',
  'while [ ! -e /go ]; do sleep 0.05; done',
  `i=0; while [ $i -lt ${LINES} ]; do echo "line $i of a log that is longer than what a page holds"; i=$((i+1)); done`,
  'dd if=/dev/urandom of=big bs=1024 count=1024 2>/dev/null; sha256sum big >sum; cat sum',
];

let mounted: string;
let bench: JobBench;
let server: RunningServer;
let stores: HttpStores;
const data = (): string => join(mounted, 'data');

beforeAll(async () => {
  mounted = await mkdtemp(join(tmpdir(), 'davit-full-'));
  const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'davit-full', mounted]);
  if (made.status !== 0) throw new Error(`no file system of its own: ${String(made.stderr)}`);
  const workerToken = randomUUID();
  server = await startServer({
    settings: { logLevel: 'silent' },
    installation: installationSchema.parse({}),
    installationId: 'full',
    cliToken: randomUUID(),
    workerToken,
    // Nothing here needs Temporal.
    temporal: { address: '127.0.0.1:1', namespace: 'davit' },
    dataDir: data(),
  });
  stores = httpStores({ url: server.url, workerToken });
  bench = await JobBench.open();
});
afterAll(async () => {
  await bench.close();
  await stores.close();
  await server.close();
  spawnSync('umount', ['-l', mounted]);
  await rm(mounted, { recursive: true, force: true });
});

/** Fills the disk except for this number of bytes. */
function fill(leave = 0): void {
  const path = join(mounted, 'filler');
  const file = openSync(path, 'w');
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(file, Buffer.alloc(4_096));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
  truncateSync(path, Math.max(bytes - leave, 0));
}
const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .sort();

test('writes wait, reads continue, no partial write is visible, and the script alone decides the job', async () => {
  const input = await bench.input({
    script: SCRIPT,
    artifacts: { paths: ['big', 'sum'], exclude: [], untracked: false, when: 'on_success' },
  });
  for (const bytes of bench.blobs.blobs.values()) await stores.blobs.putBytes(bytes);
  const refused = { logs: 0, blobs: 0 };
  const counting =
    <A extends unknown[], T>(of: keyof typeof refused, work: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      work(...args).catch((error: unknown) => {
        if (error instanceof DavitError && error.code.startsWith('store/')) refused[of] += 1;
        throw error;
      });
  const { logs, blobs, records } = stores;
  const deps = {
    ...bench.deps(),
    records,
    logs: { ...logs, append: counting('logs', logs.append.bind(logs)) },
    blobs: { ...blobs, putStream: counting('blobs', blobs.putStream.bind(blobs)) },
  };
  const ended: Promise<JobResult> = bench.environment().run(makeRunJob(deps), input);
  const running = await until('the job runs', async () => {
    const state = await logs.state(input.ref).catch(() => undefined);
    if (!state || state.offset === 0) return undefined;
    const { bytes } = await logs.read(input.ref, 0, 100_000);
    return Buffer.from(bytes).includes('\nbegun\n') ? state : undefined;
  });
  const [container] = await bench.engine.listContainers(bench.labels(input));
  const name = container?.name ?? '';
  const before = await filesBelow(join(data(), 'blobs'));
  fill();
  await bench.engine.upload(name, Readable.from([await tarOf({ go: '' })]));
  await bench.engine.waitContainer(name, AbortSignal.timeout(30_000));
  await until('the log was refused', async () => (refused.logs > 1 ? true : undefined));

  // Full: reads work, stored data exists, and nothing is reported as complete that is not.
  const spec = await stores.blobs.getBytes(input.spec);
  expect(spec.length).toBeGreaterThan(10);
  const meanwhile = await logs.read(input.ref, 0, 1_000_000);
  expect(meanwhile.state.ended).toBeUndefined();
  expect(meanwhile.bytes.length).toBeGreaterThanOrEqual(running.offset);
  await expect(stores.blobs.putBytes(Buffer.alloc(300_000, 1))).rejects.toMatchObject({
    code: 'store/no-space',
  });
  expect(await filesBelow(join(data(), 'blobs'))).toEqual(before);
  await until('what was begun is gone', async () =>
    (await filesBelow(join(data(), 'scratch'))).length === 0 ? true : undefined,
  );

  // A little space, enough for the log and not for the artifacts: only they wait.
  await rm(join(mounted, 'filler'));
  fill(700 * 1_024);
  await until('the artifacts were refused', async () => (refused.blobs > 1 ? true : undefined));
  expect((await logs.state(input.ref))?.ended).toBeUndefined();

  await rm(join(mounted, 'filler'));
  const healedAt = Date.now();
  const result = await ended;
  expect(Date.now() - healedAt).toBeLessThan(15_000);
  expect(result).toMatchObject({ outcome: 'succeeded', artifacts: { files: 2 }, log: { complete: true } });
  expect(result.warnings).toBeUndefined();
  const whole = await logs.read(input.ref, 0, 2_000_000);
  const text = Buffer.from(whole.bytes).toString();
  const lines = Array.from(
    { length: LINES },
    (_, n) => `line ${n} of a log that is longer than what a page holds\n`,
  );
  expect(text).toContain(lines.join(''));
  expect(text.split('line 0 of')).toHaveLength(2);
  expect(whole.state).toMatchObject({ incomplete: false, ended: { complete: true } });
  expect(await filesBelow(join(data(), 'scratch'))).toEqual([]);
}, 90_000);
