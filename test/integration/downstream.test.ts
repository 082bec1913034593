/** Downstream pipelines on a real Temporal server, activities played by fakes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { PlanDownstream } from '../../src/plan/model/plan.ts';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import { SIGNALS } from '../../src/plan/model/protocol.ts';
import { downstreamKey } from '../../src/plan/model/trigger.ts';
import { decide, signalRerun, signalTrigger } from '../../src/temporal/calls.ts';
import { planOf, push, SPEC, triggerOf, type JobSketch } from '../support/plans.ts';
import { until, World } from '../support/world.ts';
import type { FakeProject } from '../support/fakes.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const triggers = (more: Partial<PlanDownstream> & Partial<JobSketch> = {}): JobSketch => {
  const { strategy, project, ...job } = more;
  const downstream = { filesFrom: [], ...(strategy && { strategy }), ...(project && { project }) };
  return { key: 'go', kind: 'trigger', queue: 'control', downstream, ...job };
};
/** `SLUG` with a job `go` that starts a pipeline of `SLUG-child`, and a job `after` in the next stage. */
function family(
  slug: string,
  more: Parameters<typeof triggers>[0] = {},
  child: Partial<FakeProject> = {},
): void {
  world.project(slug, {
    plan: planOf([triggers(more), { key: 'after', stage: 'later' }]),
    downstreams: { go: { to: `${slug}-child` } },
  });
  world.project(`${slug}-child`, { plan: planOf([{ key: 'a' }]), ...child });
}
const outcomes = async (id: PipelineId): Promise<unknown[]> => {
  const status = await world.end(id);
  return [status.state, ...status.jobs.map((job) => job.outcome)];
};

describe.concurrent('a trigger job', () => {
  test('without strategy ends when its pipeline has a plan; each shows the other', async () => {
    family('plain', {}, { behaviours: { a: [{ until: 'door' }] } });
    const id = await world.push('plain');
    const status = await world.end(id);
    expect(status.jobs[0]).toMatchObject({
      outcome: 'succeeded',
      downstream: { pipeline: 'plain-child/1', created: true, ended: false },
    });
    const child = await world.status('plain-child/1');
    expect([child.source, child.upstream]).toEqual(['parent_pipeline', { pipeline: id, job: 'go' }]);
    world.fakes.open('plain-child', 'door');
    expect(await outcomes('plain-child/1')).toEqual(['success', 'succeeded']);
  });
  test('fails if its pipeline cannot be created: mistakes in the file, no job at all, or a refusal', async () => {
    const invalid = { kind: 'invalid' as const, problems: ['a.yml:1:1 wrong', 'more'] };
    family('wrong', {}, { compile: invalid });
    family('empty', {}, { compile: { kind: 'empty', reason: 'no job is selected' } });
    family('refused');
    world.project('refused', { plan: planOf([triggers()]), downstreams: { go: { refused: 'D2 says no.' } } });
    const said = async (slug: string): Promise<unknown> => {
      const { state, jobs } = await world.end(await world.push(slug));
      return [state, jobs[0]?.result?.kind, jobs[0]?.result?.message];
    };
    expect(await said('wrong')).toEqual([
      'failed',
      'downstream',
      'The pipeline wrong-child/1 could not be created: a.yml:1:1 wrong',
    ]);
    expect(await said('empty')).toEqual([
      'failed',
      'downstream',
      'The pipeline empty-child/1 could not be created: no job is selected',
    ]);
    expect(await said('refused')).toEqual(['failed', 'downstream', 'D2 says no.']);
  });
  test('with depend takes the result, and later jobs wait for it', async () => {
    family('good', { strategy: 'depend' }, { behaviours: { a: [{ until: 'door' }] } });
    family('bad', { strategy: 'depend' }, { behaviours: { a: [{ outcome: 'failed' }] } });
    const good = await world.push('good');
    const waiting = await world.when(
      good,
      'it waits',
      (status) => status.waitingFor[0] === 'downstream:good-child/1',
    );
    expect(waiting.jobs.map((job) => job.phase)).toEqual(['running', 'created']);
    world.fakes.open('good-child', 'door');
    expect(await outcomes(good)).toEqual(['success', 'succeeded', 'succeeded']);
    expect(await outcomes(await world.push('bad'))).toEqual(['failed', 'failed', 'skipped']);
  });
  test('with mirror shows that a pipeline waits for a person, with depend stays running', async () => {
    const child = { plan: planOf([{ key: 'a', when: 'manual', allowFailure: false }]) };
    for (const strategy of ['mirror', 'depend'] as const) {
      family(strategy, { strategy }, child);
      const id = await world.push(strategy);
      await world.when(id, 'it has a child', (status) => status.jobs[0]?.downstream?.created === true);
      const state = strategy === 'mirror' ? 'manual' : 'running';
      await world.when(id, `it is ${state}`, (status) => status.state === state);
      const play = { action: 'play', job: 'a', actor: 'olga', role: 'operator' } as const;
      await world.when(`${strategy}-child/1`, 'it waits', (status) => status.state === 'manual');
      await decide(world.client, `${strategy}-child/1`, play);
      expect(await outcomes(id)).toEqual(['success', 'succeeded', 'succeeded']);
    }
  });
  test('a retried failed child continues its open parent', async () => {
    family('again', { strategy: 'depend' }, { behaviours: { a: [{ outcome: 'failed' }, {}] } });
    world.project('again', {
      plan: planOf([triggers({ strategy: 'depend' }), { key: 'long' }, { key: 'after', stage: 'later' }]),
      downstreams: { go: { to: 'again-child' } },
      behaviours: { long: [{ until: 'door' }] },
    });
    const id = await world.push('again');
    await world.when(id, 'it failed', (status) => status.jobs[0]?.outcome === 'failed');
    await world.closed('again-child/1');
    const retry = { action: 'retry', job: 'a', actor: 'olga', role: 'operator' } as const;
    await signalRerun(world.client, 'again-child', { pipeline: 'again-child/1', decision: retry });
    await world.when(id, 'it is well', (status) => status.jobs[0]?.outcome === 'succeeded');
    world.fakes.open('again', 'door');
    const status = await world.end(id);
    expect([status.state, status.jobs[0]?.attempt]).toEqual(['success', 1]);
  });
  test('starts another pipeline when it is retried', async () => {
    family('retried', { strategy: 'depend' }, { behaviours: { a: [{ outcome: 'failed' }, {}] } });
    const id = await world.push('retried');
    await world.end(id);
    const { runId } = await world.handle(id).describe();
    const retry = { action: 'retry', job: 'go', actor: 'olga', role: 'operator' } as const;
    await signalRerun(world.client, 'retried', { pipeline: id, decision: retry });
    await until('it runs again', async () =>
      (await world.handle(id).describe()).runId === runId ? undefined : true,
    );
    const status = await world.end(id);
    expect([status.state, status.jobs[0]?.downstream?.pipeline]).toEqual(['success', 'retried-child/2']);
  });
});

