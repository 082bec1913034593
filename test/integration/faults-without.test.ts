/** davit without one of its mechanisms breaks an invariant, and the checker sees it: so a run that holds says something. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import { settle } from '../faults/final.ts';
import { MECHANISMS, type Mechanism } from '../faults/mechanisms.ts';
import { SHORT } from '../faults/profile.ts';
import { ROWS } from '../faults/rows/index.ts';
import { World } from '../faults/world.ts';

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
    const outcome = await row.run(world).then(
      () => 'as required',
      (error: unknown) => String(error),
    );
    backOn();
    await world.heal();
    if (breaks === 'row') return expect(outcome).toContain('Break');
    await settle(world);
    const found = check(world.history.events.slice(from)).map(({ invariant }) => invariant);
    expect(found, outcome).toContain(breaks);
  },
  240_000,
);
