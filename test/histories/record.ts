/**
 * Records the histories that `test/integration/replay.test.ts` replays: `node test/histories/record.ts
 * NAME...` adds those of these names; without a name it records all of them. Record one again only when no
 * installation runs the old code any more; until then a change of workflow code needs a version in
 * `workflows/versions.ts`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { pipelineWorkflowId, projectWorkflowId, statusWorkflowId } from '../../src/plan/model/ids.ts';
import { SIGNALS } from '../../src/plan/model/protocol.ts';
import { decide, signalRerun, signalStopEnvironment, workflowLookup } from '../../src/temporal/calls.ts';
import { planOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

const gate = { approvers: ['ops'], expiresInMs: 600_000, requires: ['unit'] };
/** A plan in which every step of the workflows' code is taken at least once. */
const whole = planOf(
  [
    { key: 'unit', stage: 'test', retry: { max: 1, when: [], exitCodes: [] } },
    { key: 'flaky', stage: 'test', allowFailure: true },
    { key: 'lost', stage: 'test' },
    { key: 'handed', stage: 'test' },
    { key: 'build', stage: 'build', kind: 'build' },
    { key: 'later', stage: 'build', when: 'delayed', startInMs: 50 },
    { key: 'extra', stage: 'build', when: 'manual' },
    { key: 'board', stage: 'build', resourceGroup: 'board', resourceMode: 'oldest_first' },
    { key: 'push', stage: 'push', kind: 'push', queue: 'control', imagesFrom: ['build'] },
    { key: 'deploy', stage: 'ship', kind: 'deploy', target: 'prod', queue: 'deploy-prod', gate },
    { key: 'report', stage: 'after', when: 'always' },
  ],
  { stages: ['test', 'build', 'push', 'ship', 'after'] },
);

/** What each scenario leaves behind. */
const scenarios: [string[], () => Promise<void>][] = [
  [['pipeline-whole', 'pipeline-rerun', 'project-locks'], wholeAndAgain],
  [['pipeline-cancelled'], cancelled],
  [['pipeline-superseded', 'project-superseding'], superseded],
  [['pipeline-parent', 'pipeline-child', 'pipeline-mirror'], family],
  [['pipeline-asked-again'], askedAgain],
  [['pipeline-proven', 'project-proven'], proven],
  [['pipeline-waits'], waits],
  [['pipeline-ends-failed', 'pipeline-ends-superseded', 'pipeline-ends-cancelled', 'project-of-failed'], ends],
  [['pipeline-told', 'status-written'], told],
];
const wanted = process.argv.slice(2);
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
const world = await World.start();
try {
  for (const [names, record] of scenarios) if (names.some(isWanted)) await record();
} finally {
  await world.close();
}

async function wholeAndAgain(): Promise<void> {
  world.project('whole', {
    plan: whole,
    behaviours: {
      unit: [{ outcome: 'failed' }, {}],
      flaky: [{ outcome: 'failed' }],
      lost: [{ throw: 'detached', host: 'h2' }],
      handed: [{ throw: 'handed-back' }, {}],
      'deploy watch': [{ outcome: 'failed', kind: 'rollout' }, {}],
    },
  });
  const id = await world.push('whole');
  const approve = async (): Promise<void> => {
    await world.when(id, 'the gate is open', (status) => status.jobs.some((job) => job.phase === 'gate'));
    await decide(world.client, id, { action: 'play', job: 'deploy', actor: 'ops', role: 'developer' });
  };
  await approve();
  await world.end(id);
  const { runId } = await world.handle(id).describe();
  await save('pipeline-whole', pipelineWorkflowId(id));
  const decision = { action: 'retry', job: 'deploy', actor: 'ops', role: 'operator' } as const;
  await signalRerun(world.client, 'whole', { pipeline: id, decision });
  await until('it runs again', async () => ((await world.handle(id).describe()).runId === runId ? undefined : true));
  await approve();
  await world.end(id);
  await save('pipeline-rerun', pipelineWorkflowId(id));
  await save('project-locks', projectWorkflowId('whole'));
}

