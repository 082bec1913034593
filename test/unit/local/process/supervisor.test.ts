import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ManagedProcess, RunningProcess } from '../../../../src/local/process/managed-process.ts';
import { silentProgress } from '../../../../src/local/process/progress.ts';
import { Supervisor } from '../../../../src/local/process/supervisor.ts';

/** A process that ends when the test says so. */
function part(name: string, rank: number, log: string[]): ManagedProcess & { die(): void; starts: number } {
  let over: (how: string) => void = () => undefined;
  return {
    name,
    rank,
    log: `${name}.log`,
    starts: 0,
    die: () => over('ended with code 1'),
    async start(): Promise<RunningProcess> {
      this.starts += 1;
      log.push(`start ${name}`);
      const exited = new Promise<string>((resolve) => (over = resolve));
      const stop = async (): Promise<void> => {
        log.push(`stop ${name}`);
        over('ended');
      };
      return { pid: 1, exited, readyReported: Promise.resolve(), stop };
    },
    ready: async () => undefined,
  };
}
const until = async (check: () => boolean): Promise<void> => {
  const deadline = Date.now() + 5_000;
  while (!check()) {
    if (Date.now() > deadline) throw new Error('never happened');
    await delay(5);
  }
};

test('a process that ends is restarted, and processes end by falling rank', async () => {
  const log: string[] = [];
  const kept = new Supervisor(silentProgress);
  const base = part('base', 0, log);
  const worker = part('worker', 2, log);
  await kept.add(base);
  await kept.add(worker);
  worker.die();
  await until(() => worker.starts === 2);
  await kept.stop();
  const stops = log.filter((line) => line.startsWith('stop'));
  expect(stops.indexOf('stop worker')).toBeLessThan(stops.indexOf('stop base'));
  expect(base.starts).toBe(1);
});

test('a process is recorded from its start: a kill during `up` leaves no unknown process', async () => {
  let recorded: string[] = [];
  const kept = new Supervisor(silentProgress, async () => {
    recorded = kept.processes().map((one) => one.name);
  });
  const slow = part('temporal', 0, []);
  let ready: () => void = () => undefined;
  slow.ready = () => new Promise<undefined>((resolve) => (ready = () => resolve(undefined)));
  const adding = kept.add(slow);
  await until(() => recorded.includes('temporal'));
  ready();
  await adding;
  await kept.stop();
});

test('nothing is started during the stop', async () => {
  const log: string[] = [];
  const kept = new Supervisor(silentProgress);
  const one = part('one', 0, log);
  await kept.add(one);
  one.die();
  await kept.stop();
  await kept.add(part('late', 0, log));
  expect(log).not.toContain('start late');
  expect(one.starts).toBe(1);
});

test('a process that ends before it is ready is a coded error that names its log', async () => {
  const log: string[] = [];
  const kept = new Supervisor(silentProgress);
  const one = part('one', 0, log);
  const never = { ...one, start: () => one.start(), ready: () => new Promise<undefined>(() => undefined) };
  const added = kept.add(never);
  await until(() => one.starts === 1);
  one.die();
  await expect(added).rejects.toMatchObject({
    code: 'local/not-started',
    message: expect.stringContaining('one.log') as string,
  });
  await kept.stop();
});

test('a process that is being started during the stop is stopped too', async () => {
  const log: string[] = [];
  const kept = new Supervisor(silentProgress);
  const one = part('one', 0, log);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const slow = {
    ...one,
    start: async () => {
      await gate;
      return one.start();
    },
  };
  const forever = { ...part('forever', 1, log), ready: () => new Promise<undefined>(() => undefined) };
  const adding = Promise.all([kept.add(slow), kept.add(forever)]);
  const stopped = kept.stop();
  go();
  await Promise.all([stopped, adding]);
  expect(log).toContain('start one');
  expect(log.at(-1)).toBe('stop one');
});
