import { countFile, expectThat, jobOf, note, type Row } from './row.ts';

/** The containers end with an engine that restarts: reported as the machine's failure, not the script's. */
export const engineRestart: Row = {
  row: 15,
  fault: 'dockerd restart, no live-restore',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, engine, history } = world;
    const id = await client.start(world.project(15), countFile(400, 40));
    await client.untilLogged(id, 'count', 'line-3\n');
    note(world, 15, `the engine of ${id} restarts`);
    await engine.down('SIGTERM');
    await engine.up();
    const back = history.now();
    const status = await client.verdict(id);
    const { result, attempt } = jobOf(status, 'count');
    expectThat(
      result?.outcome === 'errored' && result.kind === 'engine',
      `it is told as ${result?.outcome} ${result?.kind}`,
      result,
    );
    expectThat(attempt === 1, `a script that has begun was tried ${attempt} times`);
    return { recoveryMs: [history.now() - back] };
  },
};
