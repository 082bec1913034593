import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRunJob } from '../../activities/run-job.ts';
import { JobBench } from '../support/job-bench.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

test('a script that succeeds', async () => {
  const input = await bench.input({ script: ['echo hello', 'cat README.md'] });
  const result = await bench.environment().run(makeRunJob(bench.deps()), input);
  console.log(bench.log(input), result);
  expect(result).toMatchObject({ outcome: 'succeeded', exitCode: 0, started: true, host: 'host-1' });
});
