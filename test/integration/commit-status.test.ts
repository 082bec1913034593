/** Pipelines on a real Temporal tell a forge over HTTP, which goes away and comes back. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeReportCommitStatus, makeWriteCommitStatus } from '../../activities/pipeline/commit-status.ts';
import { coded } from '../../activities/runtime/failures.ts';
import { forgeStatuses } from '../../src/adapters/forge/index.ts';
import type { StatusProblem } from '../../src/plan/model/commit-status.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { statusProblemName } from '../../src/plan/model/records.ts';
import { decide, workflowLookup } from '../../src/temporal/calls.ts';
import { memoryRecords, testFacts } from '../unit/activities/fakes.ts';
import { planOf } from '../support/plans.ts';
import { StatusForge } from '../support/status-forge.ts';
import { until, World } from '../support/world.ts';

const records = memoryRecords();
const gitea = new StatusForge('gitea');
const gitlab = new StatusForge('gitlab');
let world: World;

const NAMES = ['forged', 'away', 'order', 'states', 'denied', 'slow', 'none', 'twice', 'empty'];
beforeAll(async () => {
  await Promise.all([gitea.start(), gitlab.start()]);
  world = await World.start();
  const facts = testFacts({
    projects: [...NAMES, 'lab'].map((name) => {
      const forge = name === 'lab' ? gitlab : gitea;
      const place = {
        forge: forge.kind,
        forge_url: forge.url,
        forge_token: 'env:T',
        repository: `acme/${name}`,
      };
      return name === 'none' ? { name } : { name, ...place };
    }),
  });
  const deps = {
    facts,
    records,
    now: Date.now,
    writers: workflowLookup(world.client),
    recordOf: async (id: PipelineId) => world.fakes.records.get(id),
    forge: forgeStatuses({ projects: facts.config.projects, secrets: { resolve: async () => 'token' } }),
  };
  world.fakes.statuses = {
    reportCommitStatus: coded(makeReportCommitStatus(deps)),
    writeCommitStatus: coded(makeWriteCommitStatus(deps)),
  };
});
afterAll(async () => {
  await world?.close();
  await Promise.all([gitea.stop(), gitlab.stop()]);
});
beforeEach(() => {
  for (const forge of [gitea, gitlab]) {
    forge.taken.length = 0;
    forge.asked = 0;
    forge.most = 0;
    forge.slowMs = 0;
    forge.status = 201;
  }
});

const one = planOf([{ key: 'a' }]);
const gated = planOf([
  { key: 'a' },
  { key: 'b', stage: 'z', gate: { approvers: [], expiresInMs: 600_000, requires: [] } },
]);
const seen = (forge: StatusForge, context: string, state: string) =>
  until(`${context} is ${state}`, async () =>
    forge.seen('b'.repeat(40), context)?.state === state ? true : undefined,
  );
const texts = (forge: StatusForge): string[] =>
  forge.taken.map((taken) => `${taken.context} ${taken.state}: ${taken.description}`);
const approve = (id: `${string}/${number}`): Promise<unknown> =>
  decide(world.client, id, { action: 'play', job: 'b', actor: 'ops', role: 'operator' });

test('each state is told as it comes, also that a person is waited for', async () => {
  world.project('states', { plan: gated });
  const id = await world.push('states');
  await world.when(id, 'it waits', ({ state }) => state === 'manual');
  await until('it is told', async () =>
    texts(gitea).at(-1)?.includes('waits for a person') ? true : undefined,
  );
  await approve(id);
  await world.end(id);
  await seen(gitea, 'davit/push', 'success');
  expect(texts(gitea).at(-1)).toBe('davit/push success: davit states/1 passed');
  expect(gitea.taken.every((taken) => taken.context === 'davit/push')).toBe(true);
});

test('the same at GitLab, whose states go one way', async () => {
  world.project('lab', { plan: gated });
  const id = await world.push('lab');
  await world.when(id, 'it waits', ({ state }) => state === 'manual');
  await approve(id);
  await world.end(id);
  await seen(gitlab, 'davit/push', 'success');
  expect(gitlab.taken[0]?.ref).toBe('main');
  expect(gitlab.taken.map(({ state }) => state).filter((state) => state === 'success')).toHaveLength(1);
});

test('a forge that is away at the end gets the status when it is back; the pipeline does not wait', async () => {
  world.project('away', { plan: one, behaviours: { a: [{ until: 'go' }] } });
  const id = await world.push('away');
  await seen(gitea, 'davit/push', 'pending');
  await gitea.stop();
  world.fakes.open('away', 'go');
  expect((await world.end(id)).state).toBe('success');
  const writer = `status/away/${'b'.repeat(40)}/davit/push`;
  await until('the writer has tried in vain', async () => {
    const { raw } = await world.client.workflow.getHandle(writer).describe();
    return raw.pendingActivities?.some((activity) => (activity.attempt ?? 0) > 2) ? true : undefined;
  });
  await gitea.start();
  await seen(gitea, 'davit/push', 'success');
  await world.client.workflow.getHandle(writer).result();
});

test('an older pipeline that ends later changes nothing, and one of another kind has its own', async () => {
  world.project('order', { plan: one, behaviours: { a: [{ until: 'go' }, {}, { outcome: 'failed' }] } });
  const older = await world.push('order', { key: 'push:1', deliveryId: '1' });
  await seen(gitea, 'davit/push', 'pending');
  const newer = await world.push('order', { source: 'api', key: 'request:1', deliveryId: '2' });
  await world.end(newer);
  await seen(gitea, 'davit/push', 'success');
  const merge = await world.push('order', {
    source: 'merge_request',
    refKind: 'merge_request',
    ref: 'refs/pull/3/head',
    key: 'merge_request:3',
    deliveryId: '3',
  });
  await world.end(merge);
  await seen(gitea, 'davit/mr', 'failure');
  // Its writer has ended long before: what was told is kept.
  await world.client.workflow.getHandle(`status/order/${'b'.repeat(40)}/davit/push`).result();
  await world.handle(older).cancel();
  await world.end(older);
  await world.client.workflow.getHandle(`status/order/${'b'.repeat(40)}/davit/push`).result();
  expect(gitea.seen('b'.repeat(40), 'davit/push')).toMatchObject({ state: 'success' });
  expect(texts(gitea).filter((text) => text.includes('order/1 cancelled'))).toEqual([]);
});

test('a pipeline that runs again continues after what it told before', async () => {
  world.project('twice', { plan: one, behaviours: { a: [{ outcome: 'failed' }, {}] } });
  const id = await world.push('twice');
  await world.end(id);
  await seen(gitea, 'davit/push', 'failure');
  const { signalRerun } = await import('../../src/temporal/calls.ts');
  const decision = { action: 'retry', job: 'a', actor: 'ops', role: 'operator' } as const;
  await signalRerun(world.client, 'twice', { pipeline: id, decision });
  await seen(gitea, 'davit/push', 'success');
});

test('a refused token is asked again in a while, and the reason is kept until it is taken', async () => {
  world.project('denied', { plan: gated });
  gitea.status = 403;
  const id = await world.push('denied');
  const name = statusProblemName('denied');
  const problem = await until('the reason is kept', () => records.get<StatusProblem>(name));
  expect(problem).toMatchObject({ code: 'forge/denied', pipeline: id });
  expect(problem.reason).toContain('403 to a commit status: refused by the test');
  await world.when(id, 'it waits', ({ state }) => state === 'manual');
  const asked = gitea.asked;
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  // Once for each state, never by the clock of an outage.
  expect(gitea.asked).toBeLessThanOrEqual(Math.max(asked, 2));
  gitea.status = 201;
  await approve(id);
  await world.end(id);
  await seen(gitea, 'davit/push', 'success');
  await until('the reason is gone', async () => ((await records.get(name)) === null ? true : undefined));
});

test('one call at a time, and the last state stands, however slow the forge', async () => {
  world.project('slow', { plan: gated });
  gitea.slowMs = 400;
  const id = await world.push('slow');
  await world.when(id, 'it waits', ({ state }) => state === 'manual');
  await approve(id);
  await world.end(id);
  await seen(gitea, 'davit/push', 'success');
  expect(gitea.most).toBe(1);
  expect(texts(gitea).at(-1)).toContain('passed');
});

test('a signal that nobody has reported passes no required check', async () => {
  world.project('forged', { plan: one });
  const id = await world.push('forged');
  await world.end(id);
  await seen(gitea, 'davit/push', 'success');
  const { report } = workflowLookup(world.client);
  const sha = 'b'.repeat(40);
  const all = { project: 'forged', sha, ref: 'main', state: 'success', place: [9, 9, 9] } as const;
  await report('status/forged/1', { ...all, id, context: 'davit/mr' });
  await report('status/forged/2', { ...all, id: 'forged/2', context: 'davit/mr' });
  await report('status/forged/3', { ...all, id, sha: 'c'.repeat(40), context: 'davit/push' });
  for (const number of [1, 2, 3])
    await until('it is tried in vain', async () => {
      const { raw } = await world.client.workflow.getHandle(`status/forged/${number}`).describe();
      return raw.pendingActivities?.some((activity) => (activity.attempt ?? 0) > 1) ? true : undefined;
    });
  expect(gitea.seen(sha, 'davit/mr')).toBeUndefined();
  expect(gitea.seen('c'.repeat(40), 'davit/push')).toBeUndefined();
});

test('nothing to run is not told, and without a forge nobody is asked', async () => {
  world.project('empty', { plan: one, compile: { kind: 'empty', reason: 'No job.' } });
  world.project('none', { plan: one });
  expect((await world.end(await world.push('empty'))).state).toBe('skipped');
  await world.client.workflow.getHandle(`status/empty/${'b'.repeat(40)}/davit/push`).result();
  await world.end(await world.push('none'));
  const described = world.client.workflow.getHandle(`status/none/${'b'.repeat(40)}/davit/push`).describe();
  await expect(described).rejects.toThrow('not found');
  expect(gitea.asked).toBe(0);
});
