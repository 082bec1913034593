import { expect, test } from 'vitest';
import { deepest, depthOf, USUAL_DEPTH, WHOLE } from '../../../../src/plan/policy/git-depth.ts';
import type { SpecVariable } from '../../../../src/plan/model/spec.ts';

const spec = (literal: string, more: Partial<SpecVariable> = {}) => ({
  variables: [{ name: 'GIT_DEPTH', value: { literal }, masked: false, file: false, ...more }],
});

test.each([
  ['', USUAL_DEPTH],
  ['5', USUAL_DEPTH],
  ['50', 50],
  ['0', WHOLE],
  ['-1', USUAL_DEPTH],
  ['all', USUAL_DEPTH],
])('GIT_DEPTH %j is %i commits', (text, depth) => expect(depthOf(spec(text))).toBe(depth));
test('a value that only the host knows is ignored', () => {
  expect(depthOf(spec('${N}0', { late: true }))).toBe(USUAL_DEPTH);
  expect(depthOf({ variables: [] })).toBe(USUAL_DEPTH);
});
test('one source is deep enough for all jobs', () => {
  expect(deepest([spec('30'), spec('5'), spec('40')])).toBe(40);
  expect(deepest([spec('30'), spec('0')])).toBe(WHOLE);
  expect(deepest([])).toBe(USUAL_DEPTH);
});
