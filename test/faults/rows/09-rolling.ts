import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';
import { SLACK_MS } from './02-kill-script.ts';

const LINES = 60;
/** The second worker of the engine has to be there before the script ends: the two wait for each other's word first. */
const SECONDS = 24;
/**
 * Every process is replaced, one after the other, while a script runs: no attempt is used up, nothing is
 * lost.
 */
export const rolling: Row = {
  row: 9,
  fault: 'SIGTERM worker, server and control worker, rolling upgrade',
  moment: 'script',
  async run(world) {
    const { client, processes, history } = world;
    const id = await client.start(world.project(9), countFile(LINES, SECONDS));
    await client.untilLogged(id, 'count', 'line-3\n');
    note(world, 9, `a rolling upgrade under ${id}`);
    const one = world.shape === 'one-process';
    if (!one) await processes.arch2.start();
    await processes.arch.end('SIGTERM');
    // Everything is in the one process: its next start takes the job.
    if (one) await processes.arch.start();
    const gone = history.now();
    const status = await client.when(id, 'handed over', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
    const recovery = history.now() - gone;
    expectThat(recovery < 3_000 + SLACK_MS, `handed over only after ${Math.round(recovery)} ms`);
    expectThat(jobOf(status, 'count').attempt === 1, 'an attempt was used up');
    for (const name of one ? [] : (['server', 'control'] as const)) {
      await processes[name].end('SIGTERM');
      await processes[name].start();
    }
    await processes.arch.start();
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [recovery] };
  },
};
