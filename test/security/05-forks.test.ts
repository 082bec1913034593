/** Rows 5, 6, 35, 36: what counts as a fork, and what its pipeline is. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePushImage } from '../../activities/image/push-image.ts';
import { rememberFork } from '../../activities/runtime/fork-authors.ts';
import { outOfScope } from '../../src/match/worker-scope.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { workerSchema } from '../../src/installation.ts';
import { contextsOf } from '../../src/plan/policy/commit-status.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { githubEvent } from '../../src/server/webhooks/github.ts';
import { common, json, memoryLogs, asActivity, runInput } from '../unit/activities/fakes.ts';
import { control, makeRepository, pushOf, type Repository } from './world.ts';

const FILE = `
stages: [build, test, ship]
img: {stage: build, build: {context: ., to: $CI_REGISTRY_IMAGE/other}, rules: [{when: always}]}
tags: {stage: ship, push: {from: [img], to: $CI_REGISTRY_IMAGE/other, tags: [latest]}, rules: [{when: always}]}
now: {stage: ship, image: x, needs: [], script: [echo], rules: [{when: always}]}
env: {stage: ship, image: x, script: [echo], environment: {name: prod, url: "http://evil.test"}, resource_group: prod, rules: [{when: always}]}
rel: {stage: ship, image: x, script: [echo], release: {tag_name: v9, description: x}, rules: [{when: always}]}
pages: {stage: ship, image: x, script: [echo], artifacts: {paths: [public]}, rules: [{when: always}]}
swarm: {stage: ship, environment: prod, deploy: {swarm: {service: pwn, image: x/y:1}}, rules: [{when: always}]}
`;
let repository: Repository;
beforeAll(async () => {
  repository = await makeRepository(FILE);
  await repository.branch('head');
});
afterAll(() => repository.remove());

const fork = (more: Partial<ReturnType<typeof pushOf>> = {}) =>
  pushOf(repository, {
    source: 'merge_request',
    refKind: 'merge_request',
    ref: 'head',
    sha: repository.heads.head ?? '',
    fork: true,
    actor: 'stranger',
    mergeRequest: {
      iid: 3,
      sourceBranch: 'x',
      targetBranch: 'main',
      sourceSha: repository.heads.head ?? '',
      title: 'x',
      author: 'stranger',
      source: { id: '7' },
    },
    ...more,
  });
const TARGETS = { targets: [{ name: 'local' }] };

test('a fork holds no secret of project or installation, in no job and by no name', async () => {
  const variables = {
    OPEN: 'plain text',
    PLAIN_SECRET: { secret: 'env:CANARY_PLAIN' },
    MASKED: { value: 'canary-masked', masked: true },
    PROTECTED: { secret: 'env:CANARY_PROTECTED', protected: true },
    IN_PROD: { secret: 'env:CANARY_PROD', environment: 'prod' },
  };
  const config = { ...TARGETS, variables: { INSTANCE: { secret: 'env:CANARY_INSTANCE' } } };
  const named = { variables: { ...variables, TOKEN: { secret: 'file:/CANARY_FILE' } } };
  const at = control(repository, named, config);
  const specs = async (trigger: ReturnType<typeof pushOf>): Promise<string> => {
    const planned = await at.plan(trigger);
    return JSON.stringify(planned.plan.jobs.map((job) => at.spec(planned, job.key)));
  };
  const own = await specs(pushOf(repository));
  expect(own).toContain('CANARY_PLAIN');
  expect(own).toContain('CANARY_PROTECTED');
  const foreign = await specs(fork());
  expect(foreign).toContain('plain text');
  expect(foreign).not.toMatch(/canary/i);
});

describe('a request is of a fork when', () => {
  const zero = '0'.repeat(40);
  const forkOf = (head: object): boolean | undefined => {
    const event = githubEvent('pull_request', {
      action: 'opened',
      number: 3,
      pull_request: {
        title: 'x',
        head: { ref: 'topic', sha: zero, label: 'acme:topic', repo: { id: 1 }, ...head },
        base: { ref: 'main', repo: { id: 1 } },
      },
      repository: { id: 1, full_name: 'acme/shop' },
    });
    return event.kind === 'trigger' ? event.trigger.fork : undefined;
  };
  test('its head is in another repository, in none that is known, or an AGit request', () => {
    expect(forkOf({})).toBe(false);
    expect(forkOf({ repo: { id: 2 } })).toBe(true);
    expect(forkOf({ repo: null })).toBe(true);
    expect(forkOf({ ref: 'refs/pull/3/head', label: '' })).toBe(true);
    expect(forkOf({ ref: 'refs/pull/3/head' })).toBe(true);
    expect(forkOf({ label: '' })).toBe(true);
  });
});

describe('its pipeline', () => {
  test('waits for a person, takes no lock, and leaves nothing', async () => {
    const world = control(repository, {}, TARGETS);
    const { plan } = await world.plan(fork());
    const [admission, ...jobs] = plan.jobs;
    expect(admission).toMatchObject({ admission: true, gate: { approvers: ['developer', 'operator'] } });
    for (const job of jobs) {
      expect(job.environment ?? job.resourceGroup ?? job.release ?? job.pages).toBeUndefined();
      expect(job.stageIndex).toBeGreaterThan(0);
      expect(job.needs === null || job.needs[0]?.job === admission?.key).toBe(true);
      expect(job.refused !== undefined || job.queue.startsWith('forks-')).toBe(true);
    }
    expect(jobs.filter((job) => job.refused).map((job) => job.key)).toEqual(['tags', 'swarm']);
    expect(plan.trust).toEqual({ protectedRef: false, fork: true });
    expect(world.spec({ plan } as never, 'img')).toMatchObject({ repository: '127.0.0.1:5000/forks/table' });
  });

  test('runs at once, or not at all, where the project says so', async () => {
    const run = await control(repository, { fork_pipelines: 'run' }, TARGETS).plan(fork());
    expect(run.plan.jobs.some((job) => job.admission)).toBe(false);
    expect(run.plan.jobs.find((job) => job.key === 'swarm')?.refused).toContain('deploys nothing');
    const off = await control(repository, { fork_pipelines: 'off' }, TARGETS).ask(fork());
    expect(off).toMatchObject({ kind: 'empty' });
    expect(
      await control(repository, { fork_pipelines: 'off' }, TARGETS).ask(pushOf(repository)),
    ).toMatchObject({
      kind: 'plan',
    });
  });

  test('is remembered for the author and the fork, and only where that is switched on', async () => {
    const asks = async (remember: boolean, of = fork()): Promise<boolean> => {
      const world = control(repository, { fork_remember: remember }, TARGETS);
      const play = {
        action: 'play',
        job: 'x',
        actor: 'dora',
        role: 'developer',
        answer: 'accepted',
      } as const;
      const status = {
        jobs: [{ stage: 'fork', outcome: 'succeeded', decisions: [play] }],
      } as unknown as PipelineStatus;
      await rememberFork(world, { trigger: fork(), status });
      return (await world.plan(of)).plan.jobs.some((job) => job.admission);
    };
    expect(await asks(false)).toBe(true);
    expect(await asks(true)).toBe(false);
    const { mergeRequest } = fork();
    if (!mergeRequest) throw new Error('no request');
    expect(await asks(true, fork({ mergeRequest: { ...mergeRequest, source: { id: '8' } } }))).toBe(true);
    expect(await asks(true, fork({ mergeRequest: { ...mergeRequest, author: 'other' } }))).toBe(true);
    // Pushed to the fork by another person: the approver has not seen it.
    expect(await asks(true, fork({ actor: 'other' }))).toBe(true);
  });
});

test('a worker takes whose jobs its configuration names', () => {
  const own = { project: 'a', protectedRef: true, fork: false };
  const scope = (written: object) => workerSchema.parse(written);
  expect(outOfScope(own, scope({}))).toBeUndefined();
  expect(outOfScope({ ...own, fork: true }, scope({}))).toContain('forks');
  expect(outOfScope({ ...own, fork: true }, scope({ forks: true }))).toBeUndefined();
  expect(outOfScope({ ...own, protectedRef: false }, scope({ protected_only: true }))).toContain('protected');
  expect(outOfScope({ ...own, fork: true }, scope({ protected_only: true, forks: true }))).toContain(
    'protected',
  );
  expect(outOfScope(own, scope({ projects: ['b'] }))).toContain('no jobs of a');
  expect(outOfScope(own, scope({ projects: ['a'], protected_only: true }))).toBeUndefined();
});

test('a push job of a fork is refused where it runs as well', async () => {
  const world = control(repository);
  const spec = {
    ...common,
    kind: 'push',
    fork: true,
    from: ['img'],
    repository: '127.0.0.1:5000/x',
    tags: ['a'],
  };
  const registries = configuredRegistries(world.facts.config.registries, {
    resolve: async () => '',
  } as never);
  const push = makePushImage({ ...world, logs: memoryLogs(), registries });
  const result = await asActivity(push, runInput(await world.blobs.putBytes(json(spec))));
  expect(result).toMatchObject({
    outcome: 'failed',
    kind: 'config',
    message: expect.stringContaining('fork'),
  });
});

test('its status stands beside the status of the project', () => {
  expect(contextsOf({}, { kind: 'mr' })).toEqual(['davit/mr']);
  expect(contextsOf({}, { kind: 'mr', fork: true })).toEqual(['davit/fork']);
  // Also under a name from before: a fork never sets what a required check looks at.
  const old = { installation: { legacy: 'davit' } };
  expect(contextsOf(old, { kind: 'mr', fork: true })).toEqual(['davit/fork']);
  expect(contextsOf({ project: { prefix: 'ci', legacy: 'old' } }, { kind: 'mr', fork: true })).toEqual([
    'ci/fork',
    'old/fork',
  ]);
});
