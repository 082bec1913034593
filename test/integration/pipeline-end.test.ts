/** In Temporal a pipeline's workflow ends as its pipeline did, and nothing that reads the verdict is disturbed. */
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { decide, signalRerun } from '../../src/temporal/calls.ts';
import type { FakeProject } from '../support/fakes.ts';
import { planOf, push, type JobSketch } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

/** The status that Temporal's lists show, and what the failure says. */
async function ended(id: PipelineId): Promise<{ shown: string; why?: unknown }> {
  await world.closed(id);
  const shown = (await world.handle(id).describe()).status.name;
  try {
    return { shown, why: await world.handle(id).result() };
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    if (cause instanceof CancelledFailure) return { shown };
    if (!(cause instanceof ApplicationFailure)) throw error;
    const { type, message, details, nonRetryable } = cause;
    expect(nonRetryable).toBe(true);
    return { shown, why: [type, message, ...(details ?? [])] };
  }
}
async function run(slug: string, of: Partial<FakeProject>): ReturnType<typeof ended> {
  world.project(slug, of);
  return ended(await world.push(slug));
}
const gate = { approvers: [], expiresInMs: 600_000, requires: [] };
const trigger: Pick<JobSketch, 'kind' | 'queue'> = { kind: 'trigger', queue: 'control' };
const person = { actor: 'olga', role: 'operator' } as const;

describe.concurrent('a pipeline ends as completed in Temporal', () => {
  test('when it succeeds, with its verdict as the result', async () => {
    expect(await run('well', { plan: planOf([{ key: 'a' }]) })).toEqual({
      shown: 'COMPLETED',
      why: 'success',
    });
  });
  test('when what failed is allowed to', async () => {
    const plan = planOf([{ key: 'a', allowFailure: true }]);
    const of = { plan, behaviours: { a: [{ outcome: 'failed' as const }] } };
    expect(await run('allowed', of)).toEqual({ shown: 'COMPLETED', why: 'success' });
  });
  test('when nothing is to run', async () => {
    const compile = { kind: 'empty' as const, reason: 'no job matches' };
    expect(await run('nothing', { compile })).toEqual({ shown: 'COMPLETED', why: 'skipped' });
  });
});

describe.concurrent('a pipeline ends as failed in Temporal, and says why', () => {
  test('when jobs fail: by what failed first', async () => {
    const behaviours = { a: [{ outcome: 'failed' as const, exit: 3 }], b: [{ outcome: 'failed' as const }] };
    const plan = planOf([{ key: 'a' }, { key: 'b', stage: 'later', when: 'always' }]);
    expect(await run('bad', { plan, behaviours })).toEqual({
      shown: 'FAILED',
      why: ['failed', 'a failed: script, exit code 3 (and 1 more)', 'failed'],
    });
    const { events } = await world.handle('bad/1').fetchHistory();
    const failure = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
    expect(failure?.stackTrace).toBe('');
  });
  test('when its file has errors', async () => {
    const problems = ['.gitlab-ci.yml:3:5 unknown keyword [language/unknown]'];
    expect(await run('invalid', { compile: { kind: 'invalid', problems } })).toEqual({
      shown: 'FAILED',
      why: ['config_error', problems[0], 'config_error'],
    });
  });
  test('when davit or a machine fails', async () => {
    const behaviours = { a: [{ outcome: 'errored' as const, started: true }] };
    expect(await run('broken', { plan: planOf([{ key: 'a' }]), behaviours })).toEqual({
      shown: 'FAILED',
      why: ['errored', 'a errored: engine', 'failed'],
    });
  });
  test('when a person rejects it', async () => {
    world.project('refused', { plan: planOf([{ key: 'deploy', gate }]) });
    const id = await world.push('refused');
    await world.when(id, 'its gate is open', (status) => status.jobs[0]?.phase === 'gate');
    await decide(world.client, id, { ...person, action: 'reject', job: 'deploy', comment: 'not today' });
    expect(await ended(id)).toEqual({
      shown: 'FAILED',
      why: ['rejected', expect.stringMatching(/^deploy rejected: .*not today/), 'failed'],
    });
  });
  test('when nobody decides in time', async () => {
    const plan = planOf([{ key: 'deploy', gate: { ...gate, expiresInMs: 100 } }]);
    expect(await run('late', { plan })).toEqual({
      shown: 'FAILED',
      why: ['expired', expect.stringMatching(/^deploy expired/), 'failed'],
    });
  });
  test('at its own deadline', async () => {
    const of = {
      plan: planOf([{ key: 'a' }]),
      limits: { pipelineTimeoutMs: 200 },
      behaviours: { a: [{ hang: true }] },
    };
    expect(await run('deadline', of)).toEqual({
      shown: 'FAILED',
      why: ['expired', 'The pipeline exceeded its deadline.', 'canceled'],
    });
  });
});