/** Decisions, a request to stop an environment and a cancel: each is verified. */
async function proven(): Promise<void> {
  const environment = { name: 'review', action: 'start' as const, onStop: 'stop' };
  const stops = { name: 'review', action: 'stop' as const };
  world.project('proven', {
    plan: planOf([
      { key: 'unit' },
      { key: 'deploy', gate, environment },
      { key: 'stop', when: 'manual', environment: stops },
    ]),
  });
  const id = await world.push('proven');
  await world.when(id, 'the gate is open', (status) => status.jobs.some((job) => job.phase === 'gate'));
  await decide(world.client, id, { action: 'play', job: 'deploy', actor: 'ops', role: 'developer' });
  await world.end(id);
  await signalStopEnvironment(world.client, 'proven', { name: 'review', actor: 'ops' });
  await until('it is stopped', async () =>
    (await world.projectStatus('proven')).environments?.[0]?.state === 'stopped' ? true : undefined,
  );
  const decision = { action: 'retry', job: 'deploy', actor: 'ops', role: 'operator' } as const;
  await signalRerun(world.client, 'proven', { pipeline: id, decision });
  await until('it asks again', async () =>
    (await world.status(id)).jobs.some((job) => job.phase === 'gate') ? true : undefined,
  );
  await world.handle(id).signal(SIGNALS.cancel, { actor: 'ops', role: 'operator' });
  await world.end(id);
  await save('pipeline-proven', pipelineWorkflowId(id));
  await save('project-proven', projectWorkflowId('proven'));
}

/** What is waited for, in words that can be searched: a person, a worker, and an optional manual job, for which nobody. */
async function waits(): Promise<void> {
  world.project('waits', {
    plan: planOf([
      { key: 'extra', when: 'manual' },
      { key: 'deploy', gate: { ...gate, requires: [] } },
      { key: 'board', stage: 'later', queue: 'nowhere' },
    ]),
  });
  const id = await world.push('waits');
  await world.when(id, 'the gate is open', ({ state }) => state === 'manual');
  await decide(world.client, id, { action: 'play', job: 'deploy', actor: 'ops', role: 'developer' });
  await world.when(id, 'it has no worker', ({ waitingFor }) => waitingFor.includes('queue:nowhere'));
  await decide(world.client, id, { action: 'cancelJob', job: 'board', actor: 'ops', role: 'operator' });
  await world.end(id);
  await save('pipeline-waits', pipelineWorkflowId(id));
}

/** Pipelines that end in Temporal as they did: one failed, one superseded and so cancelled by itself, one by a person. */
async function ends(): Promise<void> {
  world.project('ends', {
    plan: planOf([{ key: 'a', interruptible: true }]),
    behaviours: { a: [{ outcome: 'failed' }, { hang: true }] },
  });
  const running = (count: number): Promise<true> =>
    until('it runs', async () => (world.runs('ends') === count ? true : undefined));
  const failed = await world.push('ends', { key: 'push:main:a:b', sha: 'b', before: 'a', deliveryId: '1' });
  await world.end(failed);
  const superseded = await world.push('ends', { key: 'push:main:b:c', sha: 'c', before: 'b', deliveryId: '2' });
  await running(2);
  const cancelled = await world.push('ends', { key: 'push:main:c:d', sha: 'd', before: 'c', deliveryId: '3' });
  await world.end(superseded);
  await running(3);
  await world.handle(cancelled).cancel();
  await world.end(cancelled);
  await save('pipeline-ends-failed', pipelineWorkflowId(failed));
  await save('pipeline-ends-superseded', pipelineWorkflowId(superseded));
  await save('pipeline-ends-cancelled', pipelineWorkflowId(cancelled));
  await save('project-of-failed', projectWorkflowId('ends'));
}

/** Each state is passed on to the writer; the forge is away until the last, which replaces those before it. */
async function told(): Promise<void> {
  world.project('told', { plan: planOf([{ key: 'unit' }, { key: 'deploy', gate }]) });
  const { report } = workflowLookup(world.client);
  const writer = statusWorkflowId('told', 'b'.repeat(40), 'davit/push');
  let calls = 0;
  world.fakes.statuses = {
    reportCommitStatus: async (input) => report(writer, { place: [1, 0, 0], ...input, context: 'davit/push' }),
    writeCommitStatus: async ({ state }) => {
      calls += 1;
      if (state !== 'success') throw new Error('The forge is away.');
    },
  };
  const id = await world.push('told');
  await world.when(id, 'the gate is open', (status) => status.jobs.some((job) => job.phase === 'gate'));
  await until('the forge is away', async () => (calls > 2 ? true : undefined));
  await decide(world.client, id, { action: 'play', job: 'deploy', actor: 'ops', role: 'developer' });
  await world.end(id);
  await world.client.workflow.getHandle(writer).result();
  await save('pipeline-told', pipelineWorkflowId(id));
  await save('status-written', writer);
  world.fakes.statuses = undefined;
}

