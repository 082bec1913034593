import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostInput, RunInput } from '../../activities/contract.ts';
import { makeResumeJob } from '../../activities/job/resume-job.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { JobDeps } from '../../activities/job/context/deps.ts';
import { makeStopJob } from '../../activities/job/stop-job.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { JobBench } from '../support/job-bench.ts';

let bench: JobBench;
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(() => bench.close());

const COUNTING = ['i=0; while [ $i -lt 30 ]; do echo "line $i"; i=$((i+1)); sleep 0.15; done'];
const counted = Array.from({ length: 30 }, (_, line) => `line ${line}\n`).join('');
const nextEpoch = (input: RunInput): RunInput => ({
  ...input,
  ref: { ...input.ref, epoch: input.ref.epoch + 1 },
});

/** Calls back once, when the log holds this text. */
function whenLogged(input: RunInput, text: string, then: () => void): void {
  bench.logs.onAppend = () => {
    if (!bench.logs.text(input.ref).includes(text)) return;
    bench.logs.onAppend = () => undefined;
    then();
  };
}

/** Runs until `text` is in the log, then the worker stops by SIGTERM. */
async function detachAt(input: RunInput, text: string): Promise<void> {
  whenLogged(input, text, () => bench.stopping.abort());
  await expect(bench.environment().run(makeRunJob(bench.deps()), input)).rejects.toMatchObject({
    type: 'Detached',
    details: [{ host: 'host-1' }],
  });
  bench.stopping = new AbortController();
}

describe('a job that survives its worker', () => {
  test('is left running by SIGTERM and resumed: the script runs once, the log is complete', async () => {
    bench.secrets['env:S'] = 'line 1';
    const input = await bench.input({
      script: COUNTING,
      variables: [{ name: 'S', value: { secret: 'env:S' }, masked: true, file: false }],
      artifacts: { paths: ['README.md'], exclude: [], untracked: false, when: 'always' },
    });
    await detachAt(input, 'line 5');
    bench.secrets = {};
    const resumed = nextEpoch(input);
    const result = await bench.environment().run(makeResumeJob(bench.deps()), resumed);
    expect(result).toMatchObject({ outcome: 'succeeded', log: { complete: true }, artifacts: { files: 1 } });
    expect(bench.log(input)).toContain(counted.replaceAll('line 1', '[MASKED]'));
  });

  test('is resumed repeatedly', async () => {
    let input = await bench.input({ script: COUNTING });
    await detachAt(input, 'line 2');
    for (const text of ['line 8', 'line 14']) {
      input = nextEpoch(input);
      whenLogged(input, text, () => bench.stopping.abort());
      await expect(bench.environment().run(makeResumeJob(bench.deps()), input)).rejects.toMatchObject({
        type: 'Detached',
      });
      bench.stopping = new AbortController();
    }
    const result = await bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));
    expect(result).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain(counted);
  });

  test('has its result when it ended without a worker', async () => {
    const input = await bench.input({
      script: ['echo begun', 'sleep 0.3', 'exit 5'],
      afterScript: ['echo after'],
    });
    await detachAt(input, 'begun');
    for (const { name } of await bench.engine.listContainers(bench.labels(input)))
      await bench.engine.waitContainer(name, AbortSignal.timeout(10_000));
    const result = await bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 5, log: { complete: true } });
    expect(bench.log(input)).toContain('after\n');
  });

  test('keeps its timeout over the resume', async () => {
    const input = await bench.input({ script: ['echo begun; sleep 100'], timeoutMs: 1_500 });
    await detachAt(input, 'begun');
    const began = Date.now();
    const result = await bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));
    expect(result).toMatchObject({ outcome: 'failed', kind: 'timeout' });
    expect(Date.now() - began).toBeLessThan(1_500 + 3_000);
  });

  test('an old follower that wakes up cannot end anything', async () => {
    const input = await bench.input({ script: COUNTING });
    const old = bench.environment().run(makeRunJob(bench.deps()), input);
    old.catch(() => undefined);
    await new Promise<void>((resolve) => whenLogged(input, 'line 3', resolve));
    const result = await bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));
    await expect(old).rejects.toMatchObject({ type: 'Replaced' });
    expect(result).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input)).toContain(counted);
  });

  test('is host_lost without its container', async () => {
    const input = await bench.input({ script: COUNTING });
    await detachAt(input, 'line 3');
    for (const { name } of await bench.engine.listContainers(bench.labels(input)))
      await bench.engine.removeContainer(name);
    const result = await bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));
    expect(result).toMatchObject({
      outcome: 'errored',
      kind: 'host_lost',
      started: true,
      log: { complete: false },
    });
  });

  test('a worker that stops before the container has started requeues the job and leaves nothing', async () => {
    const input = await bench.input({ script: ['true'] });
    const deps = bench.deps();
    deps.ack = {
      beat: async () => {
        bench.stopping.abort();
        return 'recorded';
      },
    };
    await expect(bench.environment().run(makeRunJob(deps), input)).rejects.toMatchObject({
      type: 'HandedBack',
    });
    bench.stopping = new AbortController();
    expect(await bench.engine.listContainers(bench.labels(input))).toEqual([]);
  });

  test('a cancel without a worker: stopJob stops it, closes its log, removes it, and may be repeated', async () => {
    const input = await bench.input({ script: ['echo begun; sleep 1000'] });
    await detachAt(input, 'begun');
    const host: HostInput = { ref: nextEpoch(input).ref, graceMs: 1_000 };
    await bench.environment().run(makeStopJob(bench.deps()), host);
    expect(await bench.engine.listContainers(bench.labels(input))).toEqual([]);
    expect(await bench.logs.state(input.ref)).toMatchObject({ ended: { complete: true } });
    expect(bench.log(input)).toContain('Job cancelled');
    await bench.environment().run(makeStopJob(bench.deps()), host);
  });

  test('lost without a heartbeat: a container that was only created is created again', async () => {
    const input = await bench.input({ script: ['echo once'] });
    const deps = bench.deps();
    let filled = (): void => undefined;
    const isFilled = new Promise<void>((resolve) => {
      filled = resolve;
    });
    const startContainer = (): Promise<never> => {
      filled();
      return new Promise(() => undefined);
    };
    const dying = { ...deps, engine: { ...deps.engine, startContainer } };
    const half = bench.environment().run(makeRunJob(dying), input);
    half.catch(() => undefined);
    await isFilled;
    expect(await bench.environment().run(makeRunJob(deps), input)).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input).match(/\nonce\n/g)).toHaveLength(1);
  });
});

