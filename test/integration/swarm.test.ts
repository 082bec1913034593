import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeployRequest, DeployTarget, TargetState } from '../../src/adapters/ports.ts';
import { path } from '../../src/adapters/docker/api.ts';
import { connect } from '../../src/adapters/docker/connection/transport.ts';
import { swarmTarget } from '../../src/adapters/swarm/index.ts';
import { HELPER_IMAGE, startSwarmEngine, type SwarmEngine } from '../support/engine.ts';

const START_MS = 120_000;
let swarm: SwarmEngine;
let target: DeployTarget;

beforeAll(async () => {
  swarm = await startSwarmEngine();
  target = await swarmTarget({ name: 'test', address: swarm.address });
}, START_MS);
afterAll(() => swarm.stop(), START_MS);

function request(service: string, seq: number, more: Partial<DeployRequest['spec']> = {}): DeployRequest {
  return {
    deployId: `${service}/${seq}`,
    seq,
    image: HELPER_IMAGE,
    labels: { 'org.opencontainers.image.revision': 'abc' },
    spec: {
      service,
      replicas: 1,
      publish: [],
      endpointMode: 'dnsrr',
      constraints: [],
      env: { SEQ: String(seq) },
      networks: [],
      command: ['/bin/sh', '-c', 'trap exit TERM; while :; do sleep 0.1; done'],
      update: { order: 'stop-first', parallelism: 1, delayMs: 0, onFailure: 'rollback' },
      convergeTimeoutMs: 60_000,
      ...more,
    },
  };
}
async function until(service: string, good: (now: TargetState) => boolean): Promise<TargetState> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const now = await target.read(service);
    if (good(now)) return now;
    if (performance.now() > deadline) throw new Error(`never: ${JSON.stringify(now)}`);
    await delay(100);
  }
}
const converged = (now: TargetState): boolean =>
  now.running === now.desired && ['none', 'completed'].includes(now.rollout);

