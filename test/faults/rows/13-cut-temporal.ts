import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectThat, expectWhole, jobOf, note, type Row } from './row.ts';

const LINES = 60;
/** Shorter than the heartbeat timeout: nothing is noticed. Longer: the old try is closed, the container is taken over. */
export const cutTemporal: Row = {
  row: 13,
  fault: 'network cut worker - Temporal, shorter and longer than the heartbeat timeout',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const recoveryMs: number[] = [];
    const border = world.border('arch>temporal');
    for (const [ms, epochs] of [
      [profile.heartbeatMs / 6, 1],
      [Math.max(profile.cutMs, profile.heartbeatMs + 2_500), 2],
    ] as const) {
      const id = await client.start(world.project(13), countFile(LINES, ms / 1_000 + 2));
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
