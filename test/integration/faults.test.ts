/**
 * The rows of the fault matrix that do not mostly wait, once, in the short profile, on one world; then the
 * checker over the whole history. Rows that touch nothing that others need run in parallel, and so do the
 * rows of different workers. At last davit without one of its mechanisms, under a row's fault: the broken
 * invariant then proves that the rows are meaningful.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import { scope } from '../faults/client.ts';
import { settle } from '../faults/final.ts';
import { randomOf } from '../faults/history.ts';
import { MECHANISMS, type Mechanism } from '../faults/mechanisms.ts';
import { SHORT } from '../faults/profile.ts';
import { ROWS } from '../faults/rows/index.ts';
import type { Row } from '../faults/rows/row.ts';
import { without } from '../faults/without.ts';
import { type Lane, World } from '../faults/world.ts';

const SEED = 1;
const ROW_MS = 240_000;
/** A row that takes longer on an idle machine belongs to `npm run faults`. */
const SLOW_MS = 12_000;
let world: World;
const took: { what: string; ms: number }[] = [];
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  try {
    return await work();
  } finally {
    took.push({ what, ms: performance.now() - from });
  }
}
beforeAll(async () => {
  world = await timed('the start', () => World.start(SEED, SHORT));
}, 240_000);
afterAll(async () => {
  await timed('the end', async () => world?.close());
  const slow = took.filter(({ ms }) => ms > SLOW_MS).map(({ what, ms }) => `${what}: ${Math.round(ms)} ms`);
  if (slow.length > 0) process.stderr.write(`More than ${SLOW_MS} ms took:\n${slow.join('\n')}\n`);
}, 120_000);

const short = ROWS.filter((row) => !row.long && !row.fleet);
const calm = short.filter((row) => row.calm);
const inLane = (lane: Lane): Row[] => short.filter((row) => row.lane === lane);
const alone = short.filter((row) => !row.calm && !row.lane);
const name = ({ row, fault, moment }: Row): string => `row ${row}: ${fault}, ${moment}`;

/** Its random choices are its own, whatever runs in parallel. */
function run(row: Row): Promise<unknown> {
  const random = randomOf(SEED * 1_000 + row.row);
  const of = { signal: new AbortController().signal, ids: new Set<string>(), random };
  return timed(name(row), () => scope.run(of, () => row.run(world)));
}

describe('side by side', () => {
  const runs = new Map<Row, Promise<unknown>>();
  const add = (row: Row, work: () => Promise<unknown>): Promise<unknown> => {
    const one = work();
    one.catch(() => undefined); // reported by its own test
    runs.set(row, one);
    return one;
  };
  function laneAfter(before: Promise<unknown>, lane: Lane): void {
    let last = before;
    for (const row of inLane(lane)) {
      const turn = last;
      last = add(row, async () => {
        await turn;
        await world.heal(lane);
        await run(row);
      }).catch(() => undefined);
    }
  }
  let pushed: Promise<unknown> = Promise.resolve();
  function startCalm(row: Row): Promise<unknown> {
    const before = row.pushes ? pushed : undefined;
    const one = add(row, async () => {
      await before;
      await run(row);
    });
    if (row.pushes) pushed = one.catch(() => undefined);
    return one;
  }
  beforeAll(() => {
    const rest = Promise.allSettled(calm.map(startCalm));
    laneAfter(rest, 'deploy');
    laneAfter(rest, 'arch');
  });
  test.each([...calm, ...inLane('arch'), ...inLane('deploy')].map((row) => ({ name: name(row), row })))(
    '$name',
    async ({ row }) => {
      await runs.get(row);
    },
    ROW_MS,
  );
});

describe('one after the other', () => {
  beforeAll(() => world.heal());
  test.each(alone.map((row) => ({ name: name(row), row })))(
    '$name',
    async ({ row }) => {
      try {
        await run(row);
      } finally {
        await world.heal();
      }
    },
    ROW_MS,
  );

  test('nothing lost, nothing twice: I1 to I9 hold over the whole run', async () => {
    await timed('the end of all pipelines', () => settle(world));
    expect(check(world.history.events)).toEqual([]);
  }, 400_000);
});

describe('without', () => {
  const all = Object.entries(MECHANISMS).map(([name, one]): [string, Mechanism] => [name, one]);
  const beside = all.filter(([, one]) => one.beside);

  test.each(all.filter(([, one]) => !one.beside))(
    '%s',
    async (name, mechanism) => {
      const instead = await timed(`without "${name}"`, () => without(world, [mechanism]));
      await world.heal();
      expect(instead).toEqual([undefined]);
    },
    ROW_MS,
  );

  const names = beside.map(([name]) => name).join(', ');
  test(
    `side by side: ${names}`,
    async () => {
      const mechanisms = beside.map(([, one]) => one);
      const instead = await timed(`without each of ${names}`, () => without(world, mechanisms));
      expect(instead).toEqual(mechanisms.map(() => undefined));
    },
    ROW_MS,
  );
});
