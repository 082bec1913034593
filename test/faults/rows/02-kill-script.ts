import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

/** Bar of the issue: the running script is not restarted, and the delay added is under 3 s. */
const DELAY_MS = 3_000;
/** What a busy machine of two cores adds to the start of a process is not davit's. */
export const SLACK_MS = 4_000;
const LINES = 40;

export const killScript: Row = {
  row: 2,
  fault: 'kill -9 worker, started again',
  moment: 'script running',
  async run(world) {
    const { client, processes } = world;
    const id = await client.start(world.project(2), countFile(LINES, 4));
    await client.untilLogged(id, 'count', `line-${3 + world.random.below(10)}\n`);
    note(world, 2, `kill -9 of the worker of ${id}`);
    await processes.arch.end('SIGKILL');
    await processes.arch.start();
    const back = world.history.now();
    const status = await client.when(id, 'resumed', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
    const recovery = world.history.now() - back;
    expectThat(
      recovery < DELAY_MS + SLACK_MS,
      `resumed only ${Math.round(recovery)} ms after the worker was back`,
    );
    expectThat(jobOf(status, 'count').attempt === 1, 'an attempt was used up');
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [recovery] };
  },
};
