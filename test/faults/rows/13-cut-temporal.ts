import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

const LINES = 60;
/** The SDK stops retrying to report a result after about 10 s. */
const UNREPORTED_MS = 13_000;
/**
 * Shorter than the heartbeat timeout: nothing happens. Longer: the old dispatch is closed, the container is
 * taken over. If the script ends meanwhile, its result is reported when Temporal is reachable again.
 */
export const cutTemporal: Row = {
  row: 13,
  fault: 'network cut worker - Temporal, shorter and longer than the heartbeat timeout',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const recoveryMs: number[] = [];
    const border = world.border('arch>temporal');
    const long = Math.max(profile.cutMs, profile.heartbeatMs + 2_500);
    for (const [ms, epochs, seconds] of [
      [profile.heartbeatMs / 6, 1, profile.heartbeatMs / 6_000 + 2],
      [long, 2, long / 1_000 + 2],
      [Math.max(long, UNREPORTED_MS), 2, 1.5],
    ] as const) {
      const id = await client.start(world.project(13), countFile(LINES, seconds));
      await client.untilLogged(id, 'count', 'line-3\n');
      note(world, 13, `the worker of ${id} is cut off from Temporal for ${ms} ms`);
      border.cut();
      await delay(ms);
      border.open();
      const back = history.now();
      const status = await client.verdict(id);
      recoveryMs.push(history.now() - back);
      expectWhole(world, status, LINES);
      const { epoch } = jobOf(status, 'count');
      expectThat(epochs > 1 || epoch === 1, 'a short cut was noticed', status);
      expectThat(epochs === 1 || epoch > 1, 'a long cut was not noticed', status);
    }
    return { recoveryMs };
  },
};
