/** Project and pipeline workflows together, on a real Temporal server, activities played by fakes. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import { SEARCH_ATTRIBUTES, SIGNALS, WORKFLOWS } from '../../src/plan/model/protocol.ts';
import { list, oldestOpen } from '../../src/server/temporal/list.ts';
import { decide, signalTrigger } from '../../src/temporal/calls.ts';
import { LIMITS } from '../support/fakes.ts';
import { planOf, push, triggerOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const one = planOf([{ key: 'a' }]);

describe.concurrent('a project', () => {
  test('numbers its pipelines and starts a repeated event once', async () => {
    world.project('dedupe', { plan: one });
    const first = await world.push('dedupe', push('b', 'a', 'd1'));
    await signalTrigger(world.client, triggerOf('dedupe', push('b', 'a', 'd1')));
    await signalTrigger(world.client, triggerOf('dedupe', push('b', 'a', 'd2')));
    const second = await world.push('dedupe', push('c', 'b', 'd3'));
    await world.end(first);
    await world.end(second);
    expect([first, second]).toEqual(['dedupe/1', 'dedupe/2']);
    expect(world.runs('dedupe')).toBe(2);
  });

  test('runs an old commit that was pushed again, and no redelivery of it', async () => {
    world.project('back', {
      plan: planOf([{ key: 'a' }], { autoCancel: { onNewCommit: 'none' } }),
      head: 'b'.repeat(40),
    });
    await world.push('back', push('b', 'a', 'd1'));
    await world.end(await world.push('back', push('c', 'b', 'd2')));
    await signalTrigger(world.client, triggerOf('back', push('b', 'a', 'd3')));
    await until('the old commit runs again', async () =>
      (await world.lookup('back', 'push:main:a:b')).pipeline === 'back/3' ? true : undefined,
    );
    await signalTrigger(world.client, triggerOf('back', push('b', 'a', 'd3')));
    await signalTrigger(world.client, triggerOf('back', push('c', 'b', 'd4')));
    await world.end('back/3');
    await until('its queue is empty', async () =>
      (await world.projectStatus('back')).running.length === 0 ? true : undefined,
    );
    expect(world.runs('back')).toBe(3);
  });

  /** Each look asks every open project, while other tests keep the workers busy. */
  const SLOW_MS = 120_000;
  test('counts an event that waits for its pipeline as open', async () => {
    world.project('queued', { plan: one, claimUntil: true });
    const receivedAt = 1_234;
    await signalTrigger(world.client, triggerOf('queued', { ...push('b', 'a', 'd1'), receivedAt }));
    // Those of other tests are in their queues for a moment.
    const seen = (when: (at: number | undefined) => boolean) => async () =>
      when(await oldestOpen(world.client)) ? true : undefined;
    await until(
      'the collector knows it',
      seen((at) => at === receivedAt),
      SLOW_MS,
    );
    world.fakes.open('queued', 'claimed');
    await until('it has a pipeline', async () => (await world.lookup('queued', 'push:main:a:b')).pipeline);
    await world.end('queued/1');
    await until(
      'it has begun',
      seen((at) => at === undefined || at > receivedAt),
      SLOW_MS,
    );
  });

  test('drops an event that only the store remembers', async () => {
    world.project('forgot', { plan: one });
    await world.end(await world.push('forgot', push('b', 'a', 'd1')));
    await world.client.workflow.getHandle(projectWorkflowId('forgot')).terminate('its memory is lost');
    await signalTrigger(world.client, triggerOf('forgot', push('b', 'a', 'd9')));
    const known = await until('the repeat is known as one', async () => {
      const found = await world.lookup('forgot', 'push:main:a:b');
      return found.state === 'duplicate' ? found : undefined;
    });
    expect(known.pipeline).toBe('forgot/1');
    expect(world.runs('forgot')).toBe(1);
    expect(await world.push('forgot', push('c', 'b', 'd10'))).toBe('forgot/2');
  });

  test('takes a hundred events at once, and loses and doubles none', async () => {
    world.project('flood', { plan: one });
    const triggers = Array.from({ length: 100 }, (_, at) =>
      triggerOf('flood', { source: 'api', key: `request:${at % 50}`, deliveryId: `${at}` }),
    );
    await Promise.all(triggers.map((trigger) => signalTrigger(world.client, trigger)));
    // One after the other: polling all of them would keep the workers from starting any.
    for (let at = 0; at < 50; at += 1)
      await until(`request ${at} has started`, async () =>
        (await world.lookup('flood', `request:${at}`)).state === 'started' ? true : undefined,
      );
    for (let iid = 1; iid <= 50; iid += 1) await world.end(`flood/${iid}`);
    expect(world.runs('flood')).toBe(50);
  });

  test('ignores a cancel request, which could only lose its memory', async () => {
    world.project('kept', { plan: one });
    await world.end(await world.push('kept', push('b', 'a', 'd1')));
    await world.client.workflow.getHandle(projectWorkflowId('kept')).cancel();
    await world.end(await world.push('kept', push('c', 'b', 'd2')));
    expect((await world.lookup('kept', 'push:main:a:b')).pipeline).toBe('kept/1');
  });

  test('continues as new at a barrier and forgets nothing', async () => {
    world.project('long', { plan: one });
    const handle = world.client.workflow.getHandle(projectWorkflowId('long'));
    await world.client.workflow.start(WORKFLOWS.project, {
      workflowId: projectWorkflowId('long'),
      taskQueue: 'control',
      args: [{ project: 'long', continueAfterEvents: 60 }],
    });
    const { runId } = await handle.describe();
    for (let at = 0; at < 12; at += 1)
      await world.push('long', { source: 'api', key: `request:${at}`, deliveryId: `${at}` });
    await until('a new run', async () => ((await handle.describe()).runId === runId ? undefined : true));
    await world.push('long', { source: 'api', key: 'request:0', deliveryId: 'again' });
    expect((await world.lookup('long', 'request:0')).pipeline).toBe('long/1');
    expect(await world.push('long', { source: 'api', key: 'request:new', deliveryId: 'n' })).toBe('long/13');
    for (let iid = 1; iid <= 13; iid += 1) await world.end(`long/${iid}`);
    expect(world.runs('long')).toBe(13);
  });

  test('reports why a pipeline cannot be planned', async () => {
    world.project('invalid', {
      compile: { kind: 'invalid', problems: ['.gitlab-ci.yml:3:5 unknown keyword [language/unknown]'] },
    });
    world.project('empty', { compile: { kind: 'empty', reason: 'no job matches' } });
    const invalid = await world.end(await world.push('invalid'));
    const empty = await world.end(await world.push('empty'));
    expect([invalid.state, invalid.reason]).toEqual([
      'config_error',
      '.gitlab-ci.yml:3:5 unknown keyword [language/unknown]',
    ]);
    expect([empty.state, empty.reason]).toEqual(['skipped', 'no job matches']);
    expect(world.fakes.records.get('invalid/1')?.status.state).toBe('config_error');
  });
});

