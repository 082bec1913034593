/** Reports of jobs on the real engine. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ArtifactsSpec } from '../../src/plan/model/spec.ts';
import { JobBench } from '../support/job-bench.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);
const artifacts = (more: Partial<ArtifactsSpec>): ArtifactsSpec => ({
  paths: [],
  exclude: [],
  untracked: false,
  when: 'on_success',
  ...more,
});
const JUNIT = `mkdir -p out && echo '<testsuite><testcase/><testcase><failure/></testcase></testsuite>' >out/a.xml`;
const reports = [
  { kind: 'junit', paths: ['out/*.xml'] },
  { kind: 'sast', paths: ['sast.json'] },
];

describe('reports', () => {
  test('are stored whatever the result and `when`, junit with a summary', async () => {
    const input = await bench.input({
      script: [JUNIT, 'echo {} >sast.json; echo x >file', 'exit 1'],
      artifacts: artifacts({ paths: ['file'], reports }),
    });
    const result = await run(input);
    expect(result).toMatchObject({
      outcome: 'failed',
      tests: { total: 2, failed: 1, errored: 0, skipped: 0 },
      reports: { files: 2 },
    });
    expect(result.artifacts).toBeUndefined();
    expect(bench.log(input)).toContain('Tests: 2 tests: 1 failed\n');
    const bytes = await bench.blobs.getBytes(result.reports?.digest ?? 'sha256:');
    expect(gunzipSync(bytes).toString()).toContain('out/a.xml');
  });

  test('the text of a release is read from a file that the script made, masked; otherwise it is the text itself', async () => {
    const release = { tagName: 'v1', description: 'v1', ref: 'a'.repeat(40), milestones: [], links: [] };
    const made = await bench.input({
      script: ['printf "%s\\n" "# New" >notes-x.md'],
      release: { ...release, description: './notes-x.md' },
    });
    const result = await run(made);
    expect(result.outcome).toBe('succeeded');
    expect(Buffer.from(await bench.blobs.getBytes(result.releaseNotes ?? 'sha256:')).toString()).toBe(
      '# New\n',
    );
    const plain = await run(await bench.input({ script: ['true'], release }));
    expect(plain.releaseNotes).toBeUndefined();
  });

  test('are stored after a timeout too', async () => {
    const input = await bench.input({
      script: [JUNIT, 'sleep 100'],
      timeoutMs: 2_000,
      artifacts: artifacts({ paths: ['out'], when: 'always', reports }),
    });
    const result = await run(input);
    expect(result).toMatchObject({ kind: 'timeout', tests: { total: 2 } });
    expect(result.artifacts).toBeUndefined();
  });

  test('missing or invalid reports are warnings; too large artifacts do not affect reports', async () => {
    const missing = await bench.input({
      script: ['echo no >bad.xml'],
      artifacts: artifacts({ reports: [{ kind: 'junit', paths: ['bad.xml', 'none.xml'] }] }),
    });
    const result = await run(missing);
    expect(result).toMatchObject({ outcome: 'succeeded', reports: { files: 1 } });
    expect(result.tests).toBeUndefined();
    expect(result.warnings).toEqual([
      'reports: none.xml: no matching files.',
      'reports: bad.xml is not a JUnit report.',
    ]);
    bench.limits = { artifact_bytes: 2_000 };
    const large = await bench.input({
      script: [JUNIT, 'head -c 5000 /dev/zero >big'],
      artifacts: artifacts({
        paths: ['big'],
        reports: [{ kind: 'junit', paths: ['out/'] }],
        access: 'developer',
      }),
    });
    expect(await run(large)).toMatchObject({
      outcome: 'failed',
      kind: 'artifact',
      tests: { total: 2 },
      reports: { access: 'developer' },
    });
    bench.limits = {};
  });

  test('coverage is read from the log, from the last matching line', async () => {
    const script = ['printf "all: 10.5%%\\nall: 42.25%%\\nend\\n"'];
    const input = await bench.input({ script, coverage: '/all: (\\d+\\.\\d+)%$/' });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded', coverage: 42.25 });
    expect(bench.log(input)).toContain('Coverage: 42.25%\n');
  });
});
