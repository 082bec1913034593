/** Caches of jobs on the real engine. Named after typical mistakes of other engines. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { CacheSpec, ScriptSpec } from '../../src/plan/model/spec.ts';
import { JobBench } from '../support/job-bench.ts';
import { zippedTarOf } from '../support/job-stores.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);
const cache = (more: Partial<CacheSpec> = {}): CacheSpec => ({
  key: 'default',
  paths: ['deps/'],
  untracked: false,
  unprotect: false,
  policy: 'pull-push',
  when: 'on_success',
  fallbackKeys: [],
  ...more,
});
interface Given {
  caches: CacheSpec[];
  script: string;
  spec?: Partial<ScriptSpec>;
  more?: Partial<RunInput>;
  files?: Record<string, string>;
}
async function log({ caches, script, spec, more, files }: Given): Promise<string> {
  const input = await bench.input({ caches, script: [script], ...spec }, more, files);
  await run(input);
  return bench.log(input);
}
const write = (text: string): string => `mkdir -p deps && echo ${text} >deps/a`;
const READ = 'echo "has $(cat deps/a 2>/dev/null || echo nothing)"';

describe('cache', () => {
  test("a later job gets the cache of an earlier one, with GitLab's messages", async () => {
    const first = await log({ caches: [cache({ key: 'k1' })], script: write('one') });
    expect(first).toContain('Checking cache for k1-protected...\nThere is no such cache yet\n');
    expect(first).toContain('Created cache: 1 files');
    const second = await log({ caches: [cache({ key: 'k1' })], script: READ });
    expect(second).toContain('Checking cache for k1-protected...\nSuccessfully extracted cache\n');
    expect(second).toContain('has one\n');
  });

  test('policy: pull never pushes, push never pulls', async () => {
    await log({ caches: [cache({ key: 'k2' })], script: write('one') });
    const pull = await log({ caches: [cache({ key: 'k2', policy: 'pull' })], script: write('two') });
    expect(pull).not.toContain('Created cache');
    const push = await log({ caches: [cache({ key: 'k2', policy: 'push' })], script: READ });
    expect(push).not.toContain('Checking cache');
    expect(push).toContain('has nothing\n');
    expect(await log({ caches: [cache({ key: 'k2' })], script: READ })).toContain('has one\n');
  });

  test('when: a failed job keeps only caches that say so', async () => {
    const fails = `${write('of-failure')}; exit 1`;
    await log({ caches: [cache({ key: 'k3' })], script: fails });
    expect(await log({ caches: [cache({ key: 'k3', policy: 'pull' })], script: READ })).toContain(
      'has nothing',
    );
    await log({ caches: [cache({ key: 'k3', when: 'on_failure' })], script: fails });
    await log({ caches: [cache({ key: 'k3', when: 'on_failure' })], script: write('of-success') });
    expect(await log({ caches: [cache({ key: 'k3' })], script: READ })).toContain('has of-failure');
  });

  test('protected and other refs are separate; unprotect shares; a fork writes nothing', async () => {
    const other = { protectedRef: false };
    await log({ caches: [cache({ key: 'k4' })], script: write('protected') });
    expect(await log({ caches: [cache({ key: 'k4' })], script: READ, spec: other })).toContain('has nothing');
    await log({ caches: [cache({ key: 'k4' })], script: write('other'), spec: other });
    expect(await log({ caches: [cache({ key: 'k4' })], script: READ })).toContain('has protected');
    expect(await log({ caches: [cache({ key: 'k4', unprotect: true })], script: READ })).toContain(
      'has other',
    );
    const fork = { protectedRef: true, fork: true };
    const forked = await log({
      caches: [cache({ key: 'k4' })],
      script: `${READ}; ${write('bad')}`,
      spec: fork,
    });
    expect(forked).toContain('Checking cache for k4-non_protected...');
    expect(forked).toContain('has other');
    expect(await log({ caches: [cache({ key: 'k4' })], script: READ, spec: other })).toContain('has other');
  });

  test('a changed key:files digest is a new cache', async () => {
    const caches = [cache({ key: 'lock', keyFiles: ['*.lock', 'none'] })];
    await log({ caches, script: write('one'), files: { 'a.lock': '1', other: '1' } });
    expect(await log({ caches, script: READ, files: { 'a.lock': '1', other: '2' } })).toContain('has one');
    expect(await log({ caches, script: READ, files: { 'a.lock': '2', other: '1' } })).toContain(
      'has nothing',
    );
    expect(await log({ caches, script: READ, files: { other: '1' } })).toContain(
      'cache for lock-default-protected',
    );
  });

  test('fallback keys in order, CACHE_FALLBACK_KEY last', async () => {
    await log({ caches: [cache({ key: 'f2' })], script: write('two') });
    await log({ caches: [cache({ key: 'f3' })], script: write('three') });
    const caches = [cache({ key: 'f0', policy: 'pull', fallbackKeys: ['f1', 'f2', 'f3'] })];
    const text = await log({ caches, script: READ });
    expect(text.match(/cache for f\d/g)).toEqual(['cache for f0', 'cache for f1', 'cache for f2']);
    expect(text).toContain('has two');
    const variables = [{ name: 'CACHE_FALLBACK_KEY', value: { literal: 'f3' }, masked: false, file: false }];
    const last = [cache({ key: 'f0', policy: 'pull', fallbackKeys: ['f1'] })];
    expect(await log({ caches: last, script: READ, spec: { variables } })).toContain('has three');
  });

  test('artifacts win over a cache, a cache over the source', async () => {
    const caches = [cache({ key: 'k5', paths: ['deps/', 'file'] })];
    await log({ caches, script: `${write('cached')}; echo cached >file` });
    const bytes = await zippedTarOf({ 'deps/a': 'artifact\n' });
    const artifact = { digest: await bench.blobs.putBytes(bytes), bytes: bytes.length, files: 1 };
    const more = { artifacts: [{ job: 'before', artifact }] };
    const text = await log({
      caches,
      script: 'cat deps/a file',
      more,
      files: { 'deps/a': 'source', file: 'source' },
    });
    expect(text).toContain('artifact\ncached\n');
  });

  test('several caches have keys of their own; a late variable is replaced', async () => {
    const variables = [{ name: 'N', value: { literal: 'k7' }, masked: false, file: false }];
    const caches = [cache({ key: 'k6' }), cache({ key: '${N}', paths: ['more/'] })];
    const spec = { variables };
    await log({ caches, script: `${write('one')}; mkdir more; echo two >more/b`, spec });
    const text = await log({ caches, script: `${READ}; cat more/b`, spec });
    expect(text).toContain('cache for k7-protected...\nSuccessfully extracted cache');
    expect(text).toContain('has one\ntwo\n');
  });

  test('never fails a job: a lost blob, a failing store, a size limit, missing files', async () => {
    await log({ caches: [cache({ key: 'k8' })], script: write('x') });
    const [name, text] = [...bench.records.records].findLast(([key]) => key.startsWith('caches/')) ?? [
      '',
      '',
    ];
    const lost = { ...JSON.parse(text), digest: `sha256:${'0'.repeat(64)}` };
    await bench.records.put(name, lost);
    const gone = await bench.input({ caches: [cache({ key: 'k8' })], script: [READ] });
    expect(await run(gone)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(gone)).toContain('cache: deps/: no matching files.');
    const { blobs } = bench;
    const has = vi.spyOn(blobs, 'has').mockRejectedValue(new Error('away'));
    await bench.records.put(name, JSON.parse(text));
    const away = await bench.input({ caches: [cache({ key: 'k8' })], script: [READ] });
    expect(await run(away)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(away)).toContain('The cache cannot be fetched: away');
    has.mockRestore();
    const stored = bench.blobs.blobs.get(JSON.parse(text).digest) ?? new Uint8Array();
    bench.blobs.blobs.set(JSON.parse(text).digest, stored.subarray(0, stored.length - 20));
    const broken = await bench.input({ caches: [cache({ key: 'k8', policy: 'pull' })], script: [READ] });
    expect(await run(broken)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(broken)).toContain('The cache could not be put into the container');
    expect(bench.log(broken)).toContain('has nothing');
    bench.limits = { artifact_bytes: 1_024 };
    const large = await bench.input({
      caches: [cache({ key: 'k9' })],
      script: ['mkdir deps; head -c 5000 /dev/zero >deps/a'],
    });
    expect(await run(large)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(large)).toContain('cache: larger than the limit of 1024 bytes');
    bench.limits = {};
  });

  test('a path outside of the project is left out with a warning', async () => {
    const text = await log({ caches: [cache({ key: 'k10', paths: ['/etc', 'deps'] })], script: write('x') });
    expect(text).toContain("cache: /etc is not in the project's directory; left out.");
    expect(text).toContain('Created cache: 1 files');
  });
});