describe.concurrent('a pipeline', () => {
  test('a full machine is retried once, other failures before the container as often as allowed', async () => {
    const errored = (kind: 'no_space' | 'engine') =>
      [1, 2, 3].map(() => ({ outcome: 'errored' as const, kind, started: false }));
    world.project('full', {
      plan: planOf([{ key: 'full' }, { key: 'broken' }]),
      behaviours: { full: errored('no_space'), broken: errored('engine') },
    });
    const status = await world.end(await world.push('full', push('b', 'a', 'd1')));
    expect(status.jobs.map(({ key, attempt, result }) => [key, attempt, result?.kind])).toEqual([
      ['full', 2, 'no_space'],
      ['broken', 3, 'engine'],
    ]);
  });

  test('that is cancelled during compilation is recorded as cancelled', async () => {
    world.project('early', { plan: one, compileUntil: true });
    const id = await world.push('early');
    await until('it compiles', async () => (world.fakes.journal('early').length > 0 ? true : undefined));
    await world.handle(id).cancel();
    expect((await world.end(id)).state).toBe('canceled');
    expect(world.fakes.records.get(id)?.status.reason).toBe('cancelled');
    expect(world.runs('early')).toBe(0);
  });

  test('a release comes after the script: success is reported, a refusal fails the job, and a failed job makes none', async () => {
    const plan = planOf([
      { key: 'ship', release: true },
      { key: 'after', stage: 'z' },
    ]);
    world.project('released', { plan });
    const made = await world.end(await world.push('released'));
    expect(made.jobs[0]).toMatchObject({
      outcome: 'succeeded',
      result: { release: { tag: 'v1' }, warnings: ['left out'] },
    });
    world.project('unreleased', { plan, release: { kind: 'refused', message: 'v1 exists already' } });
    const refused = await world.end(await world.push('unreleased'));
    expect(refused).toMatchObject({ state: 'failed', jobs: [{ outcome: 'failed' }, { outcome: 'skipped' }] });
    expect(refused.jobs[0]?.result?.message).toBe('v1 exists already');
    world.project('broken', { plan, behaviours: { ship: [{ outcome: 'failed' }] } });
    await world.end(await world.push('broken'));
    expect(world.fakes.journal('broken').some((entry) => entry.activity === 'createRelease')).toBe(false);
  });

  test('a site is published after the script, and not after a failure', async () => {
    const plan = planOf([{ key: 'site', pages: true }]);
    world.project('paged', { plan });
    const made = await world.end(await world.push('paged'));
    expect(made.jobs[0]?.result?.pages).toEqual({ url: 'http://davit.test/pages/x' });
    world.project('unpaged', { plan, behaviours: { site: [{ outcome: 'failed' }] } });
    await world.end(await world.push('unpaged'));
    expect(world.fakes.journal('unpaged').some((entry) => entry.activity === 'publishPages')).toBe(false);
  });

  test('runs even if its project is terminated', async () => {
    world.project('orphan', { plan: one, behaviours: { a: [{ until: 'door' }] } });
    const id = await world.push('orphan');
    await until('it runs', async () => (world.runs('orphan') === 1 ? true : undefined));
    await world.client.workflow.getHandle(projectWorkflowId('orphan')).terminate('by hand');
    world.fakes.open('orphan', 'door');
    expect((await world.end(id)).state).toBe('success');
  });

  test('holds no script, variable or log line in its history', async () => {
    world.project('quiet', { plan: planOf([{ key: 'a' }, { key: 'b', stage: 'z', artifactsFrom: ['a'] }]) });
    const id = await world.push('quiet', { variables: {}, message: 'a long commit message' });
    await world.end(id);
    const inputs = ((await world.handle(id).fetchHistory()).events ?? []).flatMap((event) =>
      (event.activityTaskScheduledEventAttributes?.input?.payloads ?? []).map((payload) =>
        Buffer.from(payload.data ?? []).toString(),
      ),
    );
    const jobs = inputs.filter((text) => text.includes('"spec"'));
    expect(jobs.length).toBe(2);
    for (const text of jobs)
      expect(Object.keys(JSON.parse(text) as object).sort()).toEqual([
        'artifacts',
        'dispatchedAt',
        'dotenv',
        'graceMs',
        'handsBack',
        'images',
        'indexes',
        'kind',
        'project',
        'ref',
        'spec',
        'tags',
        'timeoutMs',
      ]);
  });
});