describe.concurrent('nothing twice, nothing lost', () => {
  test('asked again for the same attempt, the project starts nothing and names the existing pipeline', async () => {
    family('twice', { strategy: 'depend' }, { behaviours: { a: [{ until: 'door' }] } });
    // It has asked the project, and dies before it can report that: Temporal asks again.
    world.project('twice', {
      plan: planOf([triggers({ strategy: 'depend' })]),
      downstreams: { go: { to: 'twice-child' } },
      behaviours: { go: [{ throw: 'defect' }, {}] },
    });
    const id = await world.push('twice');
    await world.when(id, 'it has a child', (status) => status.jobs[0]?.downstream?.created === true);
    const { trigger } = await parentTrigger(id);
    await world.fakes.start(trigger);
    await until('the answer is in', async () => ((await heardBy(id)) >= 3 ? true : undefined));
    world.fakes.open('twice-child', 'door');
    expect(await outcomes(id)).toEqual(['success', 'succeeded']);
    expect((await world.projectStatus('twice-child')).running).toEqual([]);
    await expect(world.handle('twice-child/2').describe()).rejects.toThrow();
  });

  /** The requests for it in the project's history. */
  async function parentTrigger(id: PipelineId) {
    const key = downstreamKey({ pipeline: id, job: 'go', attempt: 1 });
    const project = world.client.workflow.getHandle(projectWorkflowId('twice-child'));
    const { events } = await project.fetchHistory();
    const input = events?.[0]?.workflowExecutionStartedEventAttributes;
    expect(input).toBeDefined();
    const upstream = { pipeline: id, job: 'go', attempt: 1 };
    const more = {
      strategy: 'depend' as const,
      config: `sha256:${'0'.repeat(64)}` as const,
      depth: 1,
      root: 1,
    };
    return {
      trigger: {
        project: 'twice-child',
        source: 'parent_pipeline' as const,
        key,
        deliveryId: key,
        ref: 'main',
        refKind: 'branch' as const,
        sha: 'b'.repeat(40),
        before: 'a'.repeat(40),
        title: '',
        actor: '',
        fork: false,
        receivedAt: 0,
        upstream: { ...upstream, ...more, origin: 'push' as const, chain: [] },
      },
    };
  }
  async function heardBy(id: PipelineId): Promise<number> {
    const { events } = await world.handle(id).fetchHistory();
    return (events ?? []).filter(
      (event) => event.workflowExecutionSignaledEventAttributes?.signalName === SIGNALS.downstream,
    ).length;
  }
});

