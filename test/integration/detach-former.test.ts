/** A second worker of one engine, on another machine, starts: it ends nothing of one that is alive. Real Temporal. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { detachFormer } from '../../activities/detach-former.ts';
import { planOf } from '../support/plans.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

test('only who has sent no heartbeat for a while is taken for dead', async () => {
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
    quiet: () => new Promise((resolve) => setTimeout(resolve, 1_500)),
  });
  expect(found).toEqual(['dead/1/1']);
  await world.when(id, 'the dead one goes on', ({ jobs }) => jobs[1]?.outcome === 'succeeded');
  world.fakes.open('two', 'done');
  const status = await world.end(id);
  expect(status.jobs.map(({ attempt, epoch }) => `${attempt}/${epoch}`)).toEqual(['1/1', '1/2']);
});