async function cancelled(): Promise<void> {
  world.project('cancelled', {
    plan: planOf([{ key: 'a' }, { key: 'b', stage: 'later' }]),
    behaviours: { a: [{ silent: 'with-host' }] },
  });
  const id = await world.push('cancelled');
  await until('it runs', async () => (world.fakes.journal('cancelled').some((entry) => entry.job) ? true : undefined));
  await world.handle(id).cancel();
  await world.end(id);
  await save('pipeline-cancelled', pipelineWorkflowId(id));
}

async function superseded(): Promise<void> {
  world.project('moved', { plan: planOf([{ key: 'a', interruptible: true }]), behaviours: { a: [{ hang: true }, {}] } });
  const older = await world.push('moved', { key: 'push:main:a:b', sha: 'b', before: 'a', deliveryId: '1' });
  await world.push('moved', { key: 'push:main:b:c', sha: 'c', before: 'b', deliveryId: '2' });
  await world.end(older);
  await world.end('moved/2');
  await save('pipeline-superseded', pipelineWorkflowId(older));
  await save('project-superseding', projectWorkflowId('moved'));
}

/** A child that is waited for, one that is not, and a pipeline that mirrors another. */
async function family(): Promise<void> {
  const trigger = { kind: 'trigger', queue: 'control' } as const;
  const depend = { strategy: 'depend' as const, filesFrom: [] };
  world.project('parent', {
    plan: planOf([
      { key: 'go', ...trigger, downstream: depend },
      { key: 'loose', ...trigger, downstream: { filesFrom: [] } },
      { key: 'after', stage: 'later' },
    ]),
    downstreams: { go: { to: 'child' }, loose: { to: 'other' } },
  });
  world.project('child', { plan: planOf([{ key: 'a' }]), behaviours: { a: [{ until: 'door' }] } });
  world.project('other', { plan: planOf([{ key: 'a' }]) });
  const id = await world.push('parent');
  await world.when(id, 'it has a child', (status) => status.jobs[0]?.downstream?.created === true);
  const mirror = { strategy: 'mirror' as const, project: 'parent', mirrors: true as const, filesFrom: [] };
  world.project('mirror', { plan: planOf([{ key: 'look', ...trigger, downstream: mirror }]) });
  const mirrors = await world.push('mirror');
  await world.when(mirrors, 'it follows', (status) => status.waitingFor[0] === `downstream:${id}`);
  world.fakes.open('child', 'door');
  await world.end(mirrors);
  await save('pipeline-parent', pipelineWorkflowId(id));
  await save('pipeline-child', pipelineWorkflowId('child/1'));
  await save('pipeline-mirror', pipelineWorkflowId(mirrors));
}

/** An approval that is lost before the attempt, and one that the deploy worker finds lost. */
async function askedAgain(): Promise<void> {
  const plan = planOf([{ key: 'deploy', kind: 'deploy', target: 'prod', queue: 'deploy-prod', gate: { ...gate, requires: [] } }]);
  world.project('asked', { plan, behaviours: { 'deploy apply': [{ apply: 'approval' }, {}] } });
  let lost = true;
  world.fakes.approvals = async (question) => {
    const answer = lost ? ({ verdict: 'ask', reason: 'ops has gone', gate: question.gate } as const) : ({ verdict: 'stands' } as const);
    lost = false;
    return answer;
  };
  const id = await world.push('asked');
  for (let approvals = 1; approvals <= 3; approvals++) {
    await world.when(
      id,
      `it asks for the approval ${approvals}`,
      ({ jobs }) => jobs[0]?.phase === 'gate' && jobs[0].decisions.length === approvals - 1,
    );
    await decide(world.client, id, { action: 'play', job: 'deploy', actor: 'ops', role: 'developer' });
  }
  await world.end(id);
  await save('pipeline-asked-again', pipelineWorkflowId(id));
}

async function save(name: string, workflowId: string): Promise<void> {
  if (!isWanted(name)) return;
  const history = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const text = historyToJSON(history)
    .replaceAll(/"identity": ?"[^"]*"/g, '"identity":"worker"')
    .replaceAll(/"stackTrace": ?"(?:[^"\\]|\\.)*"/g, '"stackTrace":""');
  await writeFile(join(import.meta.dirname, `${name}.json`), `${text}\n`);
  console.log(`${name}: ${history.events?.length ?? 0} events`);
}
