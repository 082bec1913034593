import { describe, expect, test } from 'vitest';
import { coverageOfLog } from '../../../../../activities/job/finish/coverage.ts';
import { MemoryLogs } from '../../../../support/job-stores.ts';

const ref = { pipeline: 'p/1', job: 'j', attempt: 1 } as const;
async function of(text: string, regex = '/^total: (\\d+)/'): Promise<number | undefined> {
  const logs = new MemoryLogs();
  await logs.open(ref, 1);
  await logs.append(ref, { epoch: 1, offset: 0, bytes: Buffer.from(text) });
  return coverageOfLog(logs, ref, regex);
}

describe('coverage in a log', () => {
  test('is in the last line that has a value', async () => {
    expect(await of('total: 1\ntotal: 2\r\nother\n')).toBe(2);
    expect(await of('nothing\n')).toBeUndefined();
    expect(await of('')).toBeUndefined();
  });
  test('is found across the borders of read windows', async () => {
    const filler = `${'x'.repeat(99)}\n`;
    for (const lines of [10_485, 10_486, 20_971, 20_972, 31_000])
      expect(await of(`a\ntotal: 77\n${filler.repeat(lines)}`)).toBe(77);
    expect(await of(`total: 5\n${'x'.repeat(3_000_000)}\n`)).toBe(5);
  });
});
