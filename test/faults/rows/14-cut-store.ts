import { setTimeout as delay } from 'node:timers/promises';
import { atEffect, countFile, expectWhole, note, reached, type Row } from './row.ts';

const LINES = 60;
/**
 * The engine's own log is the spool: the script continues, and its log is complete when the store returns.
 */
const storeAway = (how: 'cut' | 'stall'): Row => ({
  row: 14,
  fault: how === 'cut' ? 'network cut worker - log store' : 'network worker - log store swallows everything',
  moment: 'script',
  long: true,
  async run(world) {
    const { client, history, profile } = world;
    const border = world.border('arch>server');
    const id = await client.start(world.project(14), countFile(LINES, profile.storeAwayMs / 1_000));
    await client.untilLogged(id, 'count', 'line-3\n');
    note(world, 14, `${how} between the worker of ${id} and the log store`);
    // An append whose response is lost is sent again: the store treats it as a repeat.
    const lost = atEffect(world, 'log append', { moment: 'after', answer: 'drop', act: () => undefined });
    await reached(world, lost.done, 'an append');
    border[how]();
    await delay(profile.storeAwayMs);
    border.open();
    const back = history.now();
    expectWhole(world, await client.verdict(id), LINES);
    return { recoveryMs: [history.now() - back] };
  },
});
export const cutStore = storeAway('cut');
export const stallStore = storeAway('stall');
