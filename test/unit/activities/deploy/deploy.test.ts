import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test, vi } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import type { DeployTarget } from '../../../../src/adapters/ports.ts';
import { asActivity } from '../fakes.ts';
import { retryOf } from '../../../../src/plan/policy/job-retry.ts';
import { IMAGE, nothing, fakeTarget, SERVER_MS, SWARM, setUp } from './bench.ts';

const cancelRequested = ActivityCancellationDetails.fromProto({ isCancelled: true });

test('uses the digest, waits until the target has settled, and applies once', async () => {
  const fake = fakeTarget();
  const { activities, input, logs } = setUp(fake);
  const deploy = await input();
  expect(await asActivity(activities.applyDeploy, deploy)).toMatchObject({
    kind: 'applied',
    previous: undefined,
    state: { target: 'prod', service: 'table', image: IMAGE, seq: 3 },
  });
  expect(await asActivity(activities.applyDeploy, deploy)).toMatchObject({ kind: 'already' });
  expect(fake.calls).toEqual(['apply table/7 deploy 1 3']);
  const result = await asActivity(activities.watchDeploy, deploy);
  expect(result).toMatchObject({ outcome: 'succeeded', deployed: { state: 'converged', image: IMAGE } });
  expect(logs.text()).toContain(IMAGE);
});

