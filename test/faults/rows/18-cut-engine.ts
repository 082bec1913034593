import { setTimeout as delay } from 'node:timers/promises';
import { countFile, expectWhole, note, type Row } from './row.ts';

const LINES = 50;
/** Streams and calls to the engine break: the worker reconnects, and waits for its container by name. */
export const cutEngine: Row = {
  row: 18,
  fault: 'link to the engine drops',
  moment: 'attach',
  lane: 'arch',
  async run(world) {
    const { client, history, random } = world;
    const id = await client.start(world.project(18), countFile(LINES, 5));
    await client.untilLogged(id, 'count', 'line-3\n');
    const border = world.border('arch>engine');
    for (let times = 0; times < 3; times++) {
      note(world, 18, `the link of the worker of ${id} to its engine drops`);
      border.cut();
      await delay(200 + random.below(500));
      border.open();
      await delay(300);
    }
    const back = history.now();
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [history.now() - back] };
  },
};
