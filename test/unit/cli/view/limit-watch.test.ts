import { expect, test } from 'vitest';
import { LimitWatch } from '../../../../src/cli/view/limit-watch.ts';

test('a log that was cut is recognised, in whatever pieces it comes', () => {
  const text =
    'line\nWARNING: The log has reached its limit of 1024 bytes; the job runs on, its output is dropped.\nend';
  for (const size of [1, 7, 40, 1_000]) {
    const watch = new LimitWatch();
    for (let at = 0; at < text.length; at += size) watch.push(text.slice(at, at + size));
    expect(watch.found).toBe(true);
  }
  const other = new LimitWatch();
  other.push('The log has reached its end');
  expect(other.found).toBe(false);
});
