import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptLabels, attemptName, LABELS } from '../../activities/runtime/container-names.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import type { ScriptSpec } from '../../src/plan/model/spec.ts';
import { workerSchema } from '../../src/installation.ts';
import { canRunArch } from '../../workers/parts/arch-check.ts';
import { checkEngine } from '../../workers/parts/check-engine.ts';
import { sweep } from '../../workers/parts/janitor.ts';
import { HELPER, JobBench } from '../support/job-bench.ts';

let bench: JobBench;
let other: JobBench;
beforeAll(async () => {
  [bench, other] = await Promise.all([JobBench.open(), JobBench.open()]);
});
afterAll(() => Promise.all([bench.close(), other.close()]));

describe('the janitor', () => {
  const janitor = (isClosed: () => Promise<boolean>) => ({
    engine: bench.engine,
    installation: bench.installation,
    workflows: { isClosed },
    minAgeMs: 0,
    everyMs: 60_000,
    askAgainMs: 1,
  });
  const jobs = async (): Promise<number> =>
    (await bench.remains()).filter((name) => !name.endsWith('-jobs')).length;

  test('removes what a closed pipeline left, and nothing else', async () => {
    for (const one of [bench, other])
      await one.environment().run(makeRunJob(one.deps()), await one.input({ script: ['true'] }));
    expect(await jobs()).toBe(2);

    expect(await sweep(janitor(async () => false))).toEqual([]);
    expect(await sweep(janitor(() => Promise.reject(new Error('no answer'))))).toEqual([]);
    let asked = 0;
    expect(await sweep(janitor(async () => asked++ === 0))).toEqual([]);
    const young = { ...janitor(async () => true), minAgeMs: 3_600_000 };
    expect(await sweep(young)).toEqual([]);
    expect(await jobs()).toBe(2);

    expect(await sweep(janitor(async () => true))).toEqual([bench.installation]);
    expect(await jobs()).toBe(0);
    expect((await other.remains()).length).toBeGreaterThan(1);
  });

  test('keeps a network that a foreign container uses, and nothing else of any run', async () => {
    const { engine, installation } = bench;
    const stranger = `stranger-${randomUUID().slice(0, 8)}`;
    const made = await Promise.all(
      ['held', 'free'].map(async (run) => {
        const ref = { pipeline: 'gone/1', job: run, attempt: 1 } as const;
        const of = { workflowId: 'pipeline/gone/1', runId: `${run}-${randomUUID()}` };
        const labels = { ...attemptLabels(installation, of, ref), [LABELS.kind]: 'network' };
        const name = attemptName(installation, of, ref);
        await engine.createNetwork(name, { labels, icc: true });
        await engine.createVolume(name, { ...labels, [LABELS.kind]: 'volume' });
        return name;
      }),
    );
    const [held = ''] = made;
    const docker = (args: string[]) => promisify(execFile)('docker', args);
    await docker(['run', '-d', '--name', stranger, '--network', held, HELPER, 'sleep', '300']);
    try {
      await expect(sweep(janitor(async () => true))).rejects.toMatchObject({ code: 'engine/in-use' });
      expect((await bench.remains()).filter((name) => made.includes(name))).toEqual([held]);
      expect(await engine.listNetworks({ [LABELS.key]: 'held' })).toHaveLength(1);
      expect((await engine.inspectContainer(stranger))?.status).toBe('running');
    } finally {
      await docker(['rm', '-f', stranger]);
    }
    expect(await sweep(janitor(async () => true))).toHaveLength(1);
    expect((await bench.remains()).filter((name) => made.includes(name))).toEqual([]);
  });
});

