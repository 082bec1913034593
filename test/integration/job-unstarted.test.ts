/**
 * A worker is lost, or frozen, before it has started the container: nothing runs twice, and the reported end
 * is the real one.
 */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunInput } from '../../activities/contract.ts';
import type { JobDeps } from '../../activities/job/context/deps.ts';
import { makeResumeJob } from '../../activities/job/resume-job.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { makeStopJob } from '../../activities/job/stop-job.ts';
import { cancelActivity, JobBench } from '../support/job-bench.ts';
import { MemoryBlobs } from '../support/job-stores.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const run = (input: RunInput, deps: JobDeps = bench.deps()) =>
  bench.environment().run(makeRunJob(deps), input);
const resume = (input: RunInput, epoch: number, deps: JobDeps = bench.deps()) =>
  bench.environment().run(makeResumeJob(deps), { ...input, ref: { ...input.ref, epoch } });

/** A worker that freezes right before it starts its container; `go` releases it. */
async function standsStill(input: RunInput): Promise<{ old: Promise<unknown>; go(): void }> {
  const deps = bench.deps();
  const reached = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const startContainer = async (name: string): Promise<void> => {
    reached.resolve();
    await going.promise;
    await deps.engine.startContainer(name);
  };
  const old = run(input, { ...deps, engine: { ...deps.engine, startContainer } });
  old.catch(() => undefined);
  await reached.promise;
  return { old, go: () => going.resolve() };
}

test('nothing was created: the resume requeues it, and an older control worker is told that nothing started', async () => {
  const input = await bench.input({ script: ['true'] });
  await expect(resume({ ...input, handsBack: true }, 2)).rejects.toMatchObject({ type: 'HandedBack' });
  expect(await resume(input, 3)).toMatchObject({ outcome: 'errored', started: false });
});

test('created and not started: it is removed first, so the frozen worker cannot start it any more', async () => {
  const input = await bench.input({ script: ['echo ran'] });
  const { old, go } = await standsStill(input);
  await expect(resume({ ...input, handsBack: true }, 2)).rejects.toMatchObject({ type: 'HandedBack' });
  expect(await bench.engine.listContainers(bench.labels(input))).toEqual([]);
  go();
  await expect(old).rejects.toMatchObject({ code: 'log/fenced' });
  expect(await run({ ...input, ref: { ...input.ref, epoch: 3 } })).toMatchObject({ outcome: 'succeeded' });
  expect(bench.log(input).match(/\nran\n/g)).toHaveLength(1);
});

test('started at the moment it is given up: it is followed, and runs once', async () => {
  const input = await bench.input({ script: ['echo ran; sleep 1'] });
  const { old, go } = await standsStill(input);
  const deps = bench.deps();
  const removeUnlessRunning = async (name: string): Promise<boolean> => {
    go();
    while ((await deps.engine.inspectContainer(name))?.status === 'created');
    return deps.engine.removeUnlessRunning(name);
  };
  const engine = { ...deps.engine, removeUnlessRunning };
  const result = await resume({ ...input, handsBack: true }, 2, { ...deps, engine });
  expect(result).toMatchObject({ outcome: 'succeeded', started: true });
  await expect(old).rejects.toMatchObject({ type: 'Replaced' });
  expect(bench.log(input).match(/\nran\n/g)).toHaveLength(1);
});

test('the reason why it did not start is reported again if that report was lost', async () => {
  const input = await bench.input({ image: { name: 'davit/no-such-image:1', pullPolicy: 'never' } });
  const first = await run(input);
  expect(first).toMatchObject({ started: false, kind: 'image_pull' });
  await bench.settled();
  expect(await resume({ ...input, handsBack: true }, 2)).toEqual(first);
});

test('after a long preparation the worker confirms once more that the job is still its own', async () => {
  const input = await bench.input({ script: ['echo ran'] });
  const deps = bench.deps();
  const asked: string[] = [];
  deps.ack = {
    beat: async () => {
      asked.push(deps.worker.hostId);
      return asked.length > 1 ? 'closed' : 'recorded';
    },
  };
  const upload = async (...of: Parameters<typeof deps.engine.upload>): Promise<void> => {
    await deps.engine.upload(...of);
    await delay(2_100);
  };
  const slow = run(input, { ...deps, engine: { ...deps.engine, upload } });
  await expect(slow).rejects.toMatchObject({ type: 'Replaced' });
  expect(asked).toHaveLength(2);
  const [left] = await bench.engine.listContainers(bench.labels(input));
  expect(left?.startedAt ?? 0).toBe(0);
});

