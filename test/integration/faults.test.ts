/** Every row of the fault matrix that is implemented, once, in the short profile, on one world; then the checker over it all. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import { settle } from '../faults/final.ts';
import { SHORT } from '../faults/profile.ts';
import { ROWS } from '../faults/rows/index.ts';
import { World } from '../faults/world.ts';

const SEED = 1;
let world: World;
beforeAll(async () => {
  world = await World.start(SEED, SHORT);
}, 180_000);
afterAll(() => world?.close(), 120_000);

test.each(ROWS.map((row) => ({ ...row, name: `row ${row.row}: ${row.fault}, ${row.moment}` })))(
  '$name',
  async (row) => {
    try {
      await row.run(world);
    } finally {
      await world.heal();
    }
  },
  120_000,
);

test('nothing lost, nothing twice: I1 to I9 hold over all of it', async () => {
  await settle(world);
  expect(check(world.history.events)).toEqual([]);
}, 300_000);