describe.concurrent('what operators see', () => {
  test('Temporal shows ids, summary, attributes, and otherwise only kinds', async () => {
    world.project('seen', {
      plan: planOf([{ key: 'deploy', gate: { approvers: [], expiresInMs: 600_000, requires: [] } }]),
    });
    const id = await world.push('seen');
    await world.when(id, 'its gate is open', (status) => status.jobs[0]?.phase === 'gate');
    const seen = await until('its attributes', async () => {
      const described = await world.handle(id).describe();
      const attributes = described.searchAttributes as Record<string, unknown[]>;
      return attributes[SEARCH_ATTRIBUTES.waitingFor] ? { described, attributes } : undefined;
    });
    expect(seen.attributes).toMatchObject({
      DavitProject: ['seen'],
      DavitRef: ['main'],
      DavitSha: ['b'.repeat(40)],
      DavitState: ['manual'],
      DavitWaitingFor: ['person', 'nothing-runs', 'gate'],
    });
    expect(await seen.described.staticSummary()).toBe('main bbbbbbbb A change');
    await world.handle(id).cancel();
    await world.end(id);
    const { searchAttributes } = await world.handle(id).describe();
    expect((searchAttributes as Record<string, unknown[]>)[SEARCH_ATTRIBUTES.state]).toEqual(['canceled']);
  });

  test('the attributes say at each state what is waited for', async () => {
    const plan = planOf([
      { key: 'extra', when: 'manual' },
      { key: 'deploy', gate: { approvers: [], expiresInMs: 600_000, requires: [] } },
      { key: 'board', stage: 'a', queue: 'nowhere', allowFailure: true },
      { key: 'later', stage: 'b', when: 'delayed', startInMs: 600_000 },
      { key: 'unit', stage: 'c' },
    ]);
    world.project('waits', { plan, compileUntil: true, behaviours: { unit: [{ until: 'door' }] } });
    const id = await world.push('waits');
    const decides = (action: 'play' | 'cancelJob', job: string) =>
      decide(world.client, id, { action, job, actor: 'olga', role: 'operator' });
    const shows = async (state: string, waitingFor?: string[]): Promise<void> => {
      const now = async () => {
        const { typedSearchAttributes: all } = await world.handle(id).describe();
        const stateKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD');
        const waitingKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.waitingFor, 'KEYWORD_LIST');
        return [all.get(stateKey), all.get(waitingKey)];
      };
      const wanted = JSON.stringify([state, waitingFor]);
      await until(`it shows ${wanted}`, async () =>
        JSON.stringify(await now()) === wanted ? true : undefined,
      );
    };
    await shows('created', ['nothing-runs', 'plan']);
    world.fakes.open('waits', 'compiled');
    await shows('manual', ['person', 'nothing-runs', 'gate']);
    await decides('play', 'deploy');
    await shows('running', ['worker', 'nothing-runs', 'queue:nowhere']);
    const listed = await until('the list has it', async () =>
      (await list(world.client, { project: 'waits', limit: 1 })).find(
        (other) => other.waitingFor[0] !== 'plan',
      ),
    );
    expect(listed.waitingFor).not.toContain('nothing-runs');
    await decides('cancelJob', 'board');
    await shows('scheduled', ['nothing-runs', 'delay']);
    await decides('play', 'later');
    const { jobs } = await world.when(id, 'unit is sent', (status) => status.jobs.at(-1)?.epoch === 1);
    const ref = { pipeline: id, job: 'unit', jobId: jobs.at(-1)?.jobId ?? 0, attempt: 1, epoch: 1 };
    await world.handle(id).signal(SIGNALS.jobStarted, { ref, host: 'h1', at: Date.now() });
    await shows('running');
    world.fakes.open('waits', 'door');
    await world.end(id);
    await shows('success');
  });

  test('the commit status is sent to the forge at the start and at the end', async () => {
    world.project('forge', { plan: one });
    await world.end(await world.push('forge'));
    const told = world.fakes
      .journal('forge')
      .filter((entry) => entry.activity.startsWith('reportCommitStatus'));
    expect(told.map((entry) => entry.activity).sort()).toEqual([
      'reportCommitStatus running',
      'reportCommitStatus success',
    ]);
  });

  test('containers are released once their results are in history, and only once', async () => {
    world.project('release', { plan: planOf([{ key: 'a' }, { key: 'b' }, { key: 'c', stage: 'z' }]) });
    await world.end(await world.push('release'));
    const gone = world.fakes.journal('release').filter((entry) => entry.activity === 'releaseJobs');
    expect(gone.map((entry) => entry.job).sort()).toEqual(['a', 'b', 'c']);
  });
});

describe('size', () => {
  test('two hundred jobs run, never more at once than the limit', async () => {
    world.project('many', {
      plan: planOf(Array.from({ length: 200 }, (_, at) => ({ key: `j${at}`, stage: at < 100 ? 'a' : 'b' }))),
      limits: { ...LIMITS, maxPendingJobs: 20 },
    });
    const status = await world.end(await world.push('many'));
    expect(status.state).toBe('success');
    expect(world.runs('many')).toBe(200);
    const history = await world.handle('many/1').fetchHistory();
    let pending = 0;
    let most = 0;
    for (const event of history.events ?? []) {
      const isJob = event.activityTaskScheduledEventAttributes?.activityType?.name === 'runJob';
      if (isJob) pending += 1;
      if (event.activityTaskCompletedEventAttributes && pending > 0) pending -= 1;
      most = Math.max(most, pending);
    }
    expect(most).toBeLessThanOrEqual(20);
  });
});
