/**
 * Between an approval and the beginning of its job: a user, a right, a rule, the target or an image changes, and the job asks
 * again. A real Temporal, the rules and users of an installation file that is edited meanwhile; workers are fakes.
 */
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installationSchema } from '../../src/installation.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { Decision } from '../../src/plan/model/protocol.ts';
import { approvalsNow, targetOf } from '../../src/server/approvals.ts';
import { knownTokens } from '../../src/server/auth.ts';
import { currentRights } from '../../src/server/current-rights.ts';
import { factsOf } from '../../src/server/start.ts';
import { decide } from '../../src/temporal/calls.ts';
import { planOf, type JobSketch } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

let world: World;
let folder: string;
const files = new Map<string, InstallationAt>();
beforeAll(async () => {
  world = await World.start();
  folder = await mkdtemp(join(tmpdir(), 'davit-test-approvals-'));
  world.fakes.approvals = async (question) => {
    const at = files.get(question.project);
    if (!at) throw new Error(`no installation for ${question.project}`);
    return approvalsNow(at.deps(), question);
  };
});
afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const TOKEN = 'a'.repeat(64);
interface Written {
  users?: Record<string, 'reader' | 'developer' | 'operator'>;
  environments?: object;
  targets?: object[];
}
/** The file of one project, read as the server reads it. */
class InstallationAt {
  readonly #path: string;
  readonly #project: string;
  readonly #first: Written;
  #rights: ReturnType<typeof currentRights> | undefined;
  #targets: object[] = [];
  #time = 1_000;

