/** What happens to the jobs of a board that is unplugged, changed, restarted or cloned, beside another one of its queue. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sshServerPart } from '../parts/bed.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { eventually } from '../support/davit.ts';
import { failures, startFleet, type Fleet } from './support/fleet.ts';
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
      expect.stringContaining('The container was ended from outside'),
    ]);
    expect((await fleet.davit.log(id, 'count')).match(/^begun$/gm)).toHaveLength(1);
    const next = await projectOf(fleet.davit, 'after-restart', countingJob(1));
    expect(failures(await fleet.davit.pipeline(next))).toEqual([]);
  });
}