describe('a service', () => {
  test('is created, read, updated, rolled back and removed, each deployment once', async () => {
    expect(await target.read('life')).toMatchObject({ exists: false, deployIds: [], seq: 0 });
    const first = request('life', 1, {
      publish: [{ published: 8081, target: 80, protocol: 'tcp', mode: 'host' }],
      replicas: 1,
    });
    expect(await target.apply(first)).toBe('applied');
    expect(await target.apply(first)).toBe('already');
    const one = await until('life', converged);
    expect(one).toMatchObject({
      exists: true,
      deployIds: ['life/1'],
      seq: 1,
      desired: 1,
      failures: [],
      image: HELPER_IMAGE,
    });
    expect(one.endpoints).toEqual(['127.0.0.1:8081']);

    expect(await target.apply(request('life', 3))).toBe('applied');
    const two = await until('life', (now) => converged(now) && now.seq === 3);
    expect(two.deployIds.sort()).toEqual(['life/1', 'life/3']);
    expect(await target.apply(request('life', 2))).toBe('outdated');
    expect(await target.apply(first)).toBe('already');

    const back = { deployId: 'back', seq: 4 };
    await target.restore('life', one.snapshot, back);
    await target.restore('life', one.snapshot, back);
    const three = await until('life', (now) => converged(now) && now.seq === 4);
    expect(three.deployIds).toEqual(expect.arrayContaining(['back', 'life/3']));
    expect(three.endpoints).toEqual(['127.0.0.1:8081']);
    // The labels are new; everything else is as before.
    const without = (state: TargetState): string =>
      (state.snapshot ?? '').replace(/"davit\.deploy\.[^,}]*/g, '');
    expect(without(three)).toBe(without(one));
    await expect(target.restore('life', one.snapshot, { deployId: 'late', seq: 2 })).rejects.toMatchObject({
      code: 'target/refused',
    });

    await expect(target.restore('life', undefined, { deployId: 'late', seq: 2 })).rejects.toMatchObject({
      code: 'target/refused',
    });
    await target.restore('life', undefined, { deployId: 'gone', seq: 5 });
    await target.restore('life', undefined, { deployId: 'gone', seq: 5 });
    await target.remove('life');
    expect(await target.read('life')).toMatchObject({ exists: false });
    await expect(target.restore('life', one.snapshot, back)).rejects.toMatchObject({
      code: 'target/missing',
    });
  });

  test('reads secrets and configs of the swarm, mounts and capabilities, and one that is missing is named', async () => {
    const api = connect({ address: swarm.address });
    const create = async (kind: 'secrets' | 'configs', Name: string): Promise<void> => {
      const body = { Name, Data: Buffer.from(`${Name}\n`).toString('base64') };
      await (await api).api.json({
        method: 'POST',
        path: path`/${kind}/create`,
        body,
        action: `create ${Name}`,
      });
    };
    await create('secrets', 'tls');
    await create('configs', 'web.conf');
    await expect(target.apply(request('files', 1, { secrets: ['none'] }))).rejects.toMatchObject({
      code: 'target/refused',
      message: expect.stringContaining('no secret none'),
    });
    const look =
      'grep -q tls /run/secrets/tls && grep -q web /web.conf && touch /data/x && grep CapEff /proc/self/status | grep -q [13579bdf]...$ || exit 7';
    await target.apply(
      request('files', 2, {
        secrets: ['tls'],
        configs: ['web.conf'],
        mounts: [{ source: 'davit-test-files', target: '/data', readOnly: false }],
        capabilities: ['NET_ADMIN'],
        command: ['/bin/sh', '-c', `${look}; trap exit TERM; while :; do sleep 0.1; done`],
      }),
    );
    const now = await until('files', (state) => converged(state) || state.failures.length > 0);
    expect(now.failures).toEqual([]);
    await target.remove('files');
  });

  test('that cannot start reports why, pauses, and never rolls back by itself', async () => {
    await target.apply(request('bad', 1));
    await until('bad', converged);
    await target.apply(request('bad', 2, { command: ['/bin/sh', '-c', 'exit 3'] }));
    const now = await until('bad', ({ rollout }) => rollout === 'paused');
    expect(now.failures[0]).toMatch(/^task 1 on \S+ failed: task: non-zero exit \(3\)$/);
    expect(now.running).toBe(0);
    expect(now.deployIds).toContain('bad/2');
    await target.remove('bad');
  });

  test('that no node may run is reported', async () => {
    await target.apply(request('nowhere', 1, { constraints: ['node.labels.role == moon'] }));
    const now = await until('nowhere', ({ failures }) => failures.length > 0);
    expect(now.failures[0]).toContain('no suitable node');
    await target.remove('nowhere');
  });

  test('that someone else changes concurrently is a conflict for one of them', async () => {
    await target.apply(request('race', 1));
    const answers = await Promise.all([2, 3, 4, 5].map((seq) => target.apply(request('race', seq))));
    expect(answers).toContain('applied');
    const { deployIds, seq } = await target.read('race');
    const stood = answers.map((answer, i) => (answer === 'applied' ? i + 2 : 0));
    expect(stood).toContain(seq);
    expect(answers.filter((answer) => answer === 'applied').length).toBeLessThan(4);
    expect(deployIds).toContain(`race/${seq}`);
    await target.remove('race');
  });

  test('created twice concurrently is created once', async () => {
    const answers = await Promise.all([1, 2].map((seq) => target.apply(request('twice', seq))));
    expect(answers.sort()).toEqual(['applied', 'conflict']);
    await target.remove('twice');
  });

  test('refused by the swarm is target/refused, in its words', async () => {
    await expect(
      target.apply(request('refused', 1, { networks: ['no-such-network'] })),
    ).rejects.toMatchObject({
      code: 'target/refused',
      message: expect.stringMatching(/no-such-network/),
    });
    const ingress = [{ published: 8082, target: 80, protocol: 'tcp', mode: 'ingress' } as const];
    await expect(target.apply(request('refused', 1, { publish: ingress }))).rejects.toMatchObject({
      code: 'target/refused',
    });
  });
});

test('another installation has its own numbers: it deploys over the first, and the first detects that', async () => {
  const address = swarm.address;
  const [one, two] = await Promise.all(
    ['one', 'two'].map((installation) => swarmTarget({ name: 'test', address, installation })),
  );
  if (!one || !two) throw new Error('two targets');
  expect(await one.apply(request('shared', 5))).toBe('applied');
  expect(await one.read('shared')).toMatchObject({ deployIds: ['shared/5'], seq: 5 });
  // The same id and a lower number, as after a loss of all data.
  expect(await two.read('shared')).toMatchObject({ exists: true, deployIds: [], seq: 0, foreign: true });
  expect(await two.apply({ ...request('shared', 1), deployId: 'shared/5' })).toBe('applied');
  expect(await two.read('shared')).toMatchObject({ deployIds: ['shared/5'], seq: 1 });
  expect(await one.read('shared')).toMatchObject({ foreign: true });
  await two.remove('shared');
});

test('an engine that does not answer is not a target', async () => {
  const away = await swarmTarget({ name: 'away', address: 'unix:///tmp/davit-no-such.sock' });
  await expect(away.apply(request('x', 1))).rejects.toMatchObject({ code: 'target/unreachable' });
});
