/** The rows of the fault matrix that do not mostly wait, once, in the short profile, on one world; then the checker over it all. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import { settle } from '../faults/final.ts';
import { SHORT } from '../faults/profile.ts';
import { ROWS } from '../faults/rows/index.ts';
import { World } from '../faults/world.ts';

const SEED = 1;
const ROW_MS = 180_000;
let world: World;
beforeAll(async () => {
  world = await World.start(SEED, SHORT);
}, 240_000);
afterAll(() => world?.close(), 120_000);

const name = ({ row, fault, moment }: (typeof ROWS)[number]): string => `row ${row}: ${fault}, ${moment}`;
const calm = ROWS.filter((row) => row.calm);
const rough = ROWS.filter((row) => !row.calm && !row.long);

test(
  `side by side: rows ${calm.map(({ row }) => row).join(', ')}`,
  async () => {
    const ends = await Promise.allSettled(calm.map((row) => row.run(world)));
    const failed = ends.flatMap((end, at) =>
      end.status === 'rejected' ? [`${calm[at] && name(calm[at])}: ${String(end.reason)}`] : [],
    );
    expect(failed).toEqual([]);
  },
  ROW_MS,
);

test.each(rough.map((row) => ({ name: name(row), row })))(
  '$name',
  async ({ row }) => {
    try {
      await row.run(world);
    } finally {
      await world.heal();
    }
  },
  ROW_MS,
);

test('nothing lost, nothing twice: I1 to I9 hold over all of it', async () => {
  await settle(world);
  expect(check(world.history.events)).toEqual([]);
}, 400_000);
