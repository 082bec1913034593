/** Workflows on a real Temporal server, activities played by fakes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planOf } from '../support/plans.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

describe('a pipeline', () => {
  test('runs three jobs, each when its needs are done, and closes with its verdict', async () => {
    world.project('three', {
      plan: planOf([
        { key: 'build', stage: 'build' },
        { key: 'unit', stage: 'test' },
        { key: 'ship', stage: 'ship', needs: ['unit'] },
      ]),
    });
    const id = await world.push('three');
    const status = await world.end(id);
    expect(status.state).toBe('success');
    expect(status.jobs.map((job) => [job.key, job.outcome, job.attempt, job.epoch])).toEqual([
      ['build', 'succeeded', 1, 1],
      ['unit', 'succeeded', 1, 1],
      ['ship', 'succeeded', 1, 1],
    ]);
    const ran = world.fakes.journal('three').filter((entry) => entry.activity === 'runJob');
    expect(ran.map((entry) => entry.job)).toEqual(['build', 'unit', 'ship']);
  });
});
