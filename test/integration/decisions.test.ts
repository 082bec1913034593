/**
 * What people with access to Temporal alone can decide: nothing, by any message, because each needs a proof of the server.
 * A real Temporal, real signatures, the real activity that verifies them; jobs are fakes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { generateKeyPairSync, sign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCheckProof } from '../../activities/pipeline/check-proof.ts';
import { fileKeyRing } from '../../src/adapters/keys/key-ring.ts';
import { isSignedBy, publicKeys, signMessage } from '../../src/adapters/keys/proofs.ts';
import { installationSchema } from '../../src/installation.ts';
import { projectWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import { signedText } from '../../src/plan/model/message.ts';
import { SIGNALS, type Decision, type PipelineInput } from '../../src/plan/model/protocol.ts';
import { provenDecision } from '../../src/server/proven-workflows.ts';
import { factsOf } from '../../src/server/start.ts';
import {
  decide,
  signalRerun,
  signalStopEnvironment,
  signalStopRef,
  signalTrigger,
} from '../../src/temporal/calls.ts';
import type { StopRef } from '../../src/plan/model/environments.ts';
import { planOf, triggerOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
let folder: string;
const operator = generateKeyPairSync('ed25519');
const proofs = () => {
  const keys = fileKeyRing(join(folder, 'keys'));
  return {
    sign: (message: Parameters<typeof signMessage>[1]) => signMessage(keys, message),
    facts: () => ({ keys: publicKeys(keys), requiredFrom: 0 }),
  };
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-decisions-'));
  world = await World.start();
  const installation = installationSchema.parse({
    approve_by_signal: true,
    approval_keys: [
      { name: 'olga', key: operator.publicKey.export({ format: 'der', type: 'spki' }).toString('base64') },
    ],
  });
  const known = async () => proofs().facts();
  world.fakes.proofs = makeCheckProof({
    proofs: { known, again: known, isSignedBy },
    facts: factsOf({ installation, installationId: 'i' }, 'http://davit.test'),
    now: Date.now,
  });
});
afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const GATE = { key: 'deploy', gate: { approvers: [], expiresInMs: 600_000, requires: [] } };
/** A pipeline that the server has started. */
async function start(slug: string, more: object = {}): Promise<PipelineId> {
  world.project(slug, { plan: planOf([GATE]), limits: { approveBySignal: true, ...more } });
  const trigger = triggerOf(slug, { source: 'api', key: 'request:1', deliveryId: '1' });
  await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
  const found = await until(
    `${slug} has a pipeline`,
    async () => (await world.lookup(slug, trigger.key)).pipeline,
  );
  await world.when(found, 'waits at its gate', ({ jobs }) => jobs[0]?.phase === 'gate');
  return found;
}
const approval = (more: Partial<Decision> = {}): Decision => ({
  action: 'play',
  job: 'deploy',
  actor: 'ops',
  role: 'operator',
  ...more,
});
const proven = async (id: PipelineId, decision: Decision): Promise<Decision> =>
  provenDecision(proofs(), id, { decision, status: await world.status(id) });
const sent = async (id: PipelineId, decision: Decision): Promise<string> => {
  const answer = await decide(world.client, id, decision);
  return answer.accepted ? 'accepted' : answer.code;
};
const answers = async (id: PipelineId): Promise<(string | undefined)[]> =>
  ((await world.status(id)).jobs[0]?.decisions ?? []).map((one) => one.answer);