test('a clock that jumps between apply and watch, or during the watch, ends no wait', async () => {
  const fake = fakeTarget();
  const { activities, input } = setUp(fake);
  const deploy = await input();
  vi.useFakeTimers({ toFake: ['Date'], now: SERVER_MS });
  try {
    await asActivity(activities.applyDeploy, deploy);
    fake.set({ rollout: 'updating', running: 0 });
    vi.setSystemTime(SERVER_MS + 600_000);
    const watching = asActivity(activities.watchDeploy, deploy);
    await new Promise((resolve) => setTimeout(resolve, 50));
    vi.setSystemTime(SERVER_MS + 1_200_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    fake.set({ rollout: 'completed', running: 1 });
    expect(await watching).toMatchObject({ outcome: 'succeeded', deployed: { state: 'converged' } });
  } finally {
    vi.useRealTimers();
  }
});

test('a newer deployment at the target: outdated, nothing is written', async () => {
  const fake = fakeTarget({
    start: { exists: true, owner: 'table', seq: 9, deployIds: ['newer'], image: 'new' },
  });
  const { activities, input } = setUp(fake);
  expect(await asActivity(activities.applyDeploy, await input())).toMatchObject({ kind: 'outdated' });
  expect(fake.calls).toEqual([]);
});

test('after a conflict it reads and decides again', async () => {
  const fake = fakeTarget({ conflicts: 2 });
  const { activities, input } = setUp(fake);
  expect(await asActivity(activities.applyDeploy, await input())).toMatchObject({ kind: 'applied' });
  expect(fake.calls).toHaveLength(3);
});

test('a cancel whose request got no response reports the state of the target', async () => {
  for (const applied of [true, false]) {
    const fake = fakeTarget();
    const environment = new MockActivityEnvironment();
    const target: DeployTarget = {
      ...fake.target,
      async apply(request) {
        if (applied) await fake.target.apply(request);
        environment.cancel('CANCELLED', cancelRequested);
        throw new DavitError('target/unreachable', 'The target did not answer.');
      },
    };
    const { activities, input } = setUp({ ...fake, target });
    const deploy = await input();
    const answer = environment.run(activities.applyDeploy, deploy);
    if (applied) expect(await answer).toMatchObject({ kind: 'already' });
    else await expect(answer).rejects.toMatchObject({ name: 'CancelledFailure' });
  }
});

test('a cancelled deployment of unknown state is looked up, and not applied', async () => {
  const fake = fakeTarget();
  const { activities, input } = setUp(fake);
  const deploy = await input();
  const look = { ...deploy, onlyLook: true, ref: { ...deploy.ref, epoch: 2 } };
  expect(await asActivity(activities.applyDeploy, look)).toMatchObject({
    kind: 'failed',
    result: { outcome: 'cancelled', started: false },
  });
  expect(fake.calls).toEqual([]);
  fake.set({ exists: true, owner: 'table', deployIds: [deploy.deployId], seq: 3 });
  const again = { ...look, ref: { ...deploy.ref, epoch: 3 } };
  expect(await asActivity(activities.applyDeploy, again)).toMatchObject({ kind: 'already' });
});

test('a worker that was frozen between its read and its request finds that another dispatch has followed', async () => {
  const fake = fakeTarget();
  const newer = Promise.withResolvers<void>();
  const looked = Promise.withResolvers<void>();
  const target: DeployTarget = {
    ...fake.target,
    async read() {
      looked.resolve();
      await newer.promise;
      return nothing;
    },
  };
  const { activities, input, logs } = setUp({ ...fake, target });
  const deploy = await input();
  const old = asActivity(activities.applyDeploy, deploy);
  await looked.promise;
  await logs.open(deploy.ref, 2);
  newer.resolve();
  await expect(old).rejects.toMatchObject({ type: 'log/fenced' });
  expect(fake.calls).toEqual([]);
});

test('an outage of the stores ends no deployment, in any step', async () => {
  const fake = fakeTarget({
    start: { exists: true, owner: 'table', seq: 1, deployIds: ['old'], snapshot: 'spec of old' },
  });
  const { activities, input, blobs, records } = setUp(fake);
  const deploy = await input();
  const away = (): void => {
    const gone = (): Promise<never> => Promise.reject(new DavitError('store/unreachable', 'No answer.'));
    vi.spyOn(blobs, 'getBytes').mockImplementationOnce(gone);
    vi.spyOn(blobs, 'putBytes').mockImplementationOnce(gone);
    vi.spyOn(records, 'get').mockImplementationOnce(gone);
    vi.spyOn(records, 'put').mockImplementationOnce(gone);
  };
  away();
  expect(await asActivity(activities.applyDeploy, deploy)).toMatchObject({ kind: 'applied' });
  away();
  expect(await asActivity(activities.watchDeploy, deploy)).toMatchObject({ outcome: 'succeeded' });
  away();
  const rollback = { ...deploy, previous: undefined, newSeq: 4 };
  expect(await asActivity(activities.rollbackDeploy, rollback)).toMatchObject({ state: 'rolled_back' });
  expect(fake.calls.map((call) => call.split(' ')[0])).toEqual(['apply', 'restore']);
  vi.restoreAllMocks();
});

test("a machine's failure before the target was asked may be retried without a person", async () => {
  const fake = fakeTarget();
  const { activities, input, blobs } = setUp(fake);
  const deploy = await input();
  vi.spyOn(blobs, 'getBytes').mockRejectedValue(new DavitError('store/corrupt', 'A bad disk.'));
  const answer = await asActivity(activities.applyDeploy, deploy);
  expect(answer).toMatchObject({ kind: 'failed', result: { outcome: 'errored', started: false } });
  expect(fake.calls).toEqual([]);
  vi.restoreAllMocks();
});

test('a fork does not deploy, and a deployment without its digest fails with a message', async () => {
  const fake = fakeTarget();
  const { activities, input } = setUp(fake);
  const fork = await asActivity(activities.applyDeploy, await input({ spec: { fork: true } }));
  expect(fork).toMatchObject({ kind: 'failed', result: { outcome: 'failed', kind: 'config' } });
  const bare = await asActivity(activities.applyDeploy, await input({ input: { indexes: [] } }));
  expect(bare).toMatchObject({ kind: 'failed', result: { kind: 'missing_dependency' } });
  expect(fake.calls).toEqual([]);
});

test('a tag that the registry lacks fails at once with its reason, and a retry does not repeat it', async () => {
  const fake = fakeTarget();
  const none = { index: async () => undefined, manifest: async () => undefined };
  const { activities, input, logs } = setUp(fake, {}, none);
  const spec = { imageFrom: undefined, image: '127.0.0.1:5000/table:v9' };
  const answer = await asActivity(activities.applyDeploy, await input({ spec }));
  expect(answer).toMatchObject({
    kind: 'failed',
    result: { outcome: 'failed', kind: 'config', started: false },
  });
  const said = '127.0.0.1:5000 has no image 127.0.0.1:5000/table:v9. Push it';
  expect(answer.kind === 'failed' && answer.result.message).toContain(said);
  expect(logs.text()).toContain(said);
  const result = answer.kind === 'failed' ? answer.result : undefined;
  const job = {
    kind: 'deploy' as const,
    rerunnable: false,
    retry: { max: 2, when: ['always'], exitCodes: [] },
  };
  expect(result && retryOf(job, result, { auto: 0, retry: 0, autoMax: 2 })).toBe('no');
  expect(fake.calls).toEqual([]);
});

test('a failed rollout is reported in the words of the target, and rolled back once', async () => {
  const fake = fakeTarget({
    broken: true,
    start: {
      exists: true,
      owner: 'table',
      deployIds: ['before'],
      seq: 2,
      snapshot: 'spec before',
      running: 1,
      desired: 1,
    },
  });
  const { activities, input, blobs } = setUp(fake);
  const deploy = await input();
  const applied = await asActivity(activities.applyDeploy, deploy);
  const previous = applied.kind === 'applied' ? applied.previous : undefined;
  expect(previous).toMatch(/^sha256:/);
  expect(blobs.text(previous ?? '')).not.toContain('spec before');
  const result = await asActivity(activities.watchDeploy, deploy);
  expect(result).toMatchObject({ outcome: 'failed', kind: 'rollout', deployed: { state: 'unknown' } });
  expect(result.message).toContain('non-zero exit (1)');
  const back = { ...deploy, previous, newSeq: 4 };
  expect(await asActivity(activities.rollbackDeploy, back)).toMatchObject({
    state: 'rolled_back',
    seq: 4,
    image: 'old',
    pipeline: 'table/5',
  });
  expect(await asActivity(activities.rollbackDeploy, back)).toMatchObject({ state: 'rolled_back' });
  expect(fake.calls.filter((call) => call.startsWith('restore'))).toEqual([
    'restore spec before table/7 deploy 1+rollback 4',
  ]);
});

test('a worker that dies right after applying has not lost the replaced state', async () => {
  const fake = fakeTarget({
    broken: true,
    start: { exists: true, owner: 'table', deployIds: ['before'], seq: 2, snapshot: 'spec before' },
  });
  const { activities, input } = setUp(fake);
  const deploy = await input();
  const applied = await asActivity(activities.applyDeploy, deploy);
  expect(applied).toMatchObject({ kind: 'applied', previous: expect.stringMatching(/^sha256:/) });
  const previous = applied.kind === 'applied' ? applied.previous : undefined;
  const again = await asActivity(activities.applyDeploy, { ...deploy, ref: { ...deploy.ref, epoch: 2 } });
  expect(again).toMatchObject({ kind: 'already', previous });
  const state = await asActivity(activities.rollbackDeploy, { ...deploy, newSeq: 4 });
  expect(state.state).toBe('rolled_back');
  expect(fake.calls.at(-1)).toContain('spec before');
});

test('the first deployment of a service is rolled back by removing it', async () => {
  const fake = fakeTarget({ broken: true });
  const { activities, input } = setUp(fake);
  const deploy = await input();
  await asActivity(activities.applyDeploy, deploy);
  const back = { ...deploy, newSeq: 4 };
  expect(await asActivity(activities.rollbackDeploy, back)).toMatchObject({
    state: 'rolled_back',
    image: '',
  });
  expect(await asActivity(activities.rollbackDeploy, back)).toMatchObject({ state: 'rolled_back' });
  expect(fake.calls.filter((call) => call.startsWith('restore'))).toHaveLength(1);
});

test('a foreign or newer deployment, or one whose file says pause, is not rolled back', async () => {
  const fake = fakeTarget({ broken: true });
  const { activities, input } = setUp(fake);
  const deploy = await input();
  expect(await asActivity(activities.rollbackDeploy, { ...deploy, newSeq: 4 })).toMatchObject({
    state: 'unchanged',
  });
  await asActivity(activities.applyDeploy, deploy);
  fake.set({ seq: 8 });
  expect(await asActivity(activities.rollbackDeploy, { ...deploy, newSeq: 4 })).toMatchObject({
    state: 'unchanged',
  });
  fake.set({ seq: 3 });
  expect(await asActivity(activities.watchDeploy, deploy)).toMatchObject({ kind: 'rollout' });
  expect(fake.calls.some((call) => call.startsWith('restore'))).toBe(false);
});

test('a target that never starts ends at its deadline, one that is replaced is outdated', async () => {
  const fake = fakeTarget();
  const { activities, input } = setUp(fake);
  const deploy = await input({
    spec: {
      swarm: { ...SWARM, convergeTimeoutMs: 30 },
    },
  });
  await asActivity(activities.applyDeploy, deploy);
  fake.set({ running: 0, rollout: 'updating' });
  const late = await asActivity(activities.watchDeploy, deploy);
  expect(late).toMatchObject({ outcome: 'failed', kind: 'rollout' });
  expect(late.message).toContain('0 of 1 tasks run');
  fake.set({ seq: 12, deployIds: ['other'] });
  expect(await asActivity(activities.watchDeploy, deploy)).toMatchObject({
    outcome: 'skipped',
    kind: 'outdated',
  });
});
