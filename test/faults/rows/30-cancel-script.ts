import { expectThat, jobOf, note, type Row } from './row.ts';

/** SIGTERM, grace, SIGKILL; heartbeats carry the cancel. */
const GONE_MS = 20_000;
export const cancelScript: Row = {
  row: 30,
  fault: 'cancel',
  moment: 'script that ignores SIGTERM',
  calm: true,
  async run(world) {
    const { client, engine, history } = world;
    const file = `deaf:\n  script:\n    - trap '' TERM\n    - echo begun\n    - (trap '' TERM; sleep 1000) & sleep 1000; sleep 1000\n`;
    const id = await client.start(world.project(30), file);
    await client.untilLogged(id, 'deaf', '\nbegun');
    note(world, 30, `cancel of ${id}`);
    const from = history.now();
    const sent = await client.cancel(id);
    expectThat(sent.answer === 'ok', 'the cancel was not taken', sent);
    const status = await client.verdict(id);
    const recovery = history.now() - from;
    expectThat(jobOf(status, 'deaf').outcome === 'cancelled', 'it was not cancelled', status);
    expectThat(recovery < GONE_MS, `gone only after ${Math.round(recovery)} ms`);
    const left = await engine.docker('ps', '-q', '--filter', `label=davit.job.pipeline=${id}`);
    expectThat(left === '', 'its container runs on');
    const log = await client.rawLog(id, 'deaf');
    expectThat(log?.ended === true && log.bytes.includes('begun'), 'its log is not closed', log);
    return { recoveryMs: [recovery] };
  },
};
