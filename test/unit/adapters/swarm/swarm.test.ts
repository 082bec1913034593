import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeployRequest, TargetState } from '../../../../src/adapters/ports.ts';
import { swarmTarget } from '../../../../src/adapters/swarm/index.ts';
import {
  DEPLOY_ID,
  DEPLOY_SEQ,
  desiredSpec,
  isForeign,
  ownService,
  ownTask,
  serviceOf,
  specOf,
  stamped,
  targetState,
  tasksOf,
} from '../../../../src/adapters/swarm/mapping.ts';

const request: DeployRequest = {
  deployId: 'p/1/deploy/1',
  seq: 7,
  image: `r.example/table@sha256:${'a'.repeat(64)}`,
  labels: { 'org.opencontainers.image.revision': 'abc' },
  auth: { username: 'u', password: 'canary' },
  spec: {
    service: 'table',
    replicas: 2,
    publish: [{ published: 8080, target: 80, protocol: 'tcp', mode: 'host' }],
    endpointMode: 'dnsrr',
    constraints: ['node.labels.role == table'],
    env: { A: 'b=c' },
    networks: ['net'],
    command: ['serve', '--port', '80'],
    update: { order: 'start-first', parallelism: 1, delayMs: 1500, onFailure: 'rollback' },
    convergeTimeoutMs: 1,
  },
};

describe('the spec', () => {
  test('of a first deployment', () => {
    const spec = desiredSpec(request, undefined);
    expect(spec).toMatchInlineSnapshot(`
      {
        "EndpointSpec": {
          "Mode": "dnsrr",
          "Ports": [
            {
              "Protocol": "tcp",
              "PublishMode": "host",
              "PublishedPort": 8080,
              "TargetPort": 80,
            },
          ],
        },
        "Labels": {
          "davit.deploy.env": "A",
          "davit.deploy.id": "p/1/deploy/1",
          "davit.deploy.seq": "7",
          "org.opencontainers.image.revision": "abc",
        },
        "Mode": {
          "Replicated": {
            "Replicas": 2,
          },
        },
        "Name": "table",
        "TaskTemplate": {
          "ContainerSpec": {
            "Args": [
              "serve",
              "--port",
              "80",
            ],
            "Env": [
              "A=b=c",
            ],
            "Image": "r.example/table@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "Labels": {
              "davit.deploy.id": "p/1/deploy/1",
              "davit.deploy.seq": "7",
            },
          },
          "Networks": [
            {
              "Target": "net",
            },
          ],
          "Placement": {
            "Constraints": [
              "node.labels.role == table",
            ],
            "Platforms": null,
          },
        },
        "UpdateConfig": {
          "Delay": 1500000000,
          "FailureAction": "pause",
          "MaxFailureRatio": 0,
          "Order": "start-first",
          "Parallelism": 1,
        },
      }
    `);
    expect(JSON.stringify(spec)).not.toContain('canary');
  });

  test('has the mounts, capabilities and files that the pipeline names, in place of those that stood there', () => {
    const current = specOf({
      Name: 'table',
      TaskTemplate: {
        ContainerSpec: { Image: 'old', Mounts: [{ Source: 'old' }], CapabilityAdd: ['CAP_SYS_TIME'] },
      },
    });
    const spec = {
      ...request.spec,
      mounts: [{ source: '/srv', target: '/data', readOnly: true }],
      capabilities: ['NET_ADMIN'],
      secrets: ['tls'],
    };
    const files = { secrets: [{ id: 's1', name: 'tls' }], configs: [] };
    expect(desiredSpec({ ...request, spec, files }, current).TaskTemplate.ContainerSpec).toMatchObject({
      Mounts: [{ Type: 'bind', Source: '/srv', Target: '/data', ReadOnly: true }],
      CapabilityAdd: ['CAP_NET_ADMIN'],
      Secrets: [
        { SecretID: 's1', SecretName: 'tls', File: { Name: 'tls', UID: '0', GID: '0', Mode: 0o444 } },
      ],
      Configs: [],
    });
  });

  test('of a later one keeps what a pipeline cannot set, and nothing else of the previous one', () => {
    const mounts = [{ Type: 'volume', Source: 'data', Target: '/data' }];
    const current = specOf({
      Name: 'table',
      Labels: { owner: 'ops', [DEPLOY_ID]: 'old', [DEPLOY_SEQ]: '6' },
      Mode: { Replicated: { Replicas: 9 } },
      TaskTemplate: {
        ContainerSpec: { Image: 'old', Mounts: mounts, Env: ['OLD=1'], Args: ['old'] },
        Resources: { Limits: { MemoryBytes: 1 } },
        Placement: { Constraints: ['old'], Platforms: [{ OS: 'linux' }], Preferences: [] },
      },
      UpdateConfig: { FailureAction: 'rollback' },
    });
    const next = desiredSpec(request, current);
    expect(next.Labels).toMatchObject({ owner: 'ops', [DEPLOY_ID]: request.deployId, [DEPLOY_SEQ]: '7' });
    expect(next.TaskTemplate).toMatchObject({
      ContainerSpec: { Image: request.image, Mounts: mounts, Env: ['A=b=c'], Args: request.spec.command },
      Resources: { Limits: { MemoryBytes: 1 } },
      Placement: { Constraints: request.spec.constraints, Platforms: null, Preferences: [] },
    });
    expect(JSON.stringify(next)).not.toMatch(/"old"|OLD=1|"rollback"/);
  });

  test('keeps variables that an operator has set since, and drops those that the file no longer sets', () => {
    const first = desiredSpec(
      { ...request, spec: { ...request.spec, env: { A: '1', GONE: '1' } } },
      undefined,
    );
    const container = first.TaskTemplate.ContainerSpec;
    const touched = { ...container, Env: ['A=changed', 'GONE=1', 'DEBUG=1'] };
    const current = { ...first, TaskTemplate: { ...first.TaskTemplate, ContainerSpec: touched } };
    const next = desiredSpec(request, current);
    expect(next.TaskTemplate.ContainerSpec).toMatchObject({ Env: ['DEBUG=1', 'A=b=c'] });
    expect(desiredSpec(request, next).TaskTemplate.ContainerSpec).toMatchObject({
      Env: ['DEBUG=1', 'A=b=c'],
    });
  });

  test('that is put back carries the new labels everywhere, and pauses', () => {
    const old = desiredSpec(request, undefined);
    const back = stamped(
      { ...old, UpdateConfig: { FailureAction: 'rollback' } },
      { deployId: 'back', seq: 8 },
    );
    const labels = { [DEPLOY_ID]: 'back', [DEPLOY_SEQ]: '8' };
    expect(back.Labels).toMatchObject(labels);
    expect(back.TaskTemplate.ContainerSpec.Labels).toEqual(labels);
    expect(back.UpdateConfig).toEqual({ FailureAction: 'pause' });
    expect(back.TaskTemplate.ContainerSpec.Image).toBe(request.image);
  });
});

