/**
 * Random actions of people in random order: no job of a fork is dispatched before its pipeline was admitted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { Decision, PipelineStatus } from '../../src/plan/model/protocol.ts';
import { forkPlan } from '../../src/plan/policy/fork-plan.ts';
import { decide, signalRerun } from '../../src/temporal/calls.ts';
import { planOf, SPEC } from '../support/plans.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const KEY = 'run this fork';
const plan = forkPlan(
  {
    ...planOf([
      { key: 'unit' },
      { key: 'at-once', needs: [] },
      { key: 'always', stage: 'z', when: 'always' },
      { key: 'by-hand', stage: 'z', when: 'manual', needs: [] },
      { key: 'deploy', stage: 'z', kind: 'deploy', target: 'prod', queue: 'deploy-prod' },
    ]),
    trust: { protectedRef: false, fork: true },
  },
  { key: KEY, approvers: ['developer', 'operator'], expiresInMs: 600_000, spec: SPEC },
);
const dispatched = (slug: string) =>
  world.fakes
    .journal(slug)
    .filter((entry) => /^(runJob|applyDeploy|pushImage|buildImage)$/.test(entry.activity));
const decision = (action: Decision['action'], job = KEY, role: Decision['role'] = 'developer'): Decision => ({
  action,
  job,
  actor: role === 'reader' ? 'rita' : 'dora',
  role,
});

test('after "run" it runs without protected data; after a rejection nothing of it runs', async () => {
  world.project('admitted', { plan });
  const id = await world.push('admitted', { fork: true });
  await expect.poll(async () => (await world.status(id))?.waitingFor, { timeout: 20_000 }).toContain('gate');
  expect(dispatched('admitted')).toEqual([]);
  expect((await decide(world.client, id, decision('play'))).accepted).toBe(true);
  const status = await world.end(id);
  const outcome = Object.fromEntries(status.jobs.map((job) => [job.key, job.outcome ?? job.phase]));
  expect(outcome).toMatchObject({
    [KEY]: 'succeeded',
    unit: 'succeeded',
    'at-once': 'succeeded',
    deploy: 'failed',
  });
  expect(dispatched('admitted').some((entry) => entry.job === 'deploy')).toBe(false);
  expect(status.fork).toBe(true);

  world.project('rejected', { plan });
  const other = await world.push('rejected', { fork: true });
  await expect
    .poll(async () => (await world.status(other))?.waitingFor, { timeout: 20_000 })
    .toContain('gate');
  expect((await decide(world.client, other, decision('reject'))).accepted).toBe(true);
  expect((await world.end(other)).state).toBe('failed');
  expect(dispatched('rejected')).toEqual([]);
});

const acts = [
  'run',
  'reader',
  'reject',
  'retry',
  'retry-job',
  'play-job',
  'cancelJob',
  'cancel',
  'pause',
] as const;
type Act = (typeof acts)[number];
const sequences = fc.array(fc.constantFrom(...acts), { minLength: 3, maxLength: 9 });

describe.concurrent('random decisions', () => {
  for (const [at, list] of fc.sample(sequences, { numRuns: 16, seed: 20_260_714 }).entries())
    test(`${at}: ${list.join(' ')}`, async () => {
      const slug = `fork-${at}`;
      world.project(slug, { plan });
      const id = await world.push(slug, { fork: true });
      for (const act of list) await perform(id, slug, act);
      await world.handle(id).cancel().catch(closed);
      check(slug, await world.end(id));
    });
});

function check(slug: string, status: PipelineStatus): void {
  const admission = status.jobs.find((job) => job.key === KEY);
  const admitted = (admission?.decisions ?? []).filter(
    (one) => one.action === 'play' && one.answer === 'accepted',
  );
  for (const one of admitted) expect(one.role).toBe('developer');
  for (const run of dispatched(slug))
    expect(admitted.some((one) => (one.at ?? Number.POSITIVE_INFINITY) <= run.at)).toBe(true);
}

async function perform(id: PipelineId, slug: string, act: Act): Promise<void> {
  if (act === 'pause') return delay(150);
  if (act === 'cancel') {
    await world.handle(id).cancel().catch(closed);
    return;
  }
  const asked = {
    run: decision('play'),
    reader: decision('play', KEY, 'reader'),
    reject: decision('reject'),
    retry: decision('retry'),
    'retry-job': decision('retry', 'at-once'),
    'play-job': decision('play', 'by-hand'),
    cancelJob: decision('cancelJob'),
  }[act];
  const answer = await decide(world.client, id, asked).catch(closed);
  if (answer === undefined) await signalRerun(world.client, slug, { pipeline: id, decision: asked });
}

function closed(error: unknown): undefined {
  if (error instanceof Error && /WorkflowNotFound|already completed/.test(`${error.name} ${error.message}`))
    return undefined;
  throw error;
}
