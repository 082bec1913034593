/**
 * Records the histories that `test/integration/replay.test.ts` replays: `node test/histories/record.ts`. Do this only when
 * no installation runs the old code any more; until then a change of workflow code goes behind `patched()`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { pipelineWorkflowId, projectWorkflowId } from '../../src/plan/ids.ts';
import { decide, signalRerun } from '../../src/temporal/calls.ts';
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

const world = await World.start();
try {
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

  world.project('cancelled', {
    plan: planOf([{ key: 'a' }, { key: 'b', stage: 'later' }]),
    behaviours: { a: [{ silent: 'with-host' }] },
  });
  const cancelled = await world.push('cancelled');
  await until('it runs', async () => (world.fakes.journal('cancelled').some((entry) => entry.job) ? true : undefined));
  await world.handle(cancelled).cancel();
  await world.end(cancelled);
  await save('pipeline-cancelled', pipelineWorkflowId(cancelled));

  world.project('moved', { plan: planOf([{ key: 'a', interruptible: true }]), behaviours: { a: [{ hang: true }, {}] } });
  const older = await world.push('moved', { key: 'push:main:a:b', sha: 'b', before: 'a', deliveryId: '1' });
  await world.push('moved', { key: 'push:main:b:c', sha: 'c', before: 'b', deliveryId: '2' });
  await world.end(older);
  await world.end('moved/2');
  await save('pipeline-superseded', pipelineWorkflowId(older));
  await save('project-locks', projectWorkflowId('whole'));
  await save('project-superseding', projectWorkflowId('moved'));
} finally {
  await world.close();
}

async function save(name: string, workflowId: string): Promise<void> {
  const history = await world.client.workflow.getHandle(workflowId).fetchHistory();
  const text = historyToJSON(history)
    .replaceAll(/"identity": ?"[^"]*"/g, '"identity":"worker"')
    .replaceAll(/"stackTrace": ?"(?:[^"\\]|\\.)*"/g, '"stackTrace":""');
  await writeFile(join(import.meta.dirname, `${name}.json`), `${text}\n`);
  console.log(`${name}: ${history.events?.length ?? 0} events`);
}
