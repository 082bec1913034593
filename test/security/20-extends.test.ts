/** Row 20: a chain of `extends` is a mistake of the file, however long. */
import { expect, test } from 'vitest';
import { mistakes } from '../unit/compiler/helpers.ts';

test.each([12, 3_000, 50_000])('%i levels of extends', (levels) => {
  const chain = Array.from({ length: levels }, (_, index) => `.t${index}: {extends: .t${index + 1}}`);
  const text = [...chain, `.t${levels}: {image: x}`, 'j: {extends: .t0, script: [echo]}'].join('\n');
  expect(mistakes(text).join('\n')).toContain('more than 11 levels');
});
