/**
 * Pipelines of one project in parallel: newer commits, locks. On a real Temporal server, activities played by
 * fakes.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { signalDeletion, signalRerun, signalTrigger } from '../../src/temporal/calls.ts';
import { planOf, push, triggerOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const one = planOf([{ key: 'a' }]);

describe.concurrent('a newer commit', () => {
  const pair = async (slug: string): Promise<[PipelineId, PipelineId]> => {
    const older = await world.push(slug, push('b', 'a', 'd1'));
    await until(`${slug} runs`, async () => (world.runs(slug) > 0 ? true : undefined));
    return [older, await world.push(slug, push('c', 'b', 'd2'))];
  };
  const behaviours = { a: [{ hang: true }, {}] };

  test('cancels the older pipeline while only interruptible jobs have started', async () => {
    world.project('interruptible', { plan: planOf([{ key: 'a', interruptible: true }]), behaviours });
    const [older, newer] = await pair('interruptible');
    const status = await world.end(older);
    expect([status.state, status.reason]).toEqual(['canceled', `superseded by ${newer}`]);
    expect((await world.end(newer)).state).toBe('success');
  });

  test('leaves the older pipeline alone once a job that is not interruptible runs', async () => {
    world.project('firm', { plan: one, behaviours: { a: [{ until: 'door' }, {}] } });
    const [older, newer] = await pair('firm');
    await world.handle(older).signal('jobStarted', {
      ref: { pipeline: older, job: 'a', jobId: 1, attempt: 1, epoch: 1 },
      host: 'h1',
      at: 0,
    });
    await world.end(newer);
    world.fakes.open('firm', 'door');
    expect((await world.end(older)).state).toBe('success');
  });

  test('cancels only interruptible jobs where the plan says so, and none where it says none', async () => {
    const jobs = [
      { key: 'a', interruptible: true },
      { key: 'b', interruptible: false },
    ];
    const held = { a: [{ hang: true }, {}], b: [{ until: 'door' }, {}] };
    world.project('some', {
      plan: planOf(jobs, { autoCancel: { onNewCommit: 'interruptible' } }),
      behaviours: held,
    });
    world.project('none', {
      plan: planOf(jobs, { autoCancel: { onNewCommit: 'none' } }),
      behaviours: { ...held, a: [{ until: 'door' }, {}] },
    });
    const [some] = await pair('some');
    const [none, newer] = await pair('none');
    await world.when(some, 'a is cancelled', (status) => status.jobs[0]?.outcome === 'cancelled');
    await world.end(newer);
    world.fakes.open('some', 'door');
    world.fakes.open('none', 'door');
    expect((await world.end(some)).jobs.map((job) => job.outcome)).toEqual(['cancelled', 'succeeded']);
    expect((await world.end(none)).jobs.map((job) => job.outcome)).toEqual(['succeeded', 'succeeded']);
  });

  test('cancels an older pipeline whose jobs have waited for a worker without success', async () => {
    world.project('starved', { plan: planOf([{ key: 'a', queue: 'nowhere' }]) });
    const older = await world.push('starved', push('b', 'a', 'd1'));
    await world.when(older, 'a is dispatched', (status) => status.jobs[0]?.phase === 'dispatched');
    world.project('starved', { plan: one });
    const newer = await world.push('starved', push('c', 'b', 'd2'));
    expect((await world.end(older)).reason).toBe(`superseded by ${newer}`);
  });

  test('that arrived before the older one supersedes it at once', async () => {
    world.project('order', {
      plan: planOf([{ key: 'a', interruptible: true }]),
      behaviours: { a: [{}, { hang: true }] },
    });
    const newer = await world.push('order', push('c', 'b', 'd2'));
    await world.end(newer);
    const older = await world.push('order', push('b', 'a', 'd1'));
    expect((await world.end(older)).reason).toBe(`superseded by ${newer}`);
  });
});

test.concurrent('an older commit runs if it is pushed back, and if a person asks for it', async () => {
  world.project('back', { plan: one });
  await world.end(await world.push('back', push('b', 'a', 'd1')));
  await world.end(await world.push('back', push('c', 'b', 'd2')));
  const back = await world.end(await world.push('back', push('b', 'c', 'd3')));
  const asked = await world.end(
    await world.push('back', { ...push('a', '0', 'd4'), source: 'cli', key: 'request:a' }),
  );
  expect([back.state, asked.state]).toEqual(['success', 'success']);
});

test.concurrent('a tag that is deleted and pushed again at the same commit runs again, a redelivery does not', async () => {
  const tag = { ...push('b', '0', 'd1'), source: 'tag' as const, refKind: 'tag' as const, ref: 'v1' };
  world.project('again', { plan: one, head: tag.sha });
  const first = await world.push('again', tag);
  await signalTrigger(world.client, triggerOf('again', { ...tag, deliveryId: 'd2' }));
  await signalDeletion(world.client, 'again', { refKind: 'tag', ref: 'v1', before: tag.sha });
  await signalTrigger(world.client, triggerOf('again', { ...tag, deliveryId: 'd3' }));
  const second = await until('it starts again', async () => {
    const { pipeline } = await world.lookup('again', tag.key);
    return pipeline === first ? undefined : pipeline;
  });
  expect([first, second]).toEqual(['again/1', 'again/2']);
  expect((await world.end('again/2')).state).toBe('success');
  await signalTrigger(world.client, triggerOf('again', { ...tag, deliveryId: 'd4' }));
  const later = { ...tag, key: 'request:1', source: 'api' as const, deliveryId: 'r1' };
  expect(await world.push('again', later)).toBe('again/3');
});

test.concurrent('a push that is delivered before the deletion that it follows starts, once', async () => {
  const made = push('b', '0', 'd1');
  const gone = { refKind: 'branch' as const, ref: 'main', before: made.sha, deliveryId: 'gone' };
  world.project('swapped', { plan: one, head: made.sha });
  await world.end(await world.push('swapped', made));
  const again = triggerOf('swapped', { ...made, deliveryId: 'd2' });
  await signalTrigger(world.client, again);
  await signalTrigger(world.client, again);
  await signalDeletion(world.client, 'swapped', gone);
  await until('it starts again', async () =>
    (await world.lookup('swapped', made.key)).pipeline === 'swapped/2' ? true : undefined,
  );
  // Repeats of all three change nothing more.
  await signalDeletion(world.client, 'swapped', gone);
  for (const deliveryId of ['d1', 'd2', 'd3'])
    await signalTrigger(world.client, triggerOf('swapped', { ...made, deliveryId }));
  const asked = { ...made, key: 'request:1', source: 'api' as const, deliveryId: 'r1' };
  expect(await world.push('swapped', asked)).toBe('swapped/3');
});

test.concurrent('a repeat before a deletion starts nothing while the ref is gone', async () => {
  const made = push('b', '0', 'd1');
  world.project('stays', { plan: one, head: 'f'.repeat(40) });
  await world.push('stays', made);
  await signalTrigger(world.client, triggerOf('stays', { ...made, deliveryId: 'd2' }));
  await signalDeletion(world.client, 'stays', { refKind: 'branch', ref: 'main', before: made.sha });
  const asked = { ...made, key: 'request:1', source: 'api' as const, deliveryId: 'r1' };
  expect(await world.push('stays', asked)).toBe('stays/2');
});

describe.concurrent('locks', () => {
  const deploy = planOf([
    {
      key: 'deploy',
      kind: 'deploy',
      target: 'prod',
      queue: 'deploy-prod',
      environment: { name: 'prod', action: 'start' },
    },
  ]);
  const seqs = (slug: string): (number | undefined)[] =>
    world.fakes
      .journal(slug)
      .filter((entry) => entry.activity === 'applyDeploy')
      .map((entry) => entry.seq);

  test('one deployment of an environment at a time; the numbers rise', async () => {
    world.project('turns', { plan: deploy, behaviours: { 'deploy watch': [{ until: 'door' }, {}] } });
    const first = await world.push('turns', { source: 'api', key: 'request:1', deliveryId: '1' });
    await until('it deploys', async () => (seqs('turns').length === 1 ? true : undefined));
    const second = await world.push('turns', { source: 'api', key: 'request:2', deliveryId: '2' });
    const waiting = await world.when(second, 'it waits', (status) => status.state === 'waiting_for_resource');
    expect(waiting.jobs[0]?.waitingFor).toBe('lock:prod');
    expect((await world.projectStatus('turns')).locks).toEqual([
      { resource: 'environment:prod', holder: 'turns/1 deploy', waiting: ['turns/2 deploy'] },
    ]);
    world.fakes.open('turns', 'door');
    expect((await world.end(first)).state).toBe('success');
    expect((await world.end(second)).state).toBe('success');
    expect(seqs('turns')).toEqual([1_000, 2_000]);
  });

  test('an older pipeline never deploys over a newer one', async () => {
    world.project('outdated', {
      plan: planOf([
        { key: 'wait', stage: 'build' },
        { ...deploy.jobs[0], key: 'deploy', needs: null, stage: 'ship', stageIndex: 1 },
      ]),
      behaviours: { wait: [{ until: 'door' }, {}] },
    });
    const older = await world.push('outdated', { source: 'api', key: 'request:1', deliveryId: '1' });
    await until('the older one waits', async () => (world.runs('outdated') === 1 ? true : undefined));
    await world.end(await world.push('outdated', { source: 'api', key: 'request:2', deliveryId: '2' }));
    world.fakes.open('outdated', 'door');
    const status = await world.end(older);
    expect([status.jobs[1]?.outcome, status.jobs[1]?.result?.kind]).toEqual(['skipped', 'outdated']);
    expect(seqs('outdated')).toEqual([2_000]);
  });

  test('an older pipeline deploys again if a person retries its deployment, whether it had deployed or not', async () => {
    world.project('rollback', { plan: deploy, behaviours: { 'deploy watch': [{ until: 'never' }, {}] } });
    const older = await world.push('rollback', { source: 'api', key: 'request:1', deliveryId: '1' });
    // Only then: a cancel before leaves the behaviour that hangs to the retry.
    await until('it watches', async () =>
      world.fakes.journal('rollback').some(({ activity }) => activity === 'watchDeploy') ? true : undefined,
    );
    await world.handle(older).cancel();
    await world.end(older);
    await world.end(await world.push('rollback', { source: 'api', key: 'request:2', deliveryId: '2' }));
    for (const times of [1, 2]) {
      const decision = {
        action: 'retry',
        job: 'deploy',
        actor: 'olga',
        role: 'operator',
        id: `d${times}`,
      } as const;
      await signalRerun(world.client, 'rollback', { pipeline: older, decision });
      await until('it has deployed again', async () =>
        seqs('rollback').length === 2 + times ? true : undefined,
      );
      expect((await world.end(older)).jobs[0]?.outcome).toBe('succeeded');
    }
    const all = seqs('rollback').map(Number);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    expect(new Set(all).size).toBe(4);
  });

  test('a push reported after those that followed it deploys over none of them', async () => {
    world.project('late', { plan: { ...deploy, autoCancel: { ...deploy.autoCancel, onNewCommit: 'none' } } });
    await world.end(await world.push('late', push('c', 'b', 'd3')));
    for (const late of [push('b', 'a', 'd2'), push('a', 'z', 'd1')]) {
      const status = await world.end(await world.push('late', late));
      expect([status.jobs[0]?.outcome, status.jobs[0]?.result?.kind]).toEqual(['skipped', 'outdated']);
    }
    expect(seqs('late')).toEqual([1_000]);
  });

  test('a terminated holder is detected, and its lock is released', async () => {
    world.project('lost', { plan: deploy, behaviours: { 'deploy watch': [{ hang: true }, {}] } });
    const first = await world.push('lost', { source: 'api', key: 'request:1', deliveryId: '1' });
    await until('it deploys', async () => (seqs('lost').length === 1 ? true : undefined));
    const second = await world.push('lost', { source: 'api', key: 'request:2', deliveryId: '2' });
    await world.when(second, 'it waits', (status) => status.state === 'waiting_for_resource');
    await world.handle(first).terminate('by hand');
    world.fakes.closed.add(`pipeline/${first}`);
    expect((await world.end(second)).state).toBe('success');
  });

  test('a job that is cancelled while it waits for a lock leaves the queue', async () => {
    world.project('line', { plan: deploy, behaviours: { 'deploy watch': [{ until: 'door' }, {}] } });
    const first = await world.push('line', { source: 'api', key: 'request:1', deliveryId: '1' });
    await until('it deploys', async () => (seqs('line').length === 1 ? true : undefined));
    const second = await world.push('line', { source: 'api', key: 'request:2', deliveryId: '2' });
    await world.when(second, 'it waits', (status) => status.state === 'waiting_for_resource');
    await world.handle(second).cancel();
    expect((await world.end(second)).state).toBe('canceled');
    expect((await world.projectStatus('line')).locks[0]?.waiting).toEqual([]);
    world.fakes.open('line', 'door');
    await world.end(first);
    await until('all locks are free', async () =>
      (await world.projectStatus('line')).locks.length === 0 ? true : undefined,
    );
  });

  test('oldest_first waits for an older pipeline whose turn has not come', async () => {
    const group = { resourceGroup: 'board', resourceMode: 'oldest_first' as const };
    world.project('oldest', {
      plan: planOf([
        { key: 'wait', stage: 'build' },
        { key: 'use', stage: 'test', ...group },
      ]),
      behaviours: { wait: [{ until: 'door' }, {}] },
    });
    const older = await world.push('oldest', { source: 'api', key: 'request:1', deliveryId: '1' });
    await until('the older one waits', async () => (world.runs('oldest') === 1 ? true : undefined));
    const newer = await world.push('oldest', { source: 'api', key: 'request:2', deliveryId: '2' });
    await world.when(
      newer,
      'it waits for the older',
      (status) => status.jobs[1]?.waitingFor === 'lock:board',
    );
    world.fakes.open('oldest', 'door');
    await world.end(older);
    await world.end(newer);
    const used = world.fakes
      .journal('oldest')
      .filter((entry) => entry.job === 'use' && entry.activity === 'runJob');
    expect(used).toHaveLength(2);
  });

  const users = (slug: string): string[] =>
    world.fakes
      .journal(slug)
      .filter((entry) => entry.job === 'use' && entry.activity === 'runJob')
      .map((entry) => entry.pipeline ?? '');
  const ask = (slug: string, n: number): Promise<PipelineId> =>
    world.push(slug, { source: 'api', key: `request:${n}`, deliveryId: String(n) });
  const waits = (id: PipelineId) =>
    world.when(id, 'it waits', (status) => status.jobs.some((job) => job.waitingFor === 'lock:board'));

  test.each([
    ['unordered', [0, 1, 2]],
    ['oldest_first', [0, 1, 2]],
    ['newest_ready_first', [0, 2, 1]],
    ['newest_first', [0, 2, 1]],
  ] as const)('%s: among those already waiting', async (mode, order) => {
    const slug = `ready-${mode.replaceAll('_', '-')}`;
    world.project(slug, {
      plan: planOf([{ key: 'use', resourceGroup: 'board', resourceMode: mode }]),
      behaviours: { use: [{ until: 'door' }, {}] },
    });
    const ids = [await ask(slug, 1)];
    await until('it is used', async () => (users(slug).length === 1 ? true : undefined));
    for (const n of [2, 3]) {
      const id = await ask(slug, n);
      await waits(id);
      ids.push(id);
    }
    world.fakes.open(slug, 'door');
    for (const id of ids) expect((await world.end(id)).state).toBe('success');
    expect(users(slug)).toEqual(order.map((at) => ids[at]));
  });

  test('newest_first waits for a newer pipeline whose turn has not come, newest_ready_first does not', async () => {
    const plan = (mode: 'newest_first' | 'newest_ready_first') =>
      planOf([
        { key: 'wait', stage: 'build' },
        { key: 'use', stage: 'test', resourceGroup: 'board', resourceMode: mode },
      ]);
    const behaviours = { wait: [{ until: 'first' }, { until: 'second' }] };
    const pair = async (slug: string, mode: 'newest_first' | 'newest_ready_first') => {
      world.project(slug, { plan: plan(mode), behaviours });
      const older = await ask(slug, 1);
      await until('the older one is held', async () => (world.runs(slug) === 1 ? true : undefined));
      const newer = await ask(slug, 2);
      await until('the newer one is held', async () => (world.runs(slug) === 2 ? true : undefined));
      world.fakes.open(slug, 'first');
      return [older, newer] as const;
    };
    const [older, newer] = await pair('newest', 'newest_first');
    await waits(older);
    world.fakes.open('newest', 'second');
    await world.end(newer);
    await world.end(older);
    expect(users('newest')).toEqual([newer, older]);

    const [first, second] = await pair('newest-ready', 'newest_ready_first');
    expect((await world.end(first)).state).toBe('success');
    world.fakes.open('newest-ready', 'second');
    await world.end(second);
    expect(users('newest-ready')).toEqual([first, second]);
  });
});
