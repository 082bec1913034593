/** Which rows share a world when a run is spread over several davits. */
import { expect, test } from 'vitest';
import { shares } from '../../faults/worlds.ts';

test('every row is in one world, once', () => {
  const rows = [2, 3, 5, 6, 7, 8, 14, 14, 19];
  const all = shares(rows, 3).flat();
  expect(all.toSorted((one, other) => one - other)).toEqual([2, 3, 5, 6, 7, 8, 14, 19]);
});

test('the longest has a world of its own, always the same', () => {
  const once = shares([2, 6, 7, 8, 14], 2);
  expect(once).toEqual(shares([14, 8, 7, 6, 2], 2));
  expect(once).toContainEqual([14]);
});

test('no world is empty', () => {
  expect(shares([2, 3], 5)).toHaveLength(2);
});
