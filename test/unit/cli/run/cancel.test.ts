import { expect, test, vi } from 'vitest';
import { cancelWithRetry } from '../../../../src/cli/run/cancel.ts';
import { DavitError } from '../../../../src/errors.ts';

const away = new DavitError('cli/no-server', 'The server does not answer.');
const never = new AbortController().signal;

test('a cancel is retried until the server accepts it, and the outage is reported once', async () => {
  const cancel = vi.fn(async () => {
    if (cancel.mock.calls.length < 3) throw away;
    return { accepted: true as const };
  });
  const onAway = vi.fn();
  expect(await cancelWithRetry({ cancel }, { id: 'table/3', signal: never, onAway })).toBe(true);
  expect(cancel).toHaveBeenCalledTimes(3);
  expect(onAway).toHaveBeenCalledTimes(1);
});
test('a pipeline that has ended by itself is not asked again', async () => {
  const cancel = vi.fn(async () => {
    throw new DavitError('pipeline/ended', 'The pipeline table/3 has ended already (success).');
  });
  const asked = cancelWithRetry({ cancel }, { id: 'table/3', signal: never, onAway: () => undefined });
  await expect(asked).rejects.toMatchObject({ code: 'pipeline/ended' });
  expect(cancel).toHaveBeenCalledTimes(1);
});
test('an abort ends the retries', async () => {
  const letGo = new AbortController();
  const cancel = vi.fn(async () => {
    throw away;
  });
  const onAway = (): void => letGo.abort();
  expect(await cancelWithRetry({ cancel }, { id: 'table/3', signal: letGo.signal, onAway })).toBe(false);
});
