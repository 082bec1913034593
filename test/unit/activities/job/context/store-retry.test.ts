import { expect, test } from 'vitest';
import { retryUntilStored } from '../../../../../activities/job/context/store-retry.ts';
import { retryWhileStoreUnavailable } from '../../../../../activities/runtime/retry-policies.ts';
import { verdictOfError } from '../../../../../activities/job/container/verdict.ts';
import { DavitError } from '../../../../../src/errors.ts';

const full = new DavitError('store/no-space', 'There is no space left for a blob.');
const failing = (times: number, error: Error = full) => {
  const work = {
    tries: 0,
    run: async (): Promise<string> => {
      work.tries += 1;
      if (work.tries <= times) throw error;
      return 'stored';
    },
  };
  return work;
};
const job = (left: boolean) => ({
  storeLimit: new AbortController(),
  lease: { left } as Parameters<typeof retryUntilStored>[0]['lease'],
});

test('a full store is asked again until it has space', async () => {
  const work = failing(2);
  expect(await retryWhileStoreUnavailable(new AbortController().signal, work.run)).toBe('stored');
  expect(work.tries).toBe(3);
});
test('an error that waiting does not fix is reported at once', async () => {
  const work = failing(1, new DavitError('job/artifacts', 'too large'));
  await expect(retryUntilStored(job(false), work.run)).rejects.toMatchObject({ code: 'job/artifacts' });
  expect(work.tries).toBe(1);
});
test('after the limit the store is the cause of the failure, not the script', async () => {
  const one = job(false);
  setTimeout(() => one.storeLimit.abort(), 50);
  const error: unknown = await retryUntilStored(one, failing(100).run).catch((reason: unknown) => reason);
  expect(error).toBe(full);
  expect(verdictOfError(error)).toMatchObject({ outcome: 'errored', kind: 'no_space' });
});
test('a job that continues elsewhere gets no result from here', async () => {
  const one = job(true);
  one.storeLimit.abort();
  const said = retryUntilStored(one, failing(100).run).then(
    () => 'ended',
    () => 'ended',
  );
  const still = new Promise((resolve) => setTimeout(() => resolve('nothing'), 100));
  expect(await Promise.race([said, still])).toBe('nothing');
});