describe.concurrent('a job that mirrors a pipeline', () => {
  const mirroring = (slug: string, mirrors: string): Promise<PipelineId> => {
    const downstream = {
      filesFrom: [],
      strategy: 'mirror' as const,
      project: mirrors,
      mirrors: true as const,
    };
    world.project(slug, {
      plan: planOf([
        { key: 'look', kind: 'trigger', queue: 'control', downstream },
        { key: 'after', stage: 'later' },
      ]),
    });
    return world.push(slug);
  };
  test('waits for the newest of the branch while that runs, and shows that it waits for a person', async () => {
    world.project('seen', {
      plan: planOf([{ key: 'a' }, { key: 'hand', stage: 'later', when: 'manual', allowFailure: false }]),
      behaviours: { a: [{}, { until: 'door' }] },
    });
    const play = { action: 'play', job: 'hand', actor: 'olga', role: 'operator' } as const;
    const older = await world.push('seen', push('b', 'a', 'd1'));
    await world.when(older, 'it waits', (status) => status.state === 'manual');
    await decide(world.client, older, play);
    await world.end(older);
    const newest = await world.push('seen', push('c', 'b', 'd2'));
    const id = await mirroring('sees', 'seen');
    const waiting = await world.when(
      id,
      'it waits',
      (status) => status.waitingFor[0] === `downstream:${newest}`,
    );
    expect(waiting.state).toBe('running');
    world.fakes.open('seen', 'door');
    await world.when(id, 'it waits for a person too', (status) => status.state === 'manual');
    await decide(world.client, newest, play);
    expect(await outcomes(id)).toEqual(['success', 'succeeded', 'succeeded']);
  });
  test('takes the outcome of one that has ended, and starts nothing', async () => {
    world.project('broken', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ outcome: 'failed' }] } });
    const over = await world.push('broken');
    await world.end(over);
    world.fakes.closed.add(`pipeline/${over}`);
    const status = await world.end(await mirroring('breaks', 'broken'));
    expect(status.jobs[0]?.result).toMatchObject({ outcome: 'failed', kind: 'downstream' });
    expect(status.jobs[0]?.result?.message).toBe(`${over} failed.`);
    expect(world.runs('broken')).toBe(1);
    const none = await world.end(await mirroring('lonely', 'nobody'));
    expect(none.jobs[0]?.result?.message).toBe('It has no pipeline.');
  });
  test('leaves it alone when it is cancelled', async () => {
    world.project('kept', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ until: 'door' }] } });
    const kept = await world.push('kept');
    const id = await mirroring('keeps', 'kept');
    await world.when(id, 'it waits', (status) => status.waitingFor[0] === `downstream:${kept}`);
    await world.handle(id).cancel();
    expect((await outcomes(id)).slice(0, 2)).toEqual(['canceled', 'cancelled']);
    world.fakes.open('kept', 'door');
    expect((await world.end(kept)).state).toBe('success');
  });
});

