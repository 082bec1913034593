/** davit without one of its mechanisms breaks an invariant, and the checker sees it: so a run that holds says something. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import { settle } from '../faults/final.ts';
import { MECHANISMS, type Mechanism } from '../faults/mechanisms.ts';
import { SHORT } from '../faults/profile.ts';
import { ROWS } from '../faults/rows/index.ts';
import { World } from '../faults/world.ts';

const ROW_MS = 200_000;
/** Those that show while the row runs; the others need its logs and its list of pipelines. */
const isEarly = (breaks: string): boolean => breaks === 'I2' || breaks === 'I8';
let world: World;
beforeAll(async () => {
  world = await World.start(1, SHORT);
}, 240_000);
afterAll(() => world?.close(), 120_000);

const cases = Object.entries(MECHANISMS).map(([name, mechanism]): [string, Mechanism] => [name, mechanism]);
test.each(cases)(
  'without "%s"',
  async (_, { off, breaks, row: number }) => {
    const row = ROWS.find(({ row }) => row === number);
    if (!row) throw new Error(`there is no row ${number}`);
    const from = world.history.events.length;
    const backOn = off(world);
    const broken = (): boolean =>
      check(world.history.events.slice(from)).some((one) => one.invariant === breaks);
    const running = row.run(world).then(
      () => 'as required',
      (error: unknown) => String(error),
    );
    // A row that waits for what cannot come any more is not waited for.
    const early = world.client.until('a break', ROW_MS, () =>
      isEarly(breaks) && broken() ? 'broken' : undefined,
    );
    const outcome = await Promise.race([running, early]);
    backOn();
    await world.heal();
    if (outcome === 'broken') return;
    if (breaks === 'row') return expect(outcome).toContain('Break');
    await settle(world);
    expect(broken(), outcome).toBe(true);
  },
  240_000,
);
