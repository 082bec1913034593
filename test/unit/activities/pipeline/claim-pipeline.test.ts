import { expect, test } from 'vitest';
import { makeClaimPipeline } from '../../../../activities/pipeline/claim-pipeline.ts';
import { memoryRecords } from '../fakes.ts';

const event = (key: string, claimId: string, project = 'table') => ({
  project,
  key,
  deliveryId: 'd',
  claimId,
});

test('one event gets one number, however often it is claimed', async () => {
  const claim = makeClaimPipeline({ records: memoryRecords() });
  const first = await claim(event('push:main:a:b', 'one'));
  expect(first).toEqual({ iid: 1, number: 1, fresh: true });
  expect(await claim(event('push:main:a:b', 'one'))).toEqual(first);
  expect(await claim(event('push:main:a:b', 'two'))).toEqual({ iid: 1, number: 1, fresh: false });
  expect(await claim(event('push:main:b:c', 'three'))).toEqual({ iid: 2, number: 2, fresh: true });
});

test('two projects count their own pipelines, and the installation counts all, also for equal keys', async () => {
  const claim = makeClaimPipeline({ records: memoryRecords() });
  expect(await claim(event('k', 'one'))).toEqual({ iid: 1, number: 1, fresh: true });
  expect(await claim(event('k', 'two', 'chair'))).toEqual({ iid: 1, number: 2, fresh: true });
});

test('a crash between the counters and the claim wastes no number and starts nothing twice', async () => {
  const records = memoryRecords();
  const broken = { ...records, putIfAbsent: () => Promise.reject(new Error('power cut')) };
  await expect(makeClaimPipeline({ records: broken })(event('k', 'one'))).rejects.toThrow('power cut');
  const claim = makeClaimPipeline({ records });
  expect(await claim(event('k', 'one'))).toEqual({ iid: 1, number: 1, fresh: true });
  expect(await claim(event('l', 'two'))).toEqual({ iid: 2, number: 2, fresh: true });
});
