/**
 * Deploy activities on a real swarm of its own, images by digest from a registry that only its nodes reach.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeployActivities, DeployInput } from '../../activities/contract.ts';
import { makeDeployActivities } from '../../activities/index.ts';
import type { DeployTarget } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { deriveSealKey, localSecrets } from '../../src/adapters/secrets/index.ts';
import { swarmTarget } from '../../src/adapters/swarm/index.ts';
import type { SwarmSpec } from '../../src/plan/model/spec.ts';
import { startSwarmEngine, type SwarmEngine } from '../support/engine.ts';
import { startSwarmRegistry, type SwarmRegistry } from '../support/swarm-registry.ts';
import {
  asActivity,
  common,
  json,
  memoryBlobs,
  memoryLogs,
  memoryRecords,
  runInput,
  steadyRights,
  testFacts,
} from '../unit/activities/fakes.ts';

const MINUTES = 180_000;
const RUNS = ['/bin/sh', '-c', 'trap exit TERM; while :; do sleep 0.1; done'];
const BREAKS = ['/bin/sh', '-c', 'echo no; exit 3'];

let swarm: SwarmEngine;
let target: DeployTarget;
let registry: SwarmRegistry;
let activities: DeployActivities;
const blobs = memoryBlobs();
const records = memoryRecords();

beforeAll(async () => {
  swarm = await startSwarmEngine();
  registry = await startSwarmRegistry(swarm);
  target = await swarmTarget({ name: 'prod', address: swarm.address });
  const secrets = localSecrets({ sealKey: deriveSealKey('token of workers'), readEnv: () => undefined });
  activities = makeDeployActivities({
    blobs,
    records,
    rights: steadyRights,
    secrets,
    target,
    logs: memoryLogs(),
    registries: configuredRegistries([], secrets),
    facts: testFacts(),
    now: Date.now,
    timing: { pollMs: 200, stableMs: 2_000 },
  });
}, MINUTES);
afterAll(async () => {
  await registry?.stop();
  await swarm?.stop();
}, MINUTES);

async function deployment(service: string, seq: number, more: Partial<SwarmSpec> = {}): Promise<DeployInput> {
  const spec = {
    ...common,
    kind: 'deploy',
    target: 'prod',
    imageFrom: 'push',
    environment: { name: 'prod' },
    swarm: {
      service,
      replicas: 1,
      publish: [],
      endpointMode: 'dnsrr',
      constraints: [],
      env: { SEQ: String(seq) },
      networks: [],
      command: RUNS,
      update: { order: 'stop-first', parallelism: 1, delayMs: 0, onFailure: 'rollback' },
      convergeTimeoutMs: 60_000,
      ...more,
    },
  };
  const index = { repository: registry.repository, digest: registry.digest, tags: ['1'], platforms: [] };
  const input = runInput(await blobs.putBytes(json(spec)), {
    kind: 'deploy',
    indexes: [{ job: 'push', index }],
    ref: { pipeline: `table/${seq}`, job: `deploy ${service}`, jobId: seq, attempt: 1, epoch: 1 },
  });
  return { ...input, seq, deployId: `table/${seq}/deploy/1 ${service}` };
}
const image = () => `${registry.repository}@${registry.digest}`;
const apply = (input: DeployInput) => asActivity(activities.applyDeploy, input);
const watch = (input: DeployInput) => asActivity(activities.watchDeploy, input);

test(
  'a deployment converges by digest; a failing one is reported and rolled back',
  async () => {
    const first = await deployment('life', 1);
    expect(await apply(first)).toMatchObject({ kind: 'applied', previous: undefined });
    expect(await watch(first)).toMatchObject({
      outcome: 'succeeded',
      deployed: { state: 'converged', image: image() },
    });

    const broken = await deployment('life', 3, { command: BREAKS });
    const applied = await apply(broken);
    expect(applied).toMatchObject({ kind: 'applied', previous: expect.stringMatching(/^sha256:/) });
    const failed = await watch(broken);
    expect(failed).toMatchObject({ outcome: 'failed', kind: 'rollout' });
    expect(failed.message).toContain('(3)');

    const back = {
      ...broken,
      previous: applied.kind === 'applied' ? applied.previous : undefined,
      newSeq: 4,
    };
    const state = await asActivity(activities.rollbackDeploy, back);
    expect(state).toMatchObject({ state: 'rolled_back', seq: 4, image: image() });
    const now = await target.read('life');
    expect(now).toMatchObject({ running: 1, desired: 1, seq: 4 });
    expect(now.snapshot).toContain('"SEQ=1"');
    expect(await asActivity(activities.rollbackDeploy, back)).toEqual(state);

    expect(await apply({ ...broken, ref: { ...broken.ref, epoch: 5 } })).toMatchObject({ kind: 'already' });
    expect(await apply(await deployment('life', 2))).toMatchObject({ kind: 'outdated' });
    const next = await deployment('life', 4);
    expect(await apply(next)).toMatchObject({ kind: 'applied' });
    expect(await watch(next)).toMatchObject({ outcome: 'succeeded' });
  },
  MINUTES,
);

test(
  'a first deployment that never starts ends at its deadline and is removed',
  async () => {
    const broken = await deployment('stillborn', 1, { command: BREAKS, convergeTimeoutMs: 6_000 });
    expect(await apply(broken)).toMatchObject({ kind: 'applied' });
    const failed = await watch(broken);
    expect(failed).toMatchObject({ outcome: 'failed', kind: 'rollout', deployed: { state: 'unknown' } });
    const back = { ...broken, newSeq: 2 };
    expect(await asActivity(activities.rollbackDeploy, back)).toMatchObject({
      state: 'rolled_back',
      image: '',
    });
    expect(await target.read('stillborn')).toMatchObject({ exists: false });
  },
  MINUTES,
);

test(
  'two concurrent dispatches deploy once',
  async () => {
    const one = await deployment('race', 1);
    const two = await deployment('race', 1);
    const kinds = (await Promise.all([apply(one), apply(two)])).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'applied')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'already')).toHaveLength(1);
    await target.remove('race');
  },
  MINUTES,
);
