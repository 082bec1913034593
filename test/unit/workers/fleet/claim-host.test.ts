import { expect, test } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import type { FleetAnswer } from '../../../../src/plan/model/fleet.ts';
import { claimHost } from '../../../../workers/parts/fleet/claim-host.ts';
import { spaceIn } from '../../../../workers/parts/fleet/machine-checks.ts';
import type { Report } from '../../../../workers/parts/fleet/presence.ts';

const claim = (answers: (FleetAnswer | DavitError)[]) => {
  const said: string[] = [];
  const asked = { times: 0 };
  const report = async (): Promise<FleetAnswer> => {
    const answer = answers[Math.min(asked.times++, answers.length - 1)] ?? {};
    if (answer instanceof DavitError) throw answer;
    return answer;
  };
  const claimed = claimHost({
    fleet: { report },
    report: async () => ({ id: 'w' }) as Report,
    log: (text) => said.push(text),
    againMs: 1,
  });
  return { claimed, said, asked };
};
const refused = { refused: { message: 'It has the id of board1.' } };

test('waits until the server has decided, and while the server is away', async () => {
  const away = new DavitError('store/unreachable', 'away');
  const { claimed, said, asked } = claim([
    { undecided: true },
    away,
    { undecided: true },
    { draining: true },
  ]);
  expect(await claimed).toEqual({ draining: true });
  expect(asked.times).toBe(4);
  expect(said).toHaveLength(1);
});

test('a refusal that stays ends the worker, one that passes does not', async () => {
  expect(await claim([refused, refused, {}]).claimed).toEqual({});
  await expect(claim([refused]).claimed).rejects.toMatchObject({
    code: 'worker/twin',
    message: 'It has the id of board1.',
  });
});

test('a refused token ends the worker', async () => {
  const { claimed } = claim([new DavitError('auth/missing', 'no')]);
  await expect(claimed).rejects.toMatchObject({ code: 'auth/missing' });
});

test('the size of a disk as df tells it', () => {
  const text = `Filesystem           1024-blocks    Used Available Capacity Mounted on
/dev/mapper/a-very-long-name
                      30832548  12345678  16897284  42% /davit-data
`;
  expect(spaceIn(text)).toEqual({ freeBytes: 16897284 * 1024, totalBytes: 30832548 * 1024 });
  expect(() => spaceIn('df: not found')).toThrow('did not tell the size');
});
