import { CancelledFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeReleaseJobs } from '../../activities/job/release-jobs.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { ReleaseInput, RunInput } from '../../activities/contract.ts';
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { cancelActivity, HELPER, JobBench } from '../support/job-bench.ts';
import { zippedTarOf } from '../support/job-stores.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);
const literal = (name: string, value: string, more: object = {}) => ({
  name,
  value: { literal: value },
  masked: false,
  file: false,
  ...more,
});

describe('a script job on the real engine', () => {
  test('succeeds with a complete log', async () => {
    const input = await bench.input({ script: ['echo hello', 'cat README.md'] });
    const result = await run(input);
    expect(result).toMatchObject({ outcome: 'succeeded', exitCode: 0, started: true, host: 'host-1' });
    expect(bench.log(input)).toContain('$ echo hello\nhello\n$ cat README.md\nhello\nJob succeeded\n');
    expect(result.log).toMatchObject({ complete: true });
  });

  test('fails with the exit code of its script, which after_script can read', async () => {
    const input = await bench.input({ script: ['exit 3'], afterScript: ['echo "it is $CI_JOB_STATUS"'] });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'script', exitCode: 3, started: true });
    expect(bench.log(input)).toContain('it is failed\n');
    expect(bench.log(input)).toContain('ERROR: Job failed: exit code 3');
  });

  test('reports an exit code of 137 of the script itself as a script failure', async () => {
    const input = await bench.input({ script: ['exit 137'] });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'script', exitCode: 137 });
  });

  test('ends at its timeout with all processes', async () => {
    const input = await bench.input({ script: ['echo begun; sleep 100 & sleep 100'], timeoutMs: 1_000 });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'timeout', started: true });
    expect(bench.log(input)).toContain('begun\n');
  });

  test('one that ignores SIGTERM is killed at its timeout', async () => {
    const input = await bench.input({
      script: ['trap "" TERM; while :; do sleep 0.1; done'],
      timeoutMs: 500,
    });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'timeout' });
  });

  test('distinguishes out of memory', async (context) => {
    const { kind } = await bench.engine.info();
    context.skip(kind === 'podman', 'Podman does not tell it with cgroup v1');
    bench.workerConfig = { memory: 16 * 1_024 * 1_024 };
    const input = await bench.input({ script: ['x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo no'] });
    const result = await run(input);
    bench.workerConfig = {};
    expect(result).toMatchObject({ outcome: 'failed', kind: 'out_of_memory' });
  });

  test('a child that ran out of memory is told when the script goes on to fail by itself', async (context) => {
    const { kind } = await bench.engine.info();
    context.skip(kind === 'podman', 'Podman does not tell it with cgroup v1');
    bench.workerConfig = { memory: 16 * 1_024 * 1_024 };
    const eater = `sh -c 'x=$(head -c 200000000 /dev/zero | tr "\\0" x)' || true`;
    const input = await bench.input({ script: [eater, 'echo goes on', 'exit 5'] });
    const result = await run(input);
    bench.workerConfig = {};
    expect(result).toMatchObject({ outcome: 'failed', kind: 'out_of_memory', exitCode: 5 });
  });

  test('gets its variables, secrets and files, and none of them is shown', async () => {
    bench.secrets['env:TOKEN'] = 'canary-secret-value';
    const input = await bench.input({
      variables: [
        literal('PLAIN', "it's $HOME"),
        { name: 'TOKEN', value: { secret: 'env:TOKEN' }, masked: true, file: false },
        { name: 'KEYFILE', value: { secret: 'env:TOKEN' }, masked: true, file: true },
        literal('LATE', 'job-${CI_JOB_ID}-$$', { late: true }),
      ],
      script: [
        'echo "$PLAIN|$CI_JOB_ID|$CI_RUNNER_DESCRIPTION|$LATE"',
        'echo "token $TOKEN"; cat "$KEYFILE"; stat -c %a "$KEYFILE"',
        'echo "$TOKEN" | base64',
        'ls /davit',
      ],
    });
    expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
    const log = bench.log(input);
    expect(log).toContain(`it's $HOME|${input.ref.jobId}|bench|job-${input.ref.jobId}-$`);
    expect(log).toContain('token [MASKED]\n[MASKED]600\n');
    expect(log).not.toContain('canary');
    expect(log).not.toContain(Buffer.from('canary-secret-value').toString('base64').slice(0, 12));
    expect(log).not.toMatch(/\nvariables\n/);
    const { execFileSync } = await import('node:child_process');
    for (const { name } of await bench.engine.listContainers({ 'davit.installation': bench.installation }))
      expect(execFileSync('docker', ['inspect', name], { encoding: 'utf8' })).not.toContain('canary');
  });

  test('an image with another user can read, write and delete', async () => {
    const input = await bench.input(
      {
        image: { name: HELPER, user: '1234:1234', pullPolicy: 'if-not-present' },
        variables: [literal('F', 'content', { file: true })],
        script: [
          'id -u',
          'echo more >>README.md; cat README.md',
          'rm -r dir; mkdir new',
          'cat "$F"; stat -c %a "$F"',
        ],
        artifacts: { paths: ['README.md'], exclude: [], untracked: false, when: 'on_success' },
      },
      {},
      { 'README.md': 'hello\n', 'dir/file': 'x' },
    );
    const result = await run(input);
    expect(bench.log(input)).toContain('$ id -u\n1234\n');
    expect(result).toMatchObject({ outcome: 'succeeded', artifacts: { files: 1 } });
    expect(bench.log(input)).toContain('content600\n');
  });

  test('runs behind entrypoints that are a shell, or a program that reads variables', async () => {
    bench.secrets['env:TOKEN'] = 'canary-secret-value';
    const variables = [
      literal('COLOUR', 'red'),
      { name: 'TOKEN', value: { secret: 'env:TOKEN' as const }, masked: true, file: false },
    ];
    const tell = 'echo "before: $COLOUR ($TOKEN)"; exec "$@"';
    const entrypoints = [['/bin/sh', '-c'], ['sh'], ['/bin/sh', '-c', 'sh'], ['sh', '-c', tell, 'entry']];
    for (const entrypoint of entrypoints) {
      const image = { name: HELPER, entrypoint, pullPolicy: 'if-not-present' as const };
      const input = await bench.input({ image, variables, script: ['echo "it is $COLOUR"'] });
      expect(await run(input), entrypoint.join(' ')).toMatchObject({ outcome: 'succeeded' });
      expect(bench.log(input)).toContain('it is red\n');
      expect(bench.log(input).includes('before: red ()\n')).toBe(entrypoint.length === 4);
    }
  });

  test('artifacts are passed to the next job; a later one overrides; links stay links', async () => {
    const first = await bench.input({
      script: [
        'mkdir -p out/deep .hidden; echo 1 >out/deep/a.txt; echo 2 >out/b.log; ln -s deep/a.txt out/link; echo h >.hidden/x; chmod +x out/b.log; ln out/b.log out/hard',
      ],
      artifacts: {
        paths: ['out/', '*/x', 'nothing/**', '../etc'],
        exclude: ['out/*.tmp'],
        untracked: false,
        when: 'on_success',
      },
    });
    const made = await run(first);
    expect(made).toMatchObject({ outcome: 'succeeded', artifacts: { files: 5 } });
    expect(made.warnings?.join('\n')).toMatch(
      /\.\.\/etc is not in the project[^]*nothing\/\*\*: no matching/,
    );
    const later = await bench.blobs.putBytes(await zippedTarOf({ 'out/deep/a.txt': 'later\n' }));
    const next = await bench.input(
      { script: ['cat out/link .hidden/x out/hard; test -L out/link; test -x out/b.log; ls out'] },
      {
        artifacts: [
          { job: 'a', artifact: made.artifacts ?? { digest: later, bytes: 0, files: 0 } },
          { job: 'b', artifact: { digest: later, bytes: 1, files: 1 } },
        ],
      },
    );
    expect(await run(next)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(next)).toContain('later\nh\n2\n');
  });

  test('a dotenv report sets variables of the next job', async () => {
    const first = await bench.input({
      script: ['echo "VERSION=1.2" >v.env; echo "QUOTED=\\"a b\\"" >>v.env'],
      artifacts: { paths: [], exclude: [], untracked: false, when: 'on_success', dotenv: ['v.env'] },
    });
    const made = await run(first);
    if (!made.dotenv) throw new Error('no dotenv');
    const next = await bench.input(
      {
        script: ['echo "$VERSION $QUOTED $FROM_FILE $FROM_PROJECT"'],
        variables: [
          literal('FROM_FILE', 'file', { from: 'file' }),
          literal('VERSION', 'low', { from: 'file' }),
          literal('FROM_PROJECT', 'project', { from: 'project' }),
        ],
      },
      { dotenv: [{ job: 'a', digest: made.dotenv }] },
    );
    await run(next);
    expect(bench.log(next)).toContain('1.2 "a b" file project\n');
  });

  test('too large artifacts fail the job with a message', async () => {
    bench.limits = { artifact_bytes: 2_000 };
    const input = await bench.input({
      script: ['head -c 5000 /dev/zero >big'],
      artifacts: { paths: ['big'], exclude: [], untracked: false, when: 'always' },
    });
    const result = await run(input);
    bench.limits = {};
    expect(result).toMatchObject({ outcome: 'failed', kind: 'artifact' });
    expect(bench.log(input)).toContain('larger than the limit of 2000 bytes');
  });

  test('a too large log is cut with a message, and the job continues', async () => {
    bench.limits = { log_bytes: 4_096 };
    const input = await bench.input({
      script: ['i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done', 'exit 4'],
    });
    const result = await run(input);
    bench.limits = {};
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 4, log: { complete: false } });
    expect(bench.log(input)).toContain('The log has reached its limit of 4096 bytes');
    expect(bench.log(input)).toContain('ERROR: Job failed: exit code 4');
  });

  test('an outage of the store loses nothing', async () => {
    const input = await bench.input({ script: ['echo one; sleep 1; echo two'] });
    const gone = new DavitError('store/unreachable', 'No answer.');
    vi.spyOn(bench.blobs, 'getBytes').mockRejectedValueOnce(gone);
    const running = run(input);
    bench.logs.outages = 4;
    expect(await running).toMatchObject({ outcome: 'succeeded', log: { complete: true } });
    expect(bench.log(input)).toContain('one\ntwo\n');
  });

  test('a user that the image lacks, a service without its program and a too large variable fail once, by name', async () => {
    const image = { name: HELPER, user: 'nobody-here', pullPolicy: 'if-not-present' as const };
    expect(await run(await bench.input({ image, script: ['true'] }))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('no user or group "nobody-here"'),
    });
    const service = { name: HELPER, entrypoint: ['/nope'], pullPolicy: 'if-not-present' as const };
    const services = [{ ...service, aliases: ['db'], variables: [] }];
    expect(await run(await bench.input({ services, script: ['true'] }))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining(`The service ${HELPER} cannot be started`),
    });
    const variables = [literal('BIG', 'x'.repeat(200_000))];
    expect(await run(await bench.input({ variables, script: ['true'] }))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('The variable BIG has 200004 bytes'),
    });
  });

  test('a missing image fails before anything starts', async () => {
    const input = await bench.input({ image: { name: 'davit-test/absent:1', pullPolicy: 'never' } });
    expect(await run(input)).toMatchObject({ outcome: 'failed', kind: 'image_pull', started: false });
  });

  test('a worker without the tag requeues it untouched', async () => {
    const input = await bench.input({ script: ['true'] }, { tags: ['amd64', 'camera'] });
    await expect(run(input)).rejects.toMatchObject({ type: 'HandedBack' });
    expect(await bench.logs.state(input.ref)).toBeUndefined();
  });

  test('a cancel runs after_script, stops every process, removes everything', async () => {
    const environment = bench.environment();
    const input = await bench.input({
      script: ['echo begun; sleep 1000'],
      afterScript: ['echo "then $CI_JOB_STATUS"'],
    });
    bench.logs.onAppend = () => {
      if (bench.log(input).includes('begun\n')) cancelActivity(environment);
    };
    await expect(environment.run(makeRunJob(bench.deps()), input)).rejects.toBeInstanceOf(CancelledFailure);
    bench.logs.onAppend = () => undefined;
    expect(bench.log(input)).toContain('then canceled\n');
    expect(bench.log(input)).toContain('Job cancelled');
    expect((await bench.remains()).filter((name) => name.includes(slug(input)))).toEqual([]);
  });

  test('released jobs leave nothing but the shared network', async () => {
    const input = await bench.input({ script: ['true'] });
    await run(input);
    expect((await bench.remains()).some((name) => name.includes(slug(input)))).toBe(true);
    await bench
      .environment()
      .run(makeReleaseJobs(bench.deps()), { pipeline: 'demo/1', refs: [input.ref] } satisfies ReleaseInput);
    expect((await bench.remains()).filter((name) => name.includes(slug(input)))).toEqual([]);
    expect([...bench.records.records].find(([name]) => name.includes(slug(input)))?.[1]).toBe(
      '{"sealed":""}',
    );
  });
});

const slug = (input: RunInput): string => `-${input.ref.job.replace(' ', '-')}-1`;
