/** Variables of a job that control its source, its limits and its log, on the real engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ScriptSpec, SpecVariable } from '../../src/plan/model/spec.ts';
import { JobBench } from '../support/job-bench.ts';
import { zippedTarOf } from '../support/job-stores.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);
const variables = (values: Record<string, string>, more: Partial<SpecVariable> = {}): SpecVariable[] =>
  Object.entries(values).map(([name, literal]) => ({
    name,
    value: { literal },
    masked: false,
    file: false,
    ...more,
  }));
const FILES = { file: 'x', '.git/HEAD': 'ref', 'dir/b': 'y' };
const LIST = ['find . -type f | sort | xargs echo found'];
async function log(values: Record<string, string>, files: Record<string, string> = FILES): Promise<string> {
  const input = await bench.input({ variables: variables(values), script: LIST }, {}, files);
  expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
  return bench.log(input);
}

describe('the source', () => {
  test('GIT_STRATEGY none and empty omit it but keep artifacts; GIT_CHECKOUT false keeps only the repository', async () => {
    expect(await log({})).toContain('found ./.git/HEAD ./dir/b ./file\n');
    expect(await log({ GIT_STRATEGY: 'fetch', GIT_DEPTH: '1', GIT_CLEAN_FLAGS: '-ffdx' })).toContain(
      './file\n',
    );
    expect(await log({ GIT_CHECKOUT: 'false' })).toContain('found ./.git/HEAD\n');
    const bytes = await zippedTarOf({ made: 'artifact' });
    const artifact = { digest: await bench.blobs.putBytes(bytes), bytes: bytes.length, files: 1 };
    const given = { variables: variables({ GIT_STRATEGY: 'none' }), script: LIST };
    const input = await bench.input(given, { artifacts: [{ job: 'a', artifact }] }, FILES);
    await run(input);
    expect(bench.log(input)).toContain('found ./made\n');
  });

  test('requested submodules that cannot be fetched fail the job by name', async () => {
    const spec = { variables: variables({ GIT_SUBMODULE_STRATEGY: 'recursive' }), script: LIST };
    expect(await run(await bench.input(spec, {}, FILES))).toMatchObject({ outcome: 'succeeded' });
    const result = await run(await bench.input(spec, {}, { ...FILES, '.gitmodules': '[submodule "x"]' }));
    expect(result).toMatchObject({ outcome: 'failed', kind: 'config', started: false });
    expect(result.message).toContain('GIT_SUBMODULE_STRATEGY');
    const modules = { ...FILES, '.gitmodules': '[submodule "x"]', 'x/l': 'lib' };
    const there = await bench.input({ ...spec, submodules: {} }, {}, modules);
    expect(await run(there)).toMatchObject({ outcome: 'succeeded' });
    const refused = await run(
      await bench.input({ ...spec, submodules: { failure: 'x is gone' } }, {}, modules),
    );
    expect(refused).toMatchObject({ outcome: 'failed', message: expect.stringContaining('x is gone') });
    const wrong = { variables: variables({ GIT_STRATEGY: 'pull' }), script: LIST };
    expect(await run(await bench.input(wrong))).toMatchObject({ outcome: 'failed', kind: 'config' });
  });

  test('objects of Git LFS that cannot be fetched fail the job, unless it has no checkout', async () => {
    const lfs = { failure: 'Git LFS: it does not give the object.' };
    expect(await run(await bench.input({ lfs, script: LIST }, {}, FILES))).toMatchObject({
      ...{ outcome: 'failed', kind: 'config', started: false },
      message: expect.stringContaining(lfs.failure),
    });
    const none = { lfs, variables: variables({ GIT_CHECKOUT: 'false' }), script: LIST };
    expect(await run(await bench.input(none, {}, FILES))).toMatchObject({ outcome: 'succeeded' });
  });
});

describe('the script', () => {
  test('CI_DEBUG_TRACE prints what the shell does, and no masked value', async () => {
    const secret = variables({ TOKEN: 'canary-secret-value' }, { masked: true });
    const spec: Partial<ScriptSpec> = {
      variables: [...variables({ CI_DEBUG_TRACE: 'true' }), ...secret],
      script: ['A="x $TOKEN y"; echo "$A"'],
    };
    const input = await bench.input(spec);
    await run(input);
    expect(bench.log(input)).toMatch(/\+ A='x \[MASKED\] y'/);
    expect(bench.log(input)).not.toContain('canary');
  });

  test('after_script and artifacts still run after RUNNER_SCRIPT_TIMEOUT', async () => {
    const input = await bench.input({
      variables: variables({ RUNNER_SCRIPT_TIMEOUT: '1s' }),
      script: ['echo kept >file; sleep 100 & sleep 100; echo never'],
      afterScript: ['echo "after $CI_JOB_STATUS"; ps | grep -c "[s]leep 100" || true'],
      artifacts: { paths: ['file'], exclude: [], untracked: false, when: 'always' },
    });
    const result = await run(input);
    expect(result).toMatchObject({ outcome: 'failed', kind: 'timeout', artifacts: { files: 1 } });
    expect(bench.log(input)).toContain('after failed\n0\n');
  });

  test('hooks:pre_get_sources_script runs before everything else', async () => {
    const input = await bench.input({ preGetSources: ['echo hook'], script: ['echo script'] });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toMatch(/hook\n[^]*script\n/);
    const failing = await bench.input({ preGetSources: ['exit 5'], script: ['echo never'] });
    expect(await run(failing)).toMatchObject({ outcome: 'failed', kind: 'script', exitCode: 5 });
  });
});