describe('what a worker passes to jobs', () => {
  const socket = 'test -S /var/run/docker.sock && echo has-it || echo has-none';
  test.each([
    ['a listed project on a protected ref', { protectedRef: true, fork: false }, ['demo'], 'has-it'],
    ['another project', { protectedRef: true, fork: false }, ['another'], 'has-none'],
    ['an open ref', { protectedRef: false, fork: false }, ['demo'], 'has-none'],
    ['a fork', { protectedRef: true, fork: true }, ['demo'], 'has-none'],
  ])('the engine socket: %s', async (_, spec, engine_socket, expected) => {
    bench.workerConfig = { engine_socket };
    const input = await bench.input({ ...spec, script: [socket] });
    await bench.environment().run(makeRunJob(bench.deps()), input);
    bench.workerConfig = {};
    expect(bench.log(input)).toContain(`\n${expected}\n`);
  });

  test('a device only by its tag, and never if emulated', async () => {
    bench.workerConfig = { devices: { gpio: ['/dev/zero:/dev/gpiochip0'] } };
    const open = await bench.input({ script: ['true'], protectedRef: false }, { tags: ['gpio'] });
    expect(await bench.environment().run(makeRunJob(bench.deps()), open)).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('devices: gpio: refs: branches'),
    });
    const script = ['test -e /dev/gpiochip0 && echo has-it || echo has-none'];
    const with_ = await bench.input({ script }, { tags: ['gpio'] });
    await bench.environment().run(makeRunJob(bench.deps()), with_);
    expect(bench.log(with_)).toContain('\nhas-it\n');
    const without = await bench.input({ script });
    await bench.environment().run(makeRunJob(bench.deps()), without);
    expect(bench.log(without)).toContain('\nhas-none\n');
    const deps = bench.deps();
    const emulated = { ...deps, worker: { ...deps.worker, emulated: ['amd64' as const] } };
    await expect(
      bench.environment().run(makeRunJob(emulated), await bench.input({ script }, { tags: ['gpio'] })),
    ).rejects.toMatchObject({ type: 'HandedBack' });
    bench.workerConfig = {};
  });
});

describe('what every job lacks', () => {
  const capabilities =
    'grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null || true';
  /** Bit 13 of the capabilities. */
  const hasRawSockets = (log: string): boolean => {
    const [, hex = ''] = /CapBnd:\s*([0-9a-f]+)/.exec(log) ?? [];
    return (BigInt(`0x${hex}`) & (1n << 13n)) !== 0n;
  };

  test('raw sockets and endless processes; a fork cannot gain rights either', async () => {
    const logOf = async (spec: Partial<ScriptSpec>): Promise<string> => {
      const input = await bench.input({ script: [capabilities], ...spec });
      expect(await bench.environment().run(makeRunJob(bench.deps()), input)).toMatchObject({
        outcome: 'succeeded',
      });
      return bench.log(input);
    };
    const main = await logOf({});
    expect(hasRawSockets(main)).toBe(false);
    expect(main).toMatch(/NoNewPrivs:\s*0/);
    expect(main).toMatch(/^4096$/m);
    const fork = await logOf({ fork: true, protectedRef: false });
    expect(hasRawSockets(fork)).toBe(false);
    expect(fork).toMatch(/NoNewPrivs:\s*1/);
  });
});

describe('the platforms of an engine', () => {
  const wanted = (more: Partial<Parameters<typeof checkEngine>[0]>) => ({
    engine: bench.engine,
    arches: ['amd64' as const],
    emulation: false,
    config: workerSchema.parse({}),
    installation: bench.installation,
    helperImage: HELPER,
    ...more,
  });

  test('are found by running them', async () => {
    expect(await canRunArch(bench.engine, 'amd64', HELPER)).toBe(true);
    const refusing = {
      ...bench.engine,
      upload: async (name: string) => {
        // A program of an architecture that nothing can run replaces one without emulation.
        const { pack } = await import('tar-stream');
        const { Readable } = await import('node:stream');
        const { exitProgram } = await import('../../workers/parts/arch-check.ts');
        const program = exitProgram('amd64');
        program.writeUInt16LE(0x9999, 18);
        const tar = pack();
        tar.entry({ name: 'davit-exit', mode: 0o755 }, program);
        tar.finalize();
        await bench.engine.upload(name, Readable.from(tar, { objectMode: false }));
      },
    };
    expect(await canRunArch(refusing, 'arm64', HELPER)).toBe(false);
    await expect(
      checkEngine(wanted({ engine: refusing, arches: ['arm64'], emulation: true })),
    ).rejects.toMatchObject({ code: 'worker/emulation' });
  });

  test('another architecture is refused unless emulation is allowed', async () => {
    expect(await checkEngine(wanted({}))).toMatchObject({ emulated: [] });
    await expect(checkEngine(wanted({ arches: ['arm64'] }))).rejects.toMatchObject({ code: 'worker/arch' });
    const config = workerSchema.parse({ devices: { gpio: ['/dev/x'] } });
    await expect(checkEngine(wanted({ arches: ['arm64'], emulation: true, config }))).rejects.toMatchObject({
      code: 'worker/arch',
    });
  });
});
