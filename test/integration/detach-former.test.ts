/**
 * Workers and machines that return: a second worker of one engine ends nothing of a live one, and a machine
 * that was given up drops its job when it returns. Real Temporal.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { detachFormer } from '../../activities/job/detach-former.ts';
import { planOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

test('only a worker without recent heartbeats counts as dead', async () => {
  world.project('two', {
    plan: planOf([{ key: 'alive' }, { key: 'dead' }]),
    limits: { heartbeatTimeoutMs: 60_000 },
    behaviours: { alive: [{ until: 'done' }], dead: [{ silent: 'with-host' }, {}] },
  });
  const id = await world.push('two');
  await world.when(id, 'both run', () => world.runs('two') === 2);
  const found = await detachFormer({
    client: world.client,
    installation: 'none',
    hostId: 'h1',
    isFormer: () => true,
    quiet: () => delay(1_500),
  });
  expect(found).toEqual(['dead/1/1']);
  await world.when(id, 'the dead one goes on', ({ jobs }) => jobs[1]?.outcome === 'succeeded');
  world.fakes.open('two', 'done');
  const status = await world.end(id);
  expect(status.jobs.map(({ attempt, epoch }) => `${attempt}/${epoch}`)).toEqual(['1/1', '1/2']);
});

test('a machine that returns after it was declared lost drops the job at once, while the pipeline continues', async () => {
  world.project('late', {
    plan: planOf([{ key: 'lost' }, { key: 'open' }]),
    limits: { heartbeatTimeoutMs: 1_000, hostGraceMs: 500 },
    behaviours: { lost: [{ silent: 'with-host', host: 'late' }], open: [{ until: 'done' }] },
  });
  const id = await world.push('late');
  await world.when(id, 'it is lost', ({ jobs }) => jobs[0]?.result?.kind === 'host_lost');
  const { address, namespace } = world.temporal;
  const connection = await NativeConnection.connect({ address });
  const activities = { ...world.fakes.activities() };
  const worker = await Worker.create({ connection, namespace, taskQueue: 'host-late', activities });
  await worker.runUntil(
    until('its container goes', async () =>
      world.fakes.journal('late').find(({ activity, job }) => activity === 'releaseJobs' && job === 'lost'),
    ),
  );
  await connection.close();
  world.fakes.open('late', 'done');
  expect((await world.end(id)).jobs.map(({ outcome }) => outcome)).toEqual(['errored', 'succeeded']);
});
