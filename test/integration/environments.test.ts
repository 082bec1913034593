/**
 * Environments are stopped: by their time, by a person, in open and closed pipelines. On a real Temporal
 * server.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WORKFLOWS, type ProjectStatus, QUERIES } from '../../src/plan/model/protocol.ts';
import type { EnvironmentState, StopRef } from '../../src/plan/model/environments.ts';
import { projectWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import type { PlanEnvironment } from '../../src/plan/model/plan.ts';
import { decide, signalStopEnvironment, signalStopRef } from '../../src/temporal/calls.ts';
import { planOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const start = (more: Partial<PlanEnvironment> = {}): PlanEnvironment => ({
  name: 'review',
  action: 'start',
  ...more,
});
const stopJob = {
  key: 'stop',
  when: 'manual' as const,
  environment: { name: 'review', action: 'stop' as const },
};
const ask = (slug: string, n = 1): Promise<PipelineId> =>
  world.push(slug, { source: 'api', key: `request:${n}`, deliveryId: String(n) });
const environmentOf = async (slug: string): Promise<EnvironmentState | undefined> => {
  const status = await world.client.workflow
    .getHandle(projectWorkflowId(slug))
    .query<ProjectStatus>(QUERIES.project);
  return status.environments?.[0];
};
const becomes = (slug: string, state: EnvironmentState['state']): Promise<EnvironmentState> =>
  until(`the environment is ${state}`, async () => {
    const found = await environmentOf(slug);
    return found?.state === state ? found : undefined;
  });
const stops = (slug: string): number =>
  world.fakes.journal(slug).filter((entry) => entry.job === 'stop' && entry.activity === 'runJob').length;

describe.concurrent('an environment', () => {
  test('is stopped by its on_stop job after auto_stop_in, even if its pipeline has ended', async () => {
    world.project('timer', {
      plan: planOf([
        { key: 'deploy', environment: start({ onStop: 'stop', autoStopInMs: 2_000, tier: 'development' }) },
        stopJob,
      ]),
    });
    const id = await ask('timer');
    expect((await world.end(id)).state).toBe('success');
    expect(await becomes('timer', 'stopped')).toMatchObject({
      pipeline: id,
      job: 'deploy',
      onStop: 'stop',
    });
    const status = await world.end(id);
    expect(status.jobs.map((job) => job.outcome)).toEqual(['succeeded', 'succeeded']);
    expect(status.jobs[1]?.decisions).toMatchObject([{ actor: 'davit', action: 'play', answer: 'accepted' }]);
    expect(stops('timer')).toBe(1);
    const [deployed = 0, stopped = 0] = ['deploy', 'stop'].map(
      (job) => world.fakes.journal('timer').find((entry) => entry.job === job)?.at ?? 0,
    );
    expect(stopped - deployed).toBeGreaterThanOrEqual(2_000);
  });

  test('is stopped by a person while its pipeline is open', async () => {
    world.project('open', {
      plan: planOf([{ key: 'deploy', environment: start({ onStop: 'stop' }) }, { key: 'slow' }, stopJob]),
      behaviours: { slow: [{ until: 'door' }] },
    });
    const id = await ask('open');
    await becomes('open', 'available');
    await world.when(id, 'it can be played', (status) => status.jobs[2]?.phase === 'manual');
    await signalStopEnvironment(world.client, 'open', { name: 'review', actor: 'ada' });
    await becomes('open', 'stopped');
    world.fakes.open('open', 'door');
    const status = await world.end(id);
    expect(status.jobs[2]?.decisions).toMatchObject([{ actor: 'ada', action: 'play', answer: 'accepted' }]);
    expect(stops('open')).toBe(1);
  });

  test('is stopped by a job that was skipped, once', async () => {
    world.project('unplayed', {
      plan: planOf([
        { key: 'deploy', environment: start({ onStop: 'stop' }) },
        { key: 'check' },
        { ...stopJob, needs: ['check'] },
      ]),
      behaviours: { check: [{ outcome: 'failed' }] },
    });
    const id = await ask('unplayed');
    expect((await world.end(id)).jobs.map((job) => job.outcome)).toEqual(['succeeded', 'failed', 'skipped']);
    await becomes('unplayed', 'available');
    await signalStopEnvironment(world.client, 'unplayed', { name: 'review', actor: 'ada' });
    await becomes('unplayed', 'stopped');
    await signalStopEnvironment(world.client, 'unplayed', { name: 'review', actor: 'ada' });
    const status = await world.end(id);
    expect(status.jobs[2]).toMatchObject({ outcome: 'succeeded', decisions: [{ actor: 'ada' }] });
    expect(stops('unplayed')).toBe(1);
  });

  test('deployed again is stopped again by the same job', async () => {
    world.project('twice', {
      plan: planOf([{ key: 'deploy', environment: start({ onStop: 'stop' }) }, { key: 'slow' }, stopJob]),
      behaviours: { slow: [{ until: 'door' }] },
    });
    const id = await ask('twice');
    for (const times of [1, 2]) {
      if (times === 2) {
        const retry = { action: 'retry', job: 'deploy', actor: 'ada', role: 'operator' } as const;
        await decide(world.client, id, retry);
      }
      await becomes('twice', 'available');
      await signalStopEnvironment(world.client, 'twice', { name: 'review', actor: 'ada' });
      await becomes('twice', 'stopped');
      expect(stops('twice')).toBe(times);
    }
    world.fakes.open('twice', 'door');
    expect((await world.end(id)).state).toBe('success');
  });

  test('without on_stop is only marked as stopped', async () => {
    world.project('bare', { plan: planOf([{ key: 'deploy', environment: start({ autoStopInMs: 1_000 }) }]) });
    const id = await ask('bare');
    await becomes('bare', 'stopped');
    expect((await world.end(id)).state).toBe('success');
  });

  test('is stopped when the job that stops it is played by a person', async () => {
    world.project('played', {
      plan: planOf([
        { key: 'deploy', environment: start({ onStop: 'stop', autoStopInMs: 600_000 }) },
        { ...stopJob, when: 'on_success' as const, needs: ['deploy'] },
      ]),
    });
    await world.end(await ask('played'));
    expect(await becomes('played', 'stopped')).not.toHaveProperty('stopAt');
  });

  test('prepare, verify and access make no deployment; neither does a failed deployment', async () => {
    world.project('none', {
      plan: planOf([
        ...(['prepare', 'verify', 'access'] as const).map((action) => ({
          key: action,
          environment: start({ action, autoStopInMs: 1 }),
        })),
        { key: 'deploy', environment: start({ autoStopInMs: 1 }) },
      ]),
      behaviours: { deploy: [{ outcome: 'failed' }] },
    });
    expect((await world.end(await ask('none'))).state).toBe('failed');
    expect(await environmentOf('none')).toBeUndefined();
  });

  test('gets a new auto_stop_in time with a new deployment', async () => {
    world.project('anew', {
      plan: planOf([{ key: 'deploy', environment: start({ autoStopInMs: 600_000 }) }]),
    });
    await world.end(await ask('anew', 1));
    const first = await becomes('anew', 'available');
    const second = await ask('anew', 2);
    await world.end(second);
    const after = await until('the second one counts', async () => {
      const found = await environmentOf('anew');
      return found?.pipeline === second ? found : undefined;
    });
    expect(after.stopAt).toBeGreaterThan(first.stopAt ?? 0);
  });

  test('is stopped when its branch is gone, and when its merge request is; others stay', async () => {
    const review = planOf([{ key: 'deploy', environment: start({ onStop: 'stop' }) }, stopJob]);
    const request = { ref: 'refs/pull/3/head', refKind: 'merge_request', source: 'merge_request' } as const;
    const branch = { ref: 'feature', refKind: 'branch', source: 'push' } as const;
    for (const [slug, trigger] of [
      ['gonebranch', branch],
      ['gonerequest', request],
    ] as const) {
      world.project(slug, { plan: review });
      const id = await world.push(slug, trigger);
      await world.end(id);
      const deployed = await becomes(slug, 'available');
      const { ref, refKind } = trigger;
      expect(deployed.ref).toBe(`${refKind}:${ref}`);
      const gone = (more: Partial<StopRef>) =>
        signalStopRef(world.client, slug, { refKind, ref, at: Date.now(), ...more });
      await gone({ ref: 'main' });
      await gone({ at: deployed.since - 1 });
      await gone({});
      await becomes(slug, 'stopped');
      const [, stop] = (await world.end(id)).jobs;
      expect(stop?.decisions).toMatchObject([{ actor: 'davit', action: 'play', answer: 'accepted' }]);
      expect(stops(slug)).toBe(1);
    }
  });

  test('keeps its time when the project continues as new', async () => {
    const slug = 'longtimer';
    world.project(slug, {
      plan: planOf([
        { key: 'deploy', environment: start({ onStop: 'stop', autoStopInMs: 15_000 }) },
        stopJob,
      ]),
    });
    const handle = await world.client.workflow.start(WORKFLOWS.project, {
      workflowId: projectWorkflowId(slug),
      taskQueue: 'control',
      args: [{ project: slug, continueAfterEvents: 30 }],
    });
    const id = await ask(slug);
    await world.end(id);
    await becomes(slug, 'available');
    // Stops of missing environments: only events, until it continues as new.
    for (let n = 0; n < 15; n += 1)
      await signalStopEnvironment(world.client, slug, { name: 'nothing', actor: 'ada' });
    await until('it continued as new', async () => {
      const { runId } = await world.client.workflow.getHandle(projectWorkflowId(slug)).describe();
      return runId === handle.firstExecutionRunId ? undefined : true;
    });
    expect((await environmentOf(slug))?.state).toBe('available');
    await becomes(slug, 'stopped');
    expect(stops(slug)).toBe(1);
  });
});
