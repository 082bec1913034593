/** davit without one of its mechanisms breaks an invariant, and the checker sees it: so a run that holds says something. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MECHANISMS, type Mechanism } from '../faults/mechanisms.ts';
import { SHORT } from '../faults/profile.ts';
import { without } from '../faults/without.ts';
import { World } from '../faults/world.ts';

const ROW_MS = 240_000;
let world: World;
beforeAll(async () => {
  world = await World.start(1, SHORT);
}, 240_000);
afterAll(() => world?.close(), 120_000);

const cases = Object.entries(MECHANISMS).map(([name, mechanism]): [string, Mechanism] => [name, mechanism]);
const calm = cases.filter(([, { calm }]) => calm);
const rough = cases.filter(([, { calm }]) => !calm);

test('each invariant has a mechanism that can be taken away', () => {
  const broken = new Set(cases.map(([, { breaks }]) => breaks));
  const all = Array.from({ length: 9 }, (_, at) => `I${at + 1}`);
  expect(all.filter((one) => ![...broken].includes(one as never))).toEqual([]);
});

test(
  `side by side: without ${calm.map(([name]) => `"${name}"`).join(', ')}`,
  async () => {
    const ends = await Promise.all(
      calm.map(async ([name, mechanism]) => ({ name, instead: await without(world, mechanism) })),
    );
    expect(ends.filter(({ instead }) => instead !== undefined)).toEqual([]);
    await world.heal();
  },
  ROW_MS,
);

test.each(rough)(
  'without "%s"',
  async (_, mechanism) => {
    expect(await without(world, mechanism)).toBeUndefined();
    await world.heal();
  },
  ROW_MS,
);