describe.concurrent('a pipeline ends as cancelled in Temporal', () => {
  test('when Temporal was asked to cancel it', async () => {
    world.project('cancelled', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ hang: true }] } });
    const id = await world.push('cancelled');
    await until('it runs', async () => (world.runs('cancelled') > 0 ? true : undefined));
    await world.handle(id).cancel();
    expect(await ended(id)).toEqual({ shown: 'CANCELLED' });
    expect(world.fakes.records.get(id)?.status.reason).toBe('cancelled');
  });
  test('when a newer one supersedes it, whose reason stays', async () => {
    const plan = planOf([{ key: 'a', interruptible: true }]);
    world.project('moved', { plan, behaviours: { a: [{ hang: true }, {}] } });
    const older = await world.push('moved', push('b', 'a', '1'));
    await until('it runs', async () => (world.runs('moved') > 0 ? true : undefined));
    const newer = await world.push('moved', push('c', 'b', '2'));
    expect(await ended(older)).toEqual({ shown: 'CANCELLED' });
    expect((await world.status(older)).reason).toBe(`superseded by ${newer}`);
    expect((await ended(newer)).shown).toBe('COMPLETED');
  });
  test('when its jobs are cancelled one by one', async () => {
    world.project('onebyone', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ hang: true }] } });
    const id = await world.push('onebyone');
    await until('it runs', async () => (world.runs('onebyone') > 0 ? true : undefined));
    await decide(world.client, id, { ...person, action: 'cancelJob', job: 'a' });
    expect(await ended(id)).toEqual({ shown: 'CANCELLED' });
    expect((await world.status(id)).reason).toBeUndefined();
  });
  test('and otherwise as failed, if Temporal cannot be asked', async () => {
    const { requestCancel } = world.fakes;
    world.fakes.requestCancel = async (run) => {
      if (run.workflowId !== 'pipeline/alone/1') return requestCancel(run);
      throw ApplicationFailure.nonRetryable('no');
    };
    world.project('alone', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ hang: true }] } });
    const id = await world.push('alone');
    await until('it runs', async () => (world.runs('alone') > 0 ? true : undefined));
    await decide(world.client, id, { ...person, action: 'cancelJob', job: 'a' });
    expect(await ended(id)).toEqual({
      shown: 'FAILED',
      why: ['canceled', 'Its jobs were cancelled.', 'canceled'],
    });
  });
});

describe.concurrent('those who wait for a pipeline', () => {
  test('a project goes on after one that failed, and does not retry it', async () => {
    world.project('next', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ outcome: 'failed' }, {}] } });
    expect((await ended(await world.push('next', push('b', 'a', '1')))).shown).toBe('FAILED');
    const later = await world.push('next', push('c', 'b', '2'));
    expect([later, (await ended(later)).shown]).toEqual(['next/2', 'COMPLETED']);
    expect(world.runs('next')).toBe(2);
    expect((await world.projectStatus('next')).running).toEqual([]);
  });
  test('a failed one runs again from its record when a person asks', async () => {
    world.project('again', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ outcome: 'failed' }, {}] } });
    const id = await world.push('again');
    expect((await ended(id)).shown).toBe('FAILED');
    const { runId } = await world.handle(id).describe();
    await signalRerun(world.client, 'again', {
      pipeline: id,
      decision: { ...person, action: 'retry', job: 'a' },
    });
    await until('it runs again', async () =>
      (await world.handle(id).describe()).runId === runId ? undefined : true,
    );
    expect((await ended(id)).shown).toBe('COMPLETED');
    expect((await world.status(id)).jobs[0]?.attempt).toBe(2);
  });
  test('a parent ends as its child did', async () => {
    const downstream = { strategy: 'depend' as const, filesFrom: [] };
    for (const name of ['bad', 'stopped'])
      world.project(`${name}-parent`, {
        plan: planOf([{ key: 'go', ...trigger, downstream }]),
        downstreams: { go: { to: `${name}-child` } },
      });
    const plan = planOf([{ key: 'a' }]);
    world.project('bad-child', { plan, behaviours: { a: [{ outcome: 'failed' }] } });
    world.project('stopped-child', { plan, behaviours: { a: [{ hang: true }] } });
    const failed = await world.push('bad-parent');
    const stopped = await world.push('stopped-parent');
    await until('the child runs', async () => (world.runs('stopped-child') > 0 ? true : undefined));
    await world.handle('stopped-child/1').cancel();
    expect(await ended(failed)).toEqual({
      shown: 'FAILED',
      why: ['failed', 'go failed: bad-child/1 failed.', 'failed'],
    });
    expect((await ended('bad-child/1')).shown).toBe('FAILED');
    expect([await ended(stopped), await ended('stopped-child/1')]).toEqual([
      { shown: 'CANCELLED' },
      { shown: 'CANCELLED' },
    ]);
  });
  test('a retry that begins and ends while the verdict is recorded is recorded, too', async () => {
    const behaviours = { a: [{ outcome: 'failed' as const }, {}] };
    world.project('racing', { plan: planOf([{ key: 'a' }]), behaviours, recordUntil: true });
    const id = await world.push('racing');
    await until('it is recorded', async () =>
      world.fakes.journal('racing').some(({ activity }) => activity === 'recordPipeline') ? true : undefined,
    );
    await decide(world.client, id, { ...person, action: 'retry', job: 'a' });
    await world.when(id, 'it has succeeded', (status) => status.state === 'success');
    world.fakes.open('racing', 'recorded');
    expect((await ended(id)).shown).toBe('COMPLETED');
    expect(world.fakes.records.get(id)?.status.state).toBe('success');
  });
});
