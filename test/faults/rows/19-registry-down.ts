import { setTimeout as delay } from 'node:timers/promises';
import { dockerfile } from './01-kill-build.ts';
import { buildFile, digestOf, expectThat, jobOf, note, type Row } from './row.ts';

/** The limit of the matrix, counted from the fault; far above the delay of a busy machine. */
const DONE_MS = 300_000;

/** The push waits for the registry; nothing is built again. */
export const registryDown: Row = {
  row: 19,
  fault: 'registry down',
  moment: 'push',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const borders = [world.border('engine>registry'), world.border('control>registry')];
    const project = world.project(19);
    const id = await client.start(project, buildFile(world, project), { files: dockerfile('sleep 1') });
    await client.untilLogged(id, 'pack', 'second step');
    note(world, 19, 'the registry is down');
    const from = history.now();
    for (const border of borders) border.cut();
    await delay(profile.registryAwayMs);
    for (const border of borders) border.open();
    const back = history.now();
    const status = await client.verdict(id, DONE_MS);
    const recovery = history.now() - back;
    expectThat(status.state === 'success', `${id} did not succeed`, status);
    expectThat(history.now() - from < DONE_MS, 'the push took longer than 5 minutes');
    expectThat(jobOf(status, 'pack').attempt === 1, 'the build was run again');
    expectThat((await digestOf(world, project, 'latest')) !== undefined, 'the tag is not there');
    return { recoveryMs: [recovery] };
  },
};