  constructor(project: string, first: Written) {
    this.#project = project;
    this.#path = join(folder, `${project}.json`);
    this.#first = first;
    files.set(project, this);
  }
  async write(more: Written = {}): Promise<this> {
    const {
      users = { ops: 'operator', olga: 'operator' },
      environments,
      targets = [],
    } = { ...this.#first, ...more };
    this.#targets = targets;
    const text = JSON.stringify({
      users: Object.entries(users).map(([name, role]) => ({ name, role, token_sha256: TOKEN })),
      projects: [{ name: this.#project, ...(environments && { environments }) }],
    });
    await writeFile(this.#path, text);
    this.#time += 1_000;
    await utimes(this.#path, this.#time, this.#time);
    this.#rights ??= currentRights(this.#path, installationSchema.parse(JSON.parse(text)), () => undefined);
    return this;
  }
  deps() {
    const rights = this.#rights ?? (() => installationSchema.parse({}));
    const installation = { ...installationSchema.parse({ targets: this.#targets }), ...rights() };
    return {
      facts: () => factsOf({ installation, installationId: 'i' }, 'http://davit.test'),
      tokens: knownTokens({
        users: () => rights().users,
        cliToken: 'c'.repeat(20),
        workerToken: 'w'.repeat(20),
        owner: 'me',
      }),
    };
  }
}

const prod = { name: 'prod', action: 'start' as const };
const protectedBy = (approvers: string[], count = 1) => ({ approvals: [{ approvers, count }] });
const gateOf = (protection?: ReturnType<typeof protectedBy>, approvers: string[] = []) => ({
  approvers,
  expiresInMs: 600_000,
  requires: [],
  ...(protection && { protection }),
});
const DEPLOY: JobSketch = {
  key: 'deploy',
  kind: 'deploy',
  target: 'prod',
  queue: 'deploy-prod',
  environment: prod,
};
const RULES = { 'pro*': { approvers: ['ops', 'olga'], count: 1 } };

/** A pipeline whose deploy job was approved by ops and waits for the lock of another pipeline. */
async function approvedAndWaiting(slug: string, job: JobSketch, more: JobSketch[] = []): Promise<PipelineId> {
  const plan = planOf([...more, job]);
  world.project(slug, {
    plan: { ...plan, trust: { protectedRef: true, fork: false } },
    behaviours: { hold: [{ until: 'door' }], ...(more.length > 0 && { img: BUILDS }) },
  });
  const holder = planOf([{ key: 'hold', environment: prod }]);
  const whole = world.fakes.projects.get(slug)?.plan;
  world.project(slug, { ...world.fakes.projects.get(slug), plan: holder });
  await world.push(slug, { key: 'push:main:x:y', deliveryId: 'holder', ref: 'other' });
  await until('the lock is held', async () =>
    world.fakes.journal(slug).some((entry) => entry.job === 'hold') ? true : undefined,
  );
  world.project(slug, { ...world.fakes.projects.get(slug), plan: whole ?? plan });
  const id = await world.push(slug, { key: 'push:main:a:b', deliveryId: 'deploy' });
  await play(id, 'ops');
  await world.when(id, 'it waits for the lock', (status) =>
    status.jobs.some((one) => one.key === 'deploy' && one.phase === 'waiting_for_resource'),
  );
  return id;
}
const BUILDS = [
  { image: `sha256:${'1'.repeat(64)}` as const },
  { image: `sha256:${'2'.repeat(64)}` as const },
];

async function play(id: PipelineId, actor: string, role: Decision['role'] = 'operator'): Promise<void> {
  const asked = await world.when(id, 'the gate is open', (status) =>
    status.jobs.some((one) => one.key === 'deploy' && one.phase === 'gate'),
  );
  const at = files.get(asked.project);
  const target = at && targetOf(at.deps().facts(), asked, 'deploy');
  const decision = { action: 'play', job: 'deploy', actor, role, ...(target && { target }) } as const;
  const answer = await decide(world.client, id, decision);
  expect(answer).toMatchObject({ accepted: true });
}
const begun = (slug: string): string[] =>
  world.fakes
    .journal(slug)
    .filter((entry) => entry.job === 'deploy' && /^(applyDeploy|runJob)$/.test(entry.activity))
    .map((entry) => entry.activity);
const asksAgain = (id: PipelineId) =>
  world.when(id, 'it asks again', (status) =>
    status.jobs.some(
      (one) => one.key === 'deploy' && one.phase === 'gate' && one.result?.kind === 'approval',
    ),
  );

describe.concurrent('a deployment that waits for a lock after its approval', () => {
  const cases: [string, string, JobSketch, Written, Written, RegExp][] = [
    [
      'of a user who is removed',
      'removed',
      { ...DEPLOY, gate: gateOf(protectedBy(['ops', 'olga'])) },
      { environments: RULES },
      { users: { olga: 'operator' } },
      /approval by ops does not count/,
    ],
    [
      'of a user who is demoted',
      'demoted',
      { ...DEPLOY, gate: gateOf() },
      {},
      { users: { ops: 'developer', olga: 'operator' } },
      /approval by ops does not count/,
    ],
    [
      'of a script job, and the user becomes a reader',
      'script',
      { key: 'deploy', environment: prod, gate: gateOf(undefined, ['ops', 'olga']) },
      {},
      { users: { ops: 'reader', olga: 'developer' } },
      /approval by ops does not count/,
    ],
    [
      'for a target that is changed',
      'target',
      { ...DEPLOY, gate: gateOf() },
      { targets: [{ name: 'prod', docker: 'ssh://old' }] },
      { targets: [{ name: 'prod', docker: 'ssh://new' }] },
      /the target have changed/,
    ],
    [
      'under rules that name other approvers now',
      'rules',
      { ...DEPLOY, gate: gateOf(protectedBy(['ops'])) },
      { environments: { prod: { approvers: ['ops'] } } },
      { environments: { prod: { approvers: ['olga'] } } },
      /more approvals are needed now/,
    ],
  ];
  test.each(cases)('%s asks again', async (_what, slug, job, first, then, reason) => {
    const installation = await new InstallationAt(slug, first).write();
    const id = await approvedAndWaiting(slug, job);
    await installation.write(then);
    world.fakes.open(slug, 'door');
    const status = await asksAgain(id);
    const asked = status.jobs.find((one) => one.key === 'deploy');
    expect(asked?.result?.message).toMatch(reason);
    expect(begun(slug)).toEqual([]);
    // The lock is free while it asks.
    expect((await world.projectStatus(slug)).locks.every((lock) => lock.holder === undefined)).toBe(true);
    await play(id, 'olga', slug === 'script' ? 'developer' : 'operator');
    expect((await world.end(id)).state).toBe('success');
    expect(begun(slug)).toHaveLength(1);
  });

  test('of an image that was built again asks again', async () => {
    await new InstallationAt('image', {}).write();
    const img: JobSketch = { key: 'img', kind: 'build', stage: 'build' };
    const job = { ...DEPLOY, stage: 'ship', imagesFrom: ['img'], gate: gateOf() };
    const id = await approvedAndWaiting('image', job, [img]);
    const retry = { action: 'retry', job: 'img', actor: 'ops', role: 'operator' } as const;
    await decide(world.client, id, retry);
    await world.when(id, 'it is built again', (status) =>
      status.jobs.some((one) => one.key === 'img' && one.attempt === 2 && one.phase === 'ended'),
    );
    world.fakes.open('image', 'door');
    await asksAgain(id);
    expect(begun('image')).toEqual([]);
    await play(id, 'ops');
    expect((await world.end(id)).state).toBe('success');
  });

  test('to an environment that takes no such ref any more fails', async () => {
    const installation = await new InstallationAt('closed', {}).write();
    const id = await approvedAndWaiting('closed', { ...DEPLOY, gate: gateOf() });
    await installation.write({ environments: { prod: { refs: ['release/*'] } } });
    world.fakes.open('closed', 'door');
    const status = await world.end(id);
    const job = status.jobs.find((one) => one.key === 'deploy');
    expect(job?.result).toMatchObject({
      kind: 'config',
      message: expect.stringContaining('takes no deployments of main'),
    });
    expect(begun('closed')).toEqual([]);
  });

  test('and nothing changes goes ahead', async () => {
    await new InstallationAt('same', { environments: RULES }).write();
    const id = await approvedAndWaiting('same', { ...DEPLOY, gate: gateOf(protectedBy(['ops', 'olga'])) });
    world.fakes.open('same', 'door');
    expect((await world.end(id)).state).toBe('success');
    expect(begun('same')).toEqual(['applyDeploy']);
  });
});

test('what the deploy worker finds lost asks again too, and the attempt is not a failure', async () => {
  const slug = 'late';
  await new InstallationAt(slug, {}).write();
  world.project(slug, {
    plan: planOf([{ ...DEPLOY, gate: gateOf() }]),
    behaviours: { 'deploy apply': [{ apply: 'approval' }, {}] },
  });
  const id = await world.push(slug);
  await play(id, 'ops');
  await asksAgain(id);
  await play(id, 'olga');
  expect((await world.end(id)).state).toBe('success');
  expect(begun(slug)).toEqual(['applyDeploy', 'applyDeploy']);
});