test.each([
  ['a worker that stops', { type: 'HandedBack' }],
  ['a cancel', { name: 'CancelledFailure' }],
])('%s does not wait for files that stall on their way into the container', async (who, failure) => {
  const input = await bench.input({ script: ['echo ran'] });
  const deps = bench.deps();
  const reached = Promise.withResolvers<void>();
  const getStream = async () => new Readable({ read: () => reached.resolve() });
  const blobs = Object.assign(new MemoryBlobs(), { blobs: bench.blobs.blobs, getStream });
  const stopping = new AbortController();
  const environment = bench.environment();
  const stalled = environment.run(makeRunJob({ ...deps, stopping: stopping.signal, blobs }), input);
  stalled.catch(() => undefined);
  await reached.promise;
  if (who === 'a cancel') cancelActivity(environment);
  else stopping.abort();
  await expect(stalled).rejects.toMatchObject(failure);
  expect(await bench.engine.listContainers(bench.labels(input))).toEqual([]);
});

test('a replaced worker that stops removes nothing of the dispatch that followed', async () => {
  const input = await bench.input({ script: ['echo ran; sleep 1'] });
  const deps = bench.deps();
  const reached = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const upload = async (): Promise<void> => {
    reached.resolve();
    await going.promise;
    throw new Error('broken off');
  };
  const old = run(input, { ...deps, stopping: stopping.signal, engine: { ...deps.engine, upload } });
  old.catch(() => undefined);
  await reached.promise;
  const next = await standsStill({ ...input, ref: { ...input.ref, epoch: 2 } });
  stopping.abort();
  going.resolve();
  // Timing decides which of two failures it meets first: its upload, or the log that the next dispatch has
  // opened.
  await expect(old).rejects.toMatchObject({ type: expect.stringMatching(/^(?:HandedBack|Replaced)$/) });
  next.go();
  expect(await next.old).toMatchObject({ outcome: 'succeeded' });
});

test('a stop without an answer fences the frozen worker: it starts nothing and writes nothing any more', async () => {
  const input = await bench.input({ script: ['echo begun; sleep 1000'] });
  const following = run(input);
  following.catch(() => undefined);
  await expect.poll(() => bench.log(input), { timeout: 20_000 }).toContain('\nbegun\n');
  await bench.environment().run(makeStopJob(bench.deps()), { ref: input.ref, graceMs: 500 });
  await expect(following).rejects.toMatchObject({ type: 'Replaced' });
  expect(bench.log(input).match(/Job (?:cancelled|failed)/g)).toEqual(['Job cancelled']);

  const other = await bench.input({ script: ['echo ran'] });
  const pulling = Promise.withResolvers<void>();
  const deps = bench.deps();
  const inspectImage = async (name: string) => {
    await pulling.promise;
    return deps.engine.inspectImage(name);
  };
  const old = run(other, { ...deps, engine: { ...deps.engine, inspectImage } });
  old.catch(() => undefined);
  await bench.environment().run(makeStopJob(bench.deps()), { ref: other.ref, graceMs: 500 });
  pulling.resolve();
  await expect(old).rejects.toMatchObject({ type: 'Replaced' });
  expect(bench.log(other)).toBe('');
});

test('a dispatch that is followed by another one publishes no artifacts to other pipelines', async () => {
  const input = await bench.input({
    script: ['echo begun; sleep 1'],
    artifacts: { paths: ['README.md'], exclude: [], untracked: false, when: 'always' },
    gives: { ref: 'main', number: 7 },
  });
  const old = run(input);
  old.catch(() => undefined);
  await expect.poll(() => bench.log(input), { timeout: 20_000 }).toContain('\nbegun\n');
  await bench.logs.open(input.ref, 2);
  await expect(old).rejects.toMatchObject({ type: 'Replaced' });
  expect([...bench.records.records.keys()].filter((name) => !/^(?:masks|ends)\//.test(name))).toEqual([]);
});