describe.concurrent('a gate', () => {
  test('is opened by neither a signal nor an update that the server has not made', async () => {
    const id = await start('forged');
    await world.handle(id).signal(SIGNALS.approve, { job: 'deploy' });
    await world.handle(id).signal(SIGNALS.decide, approval());
    expect(await sent(id, approval())).toBe('decision/unproven');
    await until('all are refused', async () => ((await answers(id)).length === 3 ? true : undefined));
    expect(await answers(id)).toEqual(['decision/unproven', 'decision/unproven', 'decision/unproven']);
    expect((await world.status(id)).jobs[0]?.phase).toBe('gate');
    expect(await sent(id, await proven(id, approval()))).toBe('accepted');
    expect((await world.end(id)).state).toBe('success');
  });

  test('is not opened by the approval of another job or pipeline, nor by one that was changed', async () => {
    const id = await start('changed');
    const other = await start('elsewhere');
    const own = await proven(id, approval());
    for (const decision of [
      await proven(other, approval()),
      { ...own, actor: 'dora' },
      { ...own, target: 'another' },
      { ...(await proven(id, approval({ action: 'reject' }))), action: 'play' as const },
    ])
      expect(await sent(id, decision)).toBe('decision/unproven');
    expect((await world.status(id)).jobs[0]?.phase).toBe('gate');
  });

  test('is not opened again by a copy of an approval: the job asks for another one', async () => {
    const id = await start('copied');
    const fake = world.fakes.projects.get('copied');
    if (fake) fake.behaviours.deploy = [{ outcome: 'failed' }, {}];
    const first = await proven(id, approval());
    expect(await sent(id, first)).toBe('accepted');
    await world.end(id);
    const retry = await proven(id, approval({ action: 'retry' }));
    await signalRerun(world.client, 'copied', { pipeline: id, decision: retry });
    await world.when(
      id,
      'asks again',
      ({ jobs, endedAt }) => endedAt === undefined && jobs[0]?.phase === 'gate',
    );
    expect(await sent(id, first)).toBe('job/decided');
    // Nor does the copy of a retry have an effect.
    expect(await sent(id, retry)).not.toBe('accepted');
    expect(await sent(id, await proven(id, approval()))).toBe('accepted');
    expect((await world.end(id)).state).toBe('success');
  });

  test('is opened by a signal that an operator has signed, for this gate', async () => {
    const id = await start('signed');
    const { turn = 0, attempt = 0 } = (await world.status(id)).jobs[0] ?? {};
    const state = { turn, attempt };
    const decision = approval({
      actor: 'olga',
      role: 'temporal',
      proof: { ...state, key: '', signature: '' },
    });
    const signed = (pipeline: PipelineId) =>
      sign(
        null,
        Buffer.from(signedText({ kind: 'decision', pipeline, decision })),
        operator.privateKey,
      ).toString('base64url');
    const send = (by: string, signature: string) =>
      world
        .handle(id)
        .signal(SIGNALS.approve, { job: 'deploy', by, proof: { ...state, key: 'olga', signature } });
    await send('ops', signed(id));
    await send('olga', signed('other/1'));
    await until('both are refused', async () => ((await answers(id)).length === 2 ? true : undefined));
    await send('olga', signed(id));
    const ended = await world.end(id);
    expect(ended.jobs[0]?.decisions.at(-1)).toMatchObject({
      actor: 'olga',
      role: 'temporal',
      answer: 'accepted',
    });
    // No signature is kept, and none is shown.
    expect(JSON.stringify(ended)).not.toContain('signature');
  });
});

describe.concurrent('a pipeline', () => {
  test('is not started by a request that the server has not made; the true one starts it', async () => {
    world.project('request', { plan: planOf([{ key: 'build' }]) });
    const trigger = triggerOf('request', { source: 'api', key: 'request:9', deliveryId: '9' });
    await signalTrigger(world.client, trigger);
    await signalTrigger(world.client, {
      ...trigger,
      proof: proofs().sign({ kind: 'trigger', trigger: { ...trigger, sha: 'f'.repeat(40) } }),
    });
    await until('both are forgotten', async () =>
      (await world.lookup('request', trigger.key)).state === 'unknown' ? true : undefined,
    );
    expect(world.fakes.journal('request')).toEqual([]);
    await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
    await until('it has run', async () => (world.runs('request') === 1 ? true : undefined));
  });

  test('that is started past its project compiles and records nothing', async () => {
    const trigger = triggerOf('past', { source: 'api', key: 'request:1', deliveryId: '1' });
    world.project('past', { plan: planOf([{ key: 'build' }]) });
    const input: PipelineInput = { id: 'past/1', iid: 1, number: 1, trigger };
    const options = { taskQueue: 'control', workflowId: 'pipeline/past/1', args: [input] };
    await expect(world.client.workflow.execute('pipeline', options)).rejects.toMatchObject({
      cause: { type: 'decision/unproven' },
    });
    expect(world.fakes.journal('past')).toEqual([]);
    expect(world.fakes.records.has('past/1')).toBe(false);
  });

  test('that has ended is not run again by a decision without a proof', async () => {
    const id = await start('again');
    expect(await sent(id, await proven(id, approval()))).toBe('accepted');
    await world.end(id);
    const before = world.runs('again');
    await signalRerun(world.client, 'again', { pipeline: id, decision: approval({ action: 'retry' }) });
    const trigger = triggerOf('again', { source: 'api', key: 'request:2', deliveryId: '2' });
    // Requests are handled in order: once this one is done, the first one was refused.
    await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
    await until('the next one', async () => (await world.lookup('again', 'request:2')).pipeline);
    expect(world.runs('again')).toBe(before);
    expect((await world.handle(id).describe()).status.name).toBe('COMPLETED');
  });

  test('names nobody as the person who cancelled it, unless the server says so', async () => {
    const id = await start('cancelled');
    await world.handle(id).signal(SIGNALS.cancel, { actor: 'mallory', role: 'operator' });
    const by = { actor: 'ops', role: 'operator' as const };
    await world
      .handle(id)
      .signal(SIGNALS.cancel, { ...by, proof: proofs().sign({ kind: 'cancel', pipeline: id, by }) });
    await world.handle(id).cancel();
    expect(await world.end(id)).toMatchObject({ state: 'canceled', cancelledBy: by });
  });
});

