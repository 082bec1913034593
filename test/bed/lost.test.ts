/** What happens to the jobs of a board that is unplugged, changed, restarted or cloned, beside another one of its queue. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Trouble } from '../../src/plan/model/fleet.ts';
import type { FleetView } from '../../src/server/api.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { eventually } from '../support/davit.ts';
import { failures, startFleet, type Fleet } from './support/fleet.ts';
import { cloneId } from './support/clone.ts';
import { countingJob, expectCounted, projectOf } from './support/jobs.ts';

/** ssh notices a lost board after 45 s. */
const UNPLUGGED_MS = 55_000;
const TICKS = 90;
const WAIT_MS = 300_000;

await describeWithParts('two boards of one queue', [sshServerPart], suite, { root: true });

function suite(): void {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ machines: { one: 'amd64', two: 'amd64' } });
  });
  afterAll(() => fleet?.stop());

  const ended = (id: string): Promise<string> =>
    eventually(`the end of ${id}`, WAIT_MS, async () => {
      const { state } = await fleet.davit.status(id);
      return /^(?:success|failed|canceled)$/.test(state) ? state : undefined;
    });
  /** The board on which a job runs. */
  const boardOf = async (id: string, job: string): Promise<string> => {
    for (const name of ['one', 'two'])
      if (
        (await fleet.bed.machine(name).run('docker', 'ps', '-q', '--filter', 'label=davit.kind=job')) !== ''
      )
        return name;
    throw new Error(`${job} of ${id} runs nowhere.`);
  };

  test('unplugged in the middle of a job: the script runs on, once, and no line is lost or doubled', async () => {
    const project = await projectOf(fleet.davit, 'unplugged', countingJob(TICKS));
    const { id } = await fleet.davit.start(project);
    await fleet.davit.untilLogged(id, 'count', 'tick 5\n');
    const board = await boardOf(id, 'count');
    await fleet.bed.lan.cable(board, 'down');
    await delay(UNPLUGGED_MS);
    await fleet.bed.lan.cable(board, 'up');
    expect(await ended(id)).toBe('success');
    expectCounted(await fleet.davit.log(id, 'count'), TICKS);
    expect((await fleet.davit.status(id)).jobs).toMatchObject([{ attempt: 1 }]);
  });

  test('its ssh server ends in the middle of a job, with all connections, and comes back: the same', async () => {
    const project = await projectOf(fleet.davit, 'cut', countingJob(15));
    const { id } = await fleet.davit.start(project);
    await fleet.davit.untilLogged(id, 'count', 'tick 3\n');
    const board = fleet.bed.machine(await boardOf(id, 'count'));
    await board.restartSsh();
    expect(await ended(id)).toBe('success');
    expectCounted(await fleet.davit.log(id, 'count'), 15);
  });

  test('its engine restarts in the middle of a job: the job is errored, not run again, and the next one runs', async () => {
    const project = await projectOf(fleet.davit, 'restarted', countingJob(60));
    const { id } = await fleet.davit.start(project);
    await fleet.davit.untilLogged(id, 'count', 'tick 2\n');
    await fleet.bed.machine(await boardOf(id, 'count')).restartEngine();
    expect(await ended(id)).toBe('failed');
    expect(failures(await fleet.davit.status(id))).toEqual([
      expect.stringContaining('The container was stopped from outside'),
    ]);
    expect((await fleet.davit.log(id, 'count')).match(/^begun$/gm)).toHaveLength(1);
    const next = await projectOf(fleet.davit, 'after-restart', countingJob(1));
    expect(failures(await fleet.davit.pipeline(next))).toEqual([]);
  });

  /** What the server knows of the machine of a worker. */
  const away = async (address: string): Promise<Trouble | undefined> => {
    const { text } = await fleet.davit.ask('/api/v1/fleet');
    const { machines } = JSON.parse(text) as FleetView;
    return machines.find(({ report }) => report?.engine?.address === address)?.report?.away;
  };

  test('its host key changes: it is not trusted, takes no jobs, and the other board gets them all', async () => {
    const one = fleet.bed.machine('one');
    await one.newHostKey();
    const trouble = await eventually('the worker sees it', WAIT_MS, () => away(one.ssh));
    expect(trouble).toMatchObject({
      code: 'engine/untrusted',
      message: expect.stringContaining('host key'),
      hint: expect.stringContaining('known_hosts'),
    });
    const jobs = Array.from({ length: 6 }, (_, at) => countingJob(1, `job-${at}`)).join('');
    const project = await projectOf(fleet.davit, 'host-key', jobs);
    const done = await fleet.davit.pipeline(project);
    expect(failures(done)).toEqual([]);
    expect(new Set(done.jobs.map(({ result }) => result?.host)).size).toBe(1);
    await fleet.bed.trustHostKeys();
    await eventually('the worker is back', WAIT_MS, async () =>
      (await away(one.ssh)) === undefined ? true : undefined,
    );
  });

  test('is cloned, with the id of the other: the clone is refused, and the job on the original ends whole', async () => {
    const [one, two] = [fleet.bed.machine('one'), fleet.bed.machine('two')];
    await fleet.worker('two').stop();
    await cloneId(one, two);
    const project = await projectOf(fleet.davit, 'cloned', countingJob(TICKS));
    const { id } = await fleet.davit.start(project);
    await fleet.davit.untilLogged(id, 'count', 'tick 2\n');
    const clone = await fleet.davit.anyWorker('clone', ['--arch', 'amd64', '--docker', two.ssh], {
      anyway: true,
    });
    await eventually('the clone is refused', WAIT_MS, async () =>
      (await clone.process.text()).includes('worker/twin') ? true : undefined,
    );
    await clone.stop();
    expect(await ended(id)).toBe('success');
    expectCounted(await fleet.davit.log(id, 'count'), TICKS);
  });
}
