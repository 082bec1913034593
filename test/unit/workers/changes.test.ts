import { expect, test } from 'vitest';
import type { Change } from '../../../src/plan/model/protocol.ts';
import { ChangeSender } from '../../../workers/parts/changes.ts';

test('changes go one call at a time, of each pipeline and key the last, and a lost call loses no other', async () => {
  const calls: Change[][] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  const sender = new ChangeSender({
    tell: (changes) => {
      calls.push([...changes]);
      const answer = Promise.withResolvers<void>();
      answers.push(answer);
      return answer.promise;
    },
  });
  const one = (over: boolean): Change => ({ pipeline: 'table/1', over });
  const key: Change = { project: 'table', key: 'k' };
  sender.tell(one(false));
  sender.tell(one(false));
  sender.tell(key);
  sender.tell(one(true));
  expect(calls).toEqual([[one(false)]]);
  answers[0]?.reject(new Error('the server is away'));
  await expect.poll(() => calls).toEqual([[one(false)], [one(true), key]]);
  answers[1]?.resolve();
  await expect.poll(() => answers.length).toBe(2);
  sender.tell({ pipeline: 'table/2', over: false });
  await expect.poll(() => calls.length).toBe(3);
});