describe('an engine that becomes unreachable', () => {
  const away = (): Promise<never> =>
    Promise.reject(new DavitError('engine/unreachable', 'The engine does not answer.'));
  const withEngine = (change: Partial<Engine>): JobDeps => {
    const deps = bench.deps();
    return { ...deps, engine: { ...deps.engine, ...change } };
  };
  const run = (deps: JobDeps, input: RunInput): Promise<JobResult> =>
    bench.environment().run(makeRunJob(deps), input);
  const resume = (input: RunInput): Promise<JobResult> =>
    bench.environment().run(makeResumeJob(bench.deps()), nextEpoch(input));

  test('before anything was started: no attempt is used up, and its leftovers do not conflict', async () => {
    const input = await bench.input({ script: ['echo once'] });
    await expect(run(withEngine({ upload: away, listContainers: away }), input)).rejects.toMatchObject({
      type: 'HandedBack',
    });
    expect(await run(bench.deps(), nextEpoch(input))).toMatchObject({ outcome: 'succeeded' });
    expect(bench.log(input).match(/\nonce\n/g)).toHaveLength(1);
  });

  test('permanently: that is reported, and the engine is not asked forever', async () => {
    const input = await bench.input({ script: ['true'] });
    const late = { ...input, ref: { ...input.ref, epoch: 12 } };
    expect(await run(withEngine({ createContainer: away }), late)).toMatchObject({
      outcome: 'errored',
      kind: 'engine',
      started: false,
    });
  });

  test('during the response to the start: the script runs once', async () => {
    const { engine } = bench.deps();
    const input = await bench.input({ script: ['echo once'] });
    const lost = { startContainer: (name: string) => engine.startContainer(name).then(away) };
    await expect(run(withEngine({ ...lost, inspectContainer: away }), input)).rejects.toMatchObject({
      type: 'Detached',
    });
    expect(await resume(input)).toMatchObject({ outcome: 'succeeded', started: true });
    expect(bench.log(input).match(/\nonce\n/g)).toHaveLength(1);
  });

  test('during that response, until the script has ended: it is not run again', async () => {
    const { engine } = bench.deps();
    const input = await bench.input({ script: ['echo once'] });
    const startContainer = async (name: string): Promise<never> => {
      await engine.startContainer(name);
      await engine.waitContainer(name, AbortSignal.timeout(30_000));
      return away();
    };
    const result = await run(withEngine({ startContainer }), input);
    expect(result).toMatchObject({ outcome: 'succeeded', started: true });
    expect(bench.log(input).match(/\nonce\n/g)).toHaveLength(1);
  });

  test('after the script: its result is read when the engine returns', async () => {
    const input = await bench.input({ script: ['echo once; exit 3'] });
    await expect(run(withEngine({ download: away }), input)).rejects.toMatchObject({ type: 'Detached' });
    expect(await resume(input)).toMatchObject({ outcome: 'failed', exitCode: 3 });
    expect(bench.log(input).match(/\nonce\n/g)).toHaveLength(1);
  });
});
