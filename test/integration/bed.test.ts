/** A short slice of `npm run test:bed`: one board over ssh, in a network of its own, that is unplugged during a job. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failures, startFleet, type Fleet } from '../bed/support/fleet.ts';
import { countingJob, expectCounted, projectOf } from '../bed/support/jobs.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';

const TICKS = 12;
const UNPLUGGED_MS = 4_000;
/** A busy machine takes minutes for a start. */
const MOST_MS = 600_000;

await describeWithParts('a board over ssh', [sshServerPart], suite, { root: true });

function suite(): void {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ machines: { board: 'amd64' } });
  }, MOST_MS);
  afterAll(() => fleet?.stop());

  test(
    'runs a job of the head; a cable that is pulled out and put back loses nothing',
    async () => {
      const project = await projectOf(fleet.davit, 'unplugged', countingJob(TICKS));
      const { id, ended } = await fleet.davit.start(project);
      await fleet.davit.untilLogged(id, 'count', 'tick 1\n');
      await fleet.bed.lan.cable('board', 'down');
      await delay(UNPLUGGED_MS);
      await fleet.bed.lan.cable('board', 'up');
      expect(await ended).toMatchObject({ code: 0 });
      expect(failures(await fleet.davit.status(id))).toEqual([]);
      expectCounted(await fleet.davit.log(id, 'count'), TICKS);
    },
    MOST_MS,
  );
}
