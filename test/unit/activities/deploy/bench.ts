/** A deploy target in memory, and the activities over it. */
import type { DeployInput } from '../../../../activities/contract.ts';
import { makeDeployActivities } from '../../../../activities/index.ts';
import type {
  DeployTarget,
  Registries,
  Registry,
  Rights,
  TargetState,
} from '../../../../src/adapters/ports.ts';
import { deriveSealKey, localSecrets } from '../../../../src/adapters/secrets/index.ts';
import type { DeploySpec } from '../../../../src/plan/model/spec.ts';
import {
  common,
  digest,
  json,
  memoryBlobs,
  memoryLogs,
  memoryRecords,
  runInput,
  steadyRights,
  testFacts,
} from '../fakes.ts';

export const IMAGE = `127.0.0.1:5000/table@${digest('f')}`;
export const nothing: TargetState = {
  exists: false,
  deployIds: [],
  seq: 0,
  desired: 0,
  running: 0,
  failures: [],
  rollout: 'none',
  endpoints: [],
};

/** A target that converges at once, except for `broken` images. */
export function fakeTarget(
  options: { conflicts?: number; broken?: boolean; start?: Partial<TargetState> } = {},
) {
  let now: TargetState = { ...nothing, ...options.start };
  let conflicts = options.conflicts ?? 0;
  const calls: string[] = [];
  const target: DeployTarget = {
    name: 'prod',
    read: async () => now,
    async apply(request) {
      calls.push(`apply ${request.deployId} ${request.seq}`);
      if (conflicts-- > 0) return 'conflict';
      now = {
        ...now,
        exists: true,
        owner: 'table',
        deployIds: [request.deployId],
        seq: request.seq,
        image: request.image,
        desired: 1,
        running: options.broken ? 0 : 1,
        failures: options.broken ? ['task: non-zero exit (1)'] : [],
        rollout: options.broken ? 'paused' : 'completed',
        pipeline: 'table/7',
        snapshot: `spec of ${request.deployId}`,
      };
      return 'applied';
    },
    async restore(_service, snapshot, labels) {
      calls.push(`restore ${snapshot} ${labels.deployId} ${labels.seq}`);
      now = snapshot
        ? {
            ...now,
            deployIds: [labels.deployId],
            seq: labels.seq,
            running: 1,
            failures: [],
            rollout: 'completed',
            image: 'old',
            pipeline: 'table/5',
          }
        : nothing;
    },
    nodes: async () => [],
    close: async () => {},
    remove: async () => undefined,
  };
  return { target, calls, set: (state: Partial<TargetState>) => (now = { ...now, ...state }) };
}

/** The server's clock, which does not move here. */
export const SERVER_MS = 1_700_000_000_000;
export const SWARM: DeploySpec['swarm'] = {
  service: 'table',
  replicas: 1,
  publish: [],
  endpointMode: 'vip',
  constraints: [],
  env: {},
  networks: [],
  update: { order: 'stop-first', parallelism: 1, delayMs: 0, onFailure: 'rollback' },
  convergeTimeoutMs: 5_000,
};

export function setUp(
  fake: ReturnType<typeof fakeTarget>,
  rights: Partial<Rights> = {},
  registry: Partial<Registry> = {},
) {
  const blobs = memoryBlobs();
  const records = memoryRecords();
  const logs = memoryLogs();
  const registries: Registries = {
    forImage: async () => ({
      registry: { host: '127.0.0.1:5000', ...registry } as Partial<Registry> as Registry,
      repository: 'table',
    }),
    authFor: async () => undefined,
    authForTarget: async () => undefined,
    default: async () => ({ host: '127.0.0.1:5000' }),
  };
  const secrets = localSecrets({
    sealKey: deriveSealKey('a token of the workers'),
    readEnv: () => undefined,
  });
  const activities = makeDeployActivities({
    blobs,
    records,
    logs,
    rights: { ...steadyRights, ...rights },
    secrets,
    registries,
    facts: testFacts(),
    target: fake.target,
    now: () => SERVER_MS,
    timing: { pollMs: 2, stableMs: 10 },
  });
  const input = async (more: { spec?: Partial<DeploySpec>; input?: Partial<DeployInput> } = {}) => {
    const spec = {
      ...common,
      kind: 'deploy',
      target: 'prod',
      imageFrom: 'push',
      swarm: SWARM,
      ...more.spec,
    };
    const index = {
      repository: '127.0.0.1:5000/table',
      digest: digest('f'),
      tags: ['latest'],
      platforms: [],
    };
    const base = runInput(await blobs.putBytes(json(spec)), {
      kind: 'deploy',
      indexes: [{ job: 'push', index }],
    });
    return { ...base, deployId: 'table/7 deploy 1', seq: 3, ...more.input };
  };
  return { activities, input, logs, records, blobs };
}