test('an environment is stopped by the server alone, and not again by a copy of its request', async () => {
  const slug = 'environment';
  world.project(slug, {
    plan: planOf([{ key: 'deploy', environment: { name: 'review', action: 'start' } }]),
  });
  const deploy = async (n: number): Promise<void> => {
    const trigger = triggerOf(slug, { source: 'api', key: `request:${n}`, deliveryId: String(n) });
    await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
    await until(`deployment ${n}`, async () => (world.runs(slug) === n ? true : undefined));
    await until('it is known', async () =>
      (await of())?.state === 'available' && (await of())?.pipeline === `${slug}/${n}` ? true : undefined,
    );
  };
  const of = async () => (await world.projectStatus(slug)).environments?.[0];
  await deploy(1);
  await signalStopEnvironment(world.client, slug, { name: 'review', actor: 'mallory' });
  const stop = { name: 'review', actor: 'ops', since: (await of())?.since ?? 0 };
  const asked = { ...stop, proof: proofs().sign({ kind: 'stopEnvironment', project: slug, stop }) };
  expect((await of())?.state).toBe('available');
  await signalStopEnvironment(world.client, slug, asked);
  await until('it is stopped', async () => ((await of())?.state === 'stopped' ? true : undefined));
  await deploy(2);
  await signalStopEnvironment(world.client, slug, asked);
  // A later request is handled after it.
  await until('still there', async () =>
    (await world.lookup(slug, 'request:2')).pipeline ? true : undefined,
  );
  expect(await of()).toMatchObject({ state: 'available', pipeline: `${slug}/2` });
});

test('environments of a ref stop only if the server says that the ref is gone', async () => {
  const slug = 'goneref';
  world.project(slug, {
    plan: planOf([
      { key: 'deploy', environment: { name: 'review', action: 'start', onStop: 'stop' } },
      { key: 'stop', when: 'manual', environment: { name: 'review', action: 'stop' } },
    ]),
  });
  const trigger = triggerOf(slug, { source: 'api', key: 'request:1', deliveryId: '1' });
  await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
  const known = async () => (await world.projectStatus(slug)).environments?.[0];
  await until('it is deployed', known);
  const checks = async (): Promise<number> => {
    const { events } = await world.client.workflow.getHandle(projectWorkflowId(slug)).fetchHistory();
    return (events ?? []).filter((one) => one.activityTaskCompletedEventAttributes).length;
  };
  const before = await checks();
  const stop: StopRef = { refKind: 'branch', ref: trigger.ref, at: Date.now() };
  await signalStopRef(world.client, slug, stop);
  const other = proofs().sign({ kind: 'stopRef', project: slug, stop: { ...stop, ref: 'other' } });
  await signalStopRef(world.client, slug, { ...stop, proof: other });
  await until('both were verified', async () => ((await checks()) < before + 2 ? undefined : true));
  expect(await known()).toMatchObject({ state: 'available' });
  expect((await known())?.stopAt).toBeUndefined();
  const proof = proofs().sign({ kind: 'stopRef', project: slug, stop });
  await signalStopRef(world.client, slug, { ...stop, proof });
  await until('it is stopping', async () => ((await known())?.state !== 'available' ? true : undefined));
});

test('an environment that the server does not let stop stays, and the project goes on', async () => {
  const slug = 'refused';
  const environment = { name: 'review', action: 'start', onStop: 'stop', autoStopInMs: 50 } as const;
  world.project(slug, {
    plan: planOf([
      { key: 'deploy', environment },
      { key: 'stop', when: 'manual' },
    ]),
  });
  const asked: number[] = [];
  world.fakes.stopProof = async () => {
    asked.push(Date.now());
    // The first failure is none that the activity expects.
    if (asked.length === 1)
      throw ApplicationFailure.nonRetryable('the server has a defect', 'internal/defect');
    return { refused: 'No environment is to be stopped by this job.' };
  };
  const start = async (n: number): Promise<void> => {
    const trigger = triggerOf(slug, { source: 'api', key: `request:${n}`, deliveryId: String(n) });
    await signalTrigger(world.client, { ...trigger, proof: proofs().sign({ kind: 'trigger', trigger }) });
    await until(`deployment ${n}`, async () => (world.runs(slug) === n ? true : undefined));
  };
  await start(1);
  await until('asked', async () => (asked.length === 1 ? true : undefined));
  await start(2);
  await until('asked again', async () => (asked.length === 2 ? true : undefined));
  await until('it stays', async () => {
    const [one] = (await world.projectStatus(slug)).environments ?? [];
    return one?.state === 'available' && one.stopAt === undefined ? true : undefined;
  });
  expect(world.runs(slug)).toBe(2);
});