describe('the state', () => {
  const service = (more: object = {}) =>
    serviceOf({ ID: 's', Version: { Index: 1 }, Spec: desiredSpec(request, undefined), ...more });
  const task = (id: string, seq: number, state: string, more: object = {}) => ({
    ID: `${id}-${seq}`,
    Slot: 1,
    DesiredState: 'running',
    Spec: { ContainerSpec: { Labels: { [DEPLOY_ID]: id, [DEPLOY_SEQ]: String(seq) } } },
    Status: { Timestamp: '2026-01-01T00:00:00Z', State: state, ...more },
  });

  test('counts only tasks of the current deployment', () => {
    const tasks = tasksOf([
      task(request.deployId, 7, 'running'),
      task('old', 6, 'running'),
      task(request.deployId, 7, 'starting'),
    ]);
    expect(targetState(service(), tasks, [])).toMatchObject({
      desired: 2,
      running: 1,
      seq: 7,
      deployIds: [request.deployId, 'old'],
    });
  });

  test('has the highest seq and every id, wherever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 6 }), (seqs) => {
        const state = targetState(
          service(),
          tasksOf(seqs.map((seq) => task(`d${seq}`, seq, 'shutdown'))),
          [],
        );
        expect(state.seq).toBe(Math.max(7, ...seqs));
        expect(new Set(state.deployIds)).toEqual(
          new Set([request.deployId, ...seqs.map((seq) => `d${seq}`)]),
        );
      }),
    );
  });

  test('of another installation has neither its ids nor its numbers', () => {
    const spec = desiredSpec({ ...request, installation: 'other' }, undefined);
    const theirs = serviceOf({ ID: 's', Version: { Index: 1 }, Spec: spec });
    const [old] = tasksOf([task('p/9/deploy/1', 9_000, 'shutdown')]);
    const seen = (installation: string): TargetState =>
      targetState(ownService(theirs, installation), old ? [ownTask(old, installation)] : [], []);
    expect(seen('mine')).toMatchObject({ exists: true, deployIds: [], seq: 0 });
    expect(seen('other')).toMatchObject({ deployIds: [request.deployId], seq: 7 });
    expect([isForeign(theirs, 'mine'), isForeign(theirs, 'other'), isForeign(theirs, undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    const next = desiredSpec({ ...request, installation: 'mine' }, ownService(theirs, 'mine').Spec);
    expect(isForeign(serviceOf({ ID: 's', Version: { Index: 2 }, Spec: next }), 'mine')).toBe(false);
  });

  test('tells failures of this deployment, newest first', () => {
    const tasks = tasksOf([
      task(request.deployId, 7, 'failed', { Err: 'first', Timestamp: '2026-01-01T00:00:01Z' }),
      task(request.deployId, 7, 'rejected', { Err: 'second', Timestamp: '2026-01-01T00:00:02Z' }),
      task('old', 6, 'failed', { Err: 'not this' }),
    ]);
    expect(targetState(service(), tasks, []).failures).toEqual([
      'task 1 rejected: second',
      'task 1 failed: first',
    ]);
  });

  test.each([
    [undefined, 'none'],
    ['updating', 'updating'],
    ['paused', 'paused'],
    ['completed', 'completed'],
    ['rollback_started', 'rolling_back'],
    ['rollback_completed', 'completed'],
  ])('of an update that is %s is %s', (State, rollout) => {
    expect(targetState(service({ UpdateStatus: { State } }), [], [])).toMatchObject({ rollout });
  });
});

test.each([
  [
    503,
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join".',
    'target/not-a-manager',
  ],
  [500, 'rpc error: code = Unknown desc = The swarm does not have a leader.', 'target/unreachable'],
  [400, 'rpc error: code = InvalidArgument desc = name must be valid', 'target/refused'],
])('an engine that answers %i "%s" is %s', async (status, message, code) => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-'));
  const server = createServer((_, reply) => reply.writeHead(status).end(JSON.stringify({ message })));
  try {
    server.listen(join(folder, 's'));
    await once(server, 'listening');
    const target = await swarmTarget({ name: 't', address: `unix://${folder}/s` });
    await expect(target.read('x')).rejects.toMatchObject({ code });
  } finally {
    server.close().closeAllConnections();
    await rm(folder, { recursive: true });
  }
});
