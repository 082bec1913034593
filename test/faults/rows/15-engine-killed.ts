import { countFile, expectThat, jobOf, note, type Row } from './row.ts';

const LINES = 60;

/**
 * Without live-restore nothing keeps the output of a container while its engine is dead: the job gets a
 * verdict, and its log reports the gap.
 */
export const engineKilled: Row = {
  row: 15,
  fault: 'kill -9 dockerd, no live-restore',
  moment: 'script, which ends meanwhile',
  async run(world) {
    const { client, engine, history } = world;
    const id = await client.start(world.project(15), countFile(LINES, 3));
    await client.untilLogged(id, 'count', 'line-3\n');
    const started = history.events.find((event) => event.type === 'container' && event.pipeline === id);
    const name = started?.type === 'container' ? started.name : '';
    const pid = Number(await engine.docker('inspect', '-f', '{{.State.Pid}}', name));
    note(world, 15, `the engine of ${id} is killed`);
    await engine.down('SIGKILL');
    await client.until('the end of the script', 30_000, () => (isThere(pid) ? undefined : true));
    await engine.up();
    const back = history.now();
    const status = await client.verdict(id);
    const { result, attempt } = jobOf(status, 'count');
    expectThat(
      result?.outcome === 'succeeded' && attempt === 1,
      'the script is not told as it ended',
      result,
    );
    expectThat(result?.log?.complete === false, 'a log that lacks lines says that it is complete', result);
    return { recoveryMs: [history.now() - back] };
  },
};

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // it has ended
  }
}
