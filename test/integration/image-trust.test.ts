/** What an image may do to the job that runs in it, and which images a job may run in. Rows 36 and 37. */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { attemptLabels } from '../../activities/runtime/container-names.ts';
import { LABELS } from '../../src/plan/model/labels.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { cacheRecordName } from '../../src/plan/model/records.ts';
import type { CacheSpec } from '../../src/plan/model/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { sweep } from '../../workers/parts/janitor.ts';
import { HELPER, JobBench } from '../support/job-bench.ts';

let bench: JobBench;
const made: string[] = [];
const containers: string[] = [];
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(async () => {
  for (const name of containers) execFileSync('docker', ['rm', '-f', name]);
  await bench.close();
  for (const tag of made) execFileSync('docker', ['rmi', '-f', tag]);
});

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);

/** An image of the helper with these lines behind it, on this engine alone. */
function imageOf(...lines: string[]): string {
  const tag = `davit-test/trust:${randomBytes(4).toString('hex')}`;
  execFileSync('docker', ['build', '-q', '-t', tag, '-'], {
    input: [`FROM ${HELPER}`, ...lines].join('\n'),
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
  });
  made.push(tag);
  return tag;
}

const CACHE: CacheSpec = {
  key: 'deps',
  paths: ['deps/'],
  untracked: false,
  unprotect: false,
  policy: 'pull-push',
  when: 'on_success',
  fallbackKeys: [],
};

describe('labels of an image', () => {
  test('write no cache: neither for a fork nor for another branch', async () => {
    const record = cacheRecordName('demo', 'protected', sha256('deps'));
    const plan = JSON.stringify([{ index: 0, record }]);
    const image = {
      name: imageOf(`LABEL ${LABELS.caches}='${plan}'`),
      pullPolicy: 'if-not-present',
    } as const;
    const script = ['mkdir deps && echo poisoned >deps/a'];
    for (const of of [{ fork: true }, { fork: false, caches: [{ ...CACHE, policy: 'pull' }] }]) {
      const input = await bench.input({ caches: [CACHE], protectedRef: false, image, script, ...of });
      expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
      expect(bench.log(input)).not.toContain('Created cache');
    }
    expect([...bench.records.records.keys()].filter((name) => name.startsWith('caches/'))).toEqual([]);
  });

  test('make no container of somebody else a thing of davit', async () => {
    const ref = { pipeline: 'demo/9', job: 'gone', attempt: 1 } as const;
    const labels = attemptLabels(bench.installation, { workflowId: 'w', runId: randomUUID() }, ref);
    const lines = Object.entries({ ...labels, [LABELS.kind]: 'job' }).map(
      (one) => `LABEL ${one[0]}="${one[1]}"`,
    );
    const name = `stranger-${randomBytes(4).toString('hex')}`;
    containers.push(name);
    execFileSync('docker', ['create', '--name', name, imageOf(...lines), 'true']);
    const janitor = {
      engine: bench.engine,
      installation: bench.installation,
      workflows: { isClosed: async () => true },
      minAgeMs: 0,
      everyMs: 1,
      askAgainMs: 1,
    };
    expect(await sweep(janitor)).not.toContain(labels[LABELS.run]);
    expect(await bench.engine.inspectContainer(name)).toBeDefined();
  });
});