describe.concurrent('a cancel', () => {
  test('of the parent cancels its children, also those of ended jobs', async () => {
    world.project('tree', {
      plan: planOf([
        triggers({ strategy: 'depend' }),
        triggers({ key: 'loose' }),
        { key: 'long', stage: 'test' },
      ]),
      downstreams: { go: { to: 'tree-a' }, loose: { to: 'tree-b' } },
      behaviours: { long: [{ hang: true }] },
    });
    const hangs = { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ hang: true }] } };
    world.project('tree-a', hangs);
    world.project('tree-b', hangs);
    const id = await world.push('tree');
    await world.when(
      id,
      'both have a child',
      ({ jobs }) => jobs[0]?.downstream?.created === true && jobs[1]?.outcome === 'succeeded',
    );
    await world.handle(id).cancel();
    expect(await outcomes(id)).toEqual(['canceled', 'cancelled', 'succeeded', 'cancelled']);
    expect((await world.end('tree-a/1')).state).toBe('canceled');
    expect((await world.end('tree-b/1')).state).toBe('canceled');
  });
  test('of a trigger job that has just asked leaves no child behind', async () => {
    family('early', { strategy: 'depend' }, { behaviours: { a: [{ hang: true }] } });
    world.project('early', {
      plan: planOf([triggers({ strategy: 'depend' })]),
      downstreams: { go: { to: 'early-child' } },
      behaviours: { go: [{ until: 'door' }] },
    });
    const id = await world.push('early');
    await until('it has asked', async () =>
      world.fakes.journal('early').some((entry) => entry.activity === 'startDownstream') ? true : undefined,
    );
    await decide(world.client, id, { action: 'cancelJob', job: 'go', actor: 'olga', role: 'operator' });
    world.fakes.open('early', 'door');
    expect(await outcomes(id)).toEqual(['canceled', 'cancelled']);
    expect((await world.end('early-child/1')).state).toBe('canceled');
  });
  test('of a trigger job whose start no worker takes starts nothing', async () => {
    family('never', { strategy: 'depend' }, { behaviours: { a: [{ hang: true }] } });
    const failing = Array.from({ length: 4 }, () => ({ throw: 'defect' as const }));
    world.project('never', {
      plan: planOf([triggers({ strategy: 'depend' })]),
      downstreams: { go: { to: 'never-child' } },
      behaviours: { go: [...failing, {}] },
    });
    const id = await world.push('never');
    const asked = (): number =>
      world.fakes.journal('never').filter((entry) => entry.activity === 'startDownstream').length;
    // The next attempt is four seconds away.
    await until('it was asked in vain', async () => (asked() === failing.length ? true : undefined));
    await decide(world.client, id, { action: 'cancelJob', job: 'go', actor: 'olga', role: 'operator' });
    await world.closed(id);
    expect(await outcomes(id)).toEqual(['canceled', 'cancelled']);
    expect(asked()).toBe(failing.length);
    // A start request that was in flight all the time, from a process that was disconnected, comes too late.
    const key = downstreamKey({ pipeline: id, job: 'go', attempt: 1 });
    const upstream = { pipeline: id, job: 'go', attempt: 1, config: SPEC, depth: 1, family: 1, root: 1 };
    const late = { source: 'parent_pipeline', key, deliveryId: key, receivedAt: Date.now() } as const;
    const child = { ...upstream, origin: 'push' as const, chain: [] };
    await signalTrigger(world.client, { ...triggerOf('never'), ...late, upstream: child });
    expect(await world.push('never', push('z', 'y', 'after'))).toBe('never/2');
    expect(await world.lookup('never', key)).toMatchObject({ state: 'refused' });
    await expect(world.handle('never-child/1').describe()).rejects.toThrow();
  }, 90_000);
  test('leaves a pipeline of another project alone', async () => {
    family(
      'far',
      { strategy: 'depend', project: 'group/far-child' },
      { behaviours: { a: [{ until: 'door' }] } },
    );
    const id = await world.push('far');
    await world.when(id, 'it waits', (status) => status.jobs[0]?.downstream?.created === true);
    await world.handle(id).cancel();
    const status = await world.end(id);
    expect(status.jobs[0]?.result?.message).toBe('Cancelled; far-child/1 continues.');
    world.fakes.open('far-child', 'door');
    expect((await world.end('far-child/1')).state).toBe('success');
  });
  test('a terminated child is detected, and its job fails', async () => {
    family('killed', { strategy: 'depend' }, { behaviours: { a: [{ hang: true }] } });
    const id = await world.push('killed');
    await world.when(id, 'it waits', (status) => status.jobs[0]?.downstream?.created === true);
    await world.handle('killed-child/1').terminate('by hand');
    world.fakes.closed.add('pipeline/killed-child/1');
    const status = await world.when(id, 'it has failed', ({ jobs }) => jobs[0]?.outcome === 'failed');
    expect(status.jobs[0]?.result?.message).toContain('It was terminated in Temporal');
  }, 60_000);
  test('a newer push supersedes a child according to the plan of the child', async () => {
    const hang = { a: [{ hang: true }, {}] };
    family('stale', {}, { plan: planOf([{ key: 'a', interruptible: true }]), behaviours: hang });
    const older = await world.push('stale', push('b', 'a', 'd1'));
    await world.end(older);
    await until('the child runs', async () => (world.runs('stale-child') > 0 ? true : undefined));
    // The child belongs to a project of its own here, which gets the push.
    const newer = await world.push('stale-child', push('c', 'b', 'd2'));
    expect((await world.end('stale-child/1')).reason).toBe(`superseded by ${newer}`);
  });
});
