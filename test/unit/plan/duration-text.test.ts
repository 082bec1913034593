import { expect, test } from 'vitest';
import { durationText } from '../../../src/plan/duration.ts';

test.each([
  [120, '120 ms'],
  [5_000, '5 s'],
  [3_400, '3.4 s'],
  [240_000, '4 min'],
  [119_900, '2 min'],
  [260_000, '4 min 20 s'],
  [3_599_900, '1 h'],
  [7_500_000, '2 h 5 min'],
])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text));
