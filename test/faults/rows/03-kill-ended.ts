import { atEffect, countFile, expectWhole, note, reached, type Row } from './row.ts';

const LINES = 5;

/** The script has ended, but its result does not reach Temporal: it is read again from the kept container. */
export const killEnded: Row = {
  row: 3,
  fault: 'kill -9 worker',
  moment: 'script ended, result unreported',
  lane: 'arch',
  async run(world) {
    const { client, processes } = world;
    const moment = world.random.pick(['log end', 'result report'] as const);
    const id = await client.start(world.project(3), countFile(LINES, 3));
    // From here on the only reported result is the job's.
    await client.untilLogged(id, 'count', 'line-0\n');
    const hook = atEffect(world, moment, {
      moment: 'before',
      answer: 'drop',
      act: () => processes.arch.end('SIGKILL'),
    });
    await reached(world, hook.done, `${moment} of ${id}`);
    note(world, 3, `kill -9 before the ${moment} of ${id}`);
    await processes.arch.start();
    const back = world.history.now();
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [world.history.now() - back] };
  },
};
