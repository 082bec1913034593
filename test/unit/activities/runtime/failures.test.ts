import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import { coded } from '../../../../activities/runtime/failures.ts';

const HALF = 'cut in the middle of \ud83d';
const thrownBy = (error: Error): Promise<unknown> =>
  coded(() => Promise.reject(error))(undefined).then(
    () => undefined,
    (failure: unknown) => failure,
  );

test('a code is the type of the failure; no stack goes into history', async () => {
  const failure = await thrownBy(new DavitError('log/fenced', 'Epoch 2 writes.'));
  expect(failure).toMatchObject({ type: 'log/fenced', nonRetryable: true, stack: '' });
});

test.each([new Error(HALF), new DavitError('forge/away', HALF), ApplicationFailure.nonRetryable(HALF)])(
  'a message with an incomplete character can be sent: %s',
  async (error) => {
    const failure = await thrownBy(error);
    expect(failure instanceof Error && failure.message).toContain('cut in the middle of \ufffd');
  },
);
