import { expect, test } from 'vitest';
import { durationText } from '../../../src/utils/duration.ts';

test.each([
  [-3_000, '0 ms'],
  [120, '120 ms'],
  [5_000, '5 s'],
  [3_400, '3.4 s'],
  [59_600, '59.6 s'],
  [59_960, '1 min'],
  [240_000, '4 min'],
  [119_900, '2 min'],
  [260_000, '4 min 20 s'],
  [3_599_900, '1 h'],
  [7_500_000, '2 h 5 min'],
  [86_400_000, '24 h'],
  [259_200_000, '3 days'],
  [300_000_000, '3 days 11 h'],
])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text));
