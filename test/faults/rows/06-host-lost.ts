import { countFile, expectThat, jobOf, note, type Row } from './row.ts';

/**
 * Rows 6 and 7: the machine goes and stays away past its grace: the job is `host_lost`, told as such and not run elsewhere by
 * itself. When it comes back its orphan goes before anything is taken, and its late output changes nothing.
 */
export const hostLost: Row = {
  row: 6,
  fault: 'power off docker host; back much later (row 7)',
  moment: 'script',
  async run(world) {
    const { client, processes, engine, history } = world;
    const id = await client.start(world.project(6), countFile(2_000, 200));
    await client.untilLogged(id, 'count', 'line-3\n');
    note(world, 6, `the machine of ${id} is gone`);
    await processes.arch.end('SIGKILL');
    const from = history.now();
    const status = await client.verdict(id);
    const recovery = history.now() - from;
    const { result, attempt } = jobOf(status, 'count');
    expectThat(
      result?.outcome === 'errored' && result.kind === 'host_lost',
      `it is told as ${result?.kind}`,
      result,
    );
    expectThat(attempt === 1, 'a script that has begun was run elsewhere');
    history.add({ type: 'host-lost', engine: engine.name });
    const log = await client.rawLog(id, 'count');
    note(world, 7, `the machine of ${id} is back`);
    await processes.arch.start();
    const back = history.now();
    await client.until('its orphan is gone', 60_000, async () => {
      const left = await engine.docker('ps', '-aq', '--filter', `label=davit.job.pipeline=${id}`);
      return left === '' ? true : undefined;
    });
    const later = await client.rawLog(id, 'count');
    expectThat(later?.bytes === log?.bytes, 'late output was taken');
    return { recoveryMs: [recovery, history.now() - back] };
  },
};
