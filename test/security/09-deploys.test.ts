/** Rows 7, 8, 9, 33: who deploys what, where and with whose approval. */
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { currentRights } from '../../src/server/current-rights.ts';
import { knownTokens } from '../../src/server/auth.ts';
import { deployRefusal, takeoverRefusal, type DeployAsk } from '../../src/match/deploy-permission.ts';
import { installationSchema, targetSchema } from '../../src/installation.ts';
import type { Gate } from '../../src/plan/model/plan.ts';
import type { Decision } from '../../src/plan/model/protocol.ts';
import { missingApprovals } from '../../src/plan/policy/approvals.ts';
import { judge } from '../../src/plan/policy/approval-policy.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { jobOf } from '../support/plans.ts';
import { control, makeRepository, pushOf, requestOf, type Repository } from './world.ts';

const FILE = `
takeover: {environment: prod, deploy: {swarm: {service: theirs, image: x/y:1, networks: [back]}}}
script: {image: x, script: [echo], environment: {name: prod/eu}}
stop: {image: x, script: [echo], environment: {name: prod/eu, action: stop}, when: manual}
free: {image: x, script: [echo], environment: {name: review/1}}
own: {image: x, script: [echo], environment: {name: prod/eu}, gate: {approvers: [dora]}}
`;
let repository: Repository;
beforeAll(async () => {
  repository = await makeRepository(FILE);
  await repository.branch('dev');
});
afterAll(() => repository.remove());
const TARGET = { targets: [{ name: 'swarm' }] };

describe('a target', () => {
  const ask: DeployAsk = { project: 'shop', ref: 'main', protectedRef: true, fork: false };
  const service = { service: 'web', networks: ['back'] };
  const target = (more: object = {}) => targetSchema.parse({ name: 'prod', ...more });
  test.each([
    ['protected refs', {}, {}, {}, true],
    ['no other ref', {}, { protectedRef: false, ref: 'dev' }, {}, false],
    ['a named ref', { refs: ['dev*'] }, { protectedRef: false, ref: 'dev/1' }, {}, true],
    ['no ref that is not named', { refs: ['dev*'] }, {}, {}, false],
    ['any ref', { refs: 'any' }, { protectedRef: false }, {}, true],
    ['no fork, whatever it says', { refs: 'any' }, { fork: true }, {}, false],
    ['the operator of its own machine', {}, { protectedRef: false, local: true }, {}, true],
    ['its projects', { projects: ['shop'] }, {}, {}, true],
    ['no other project', { projects: ['shop'] }, { project: 'shop2' }, {}, false],
    ['its services', { services: ['web*'] }, {}, {}, true],
    ['no other service', { services: ['web*'] }, {}, { service: 'db' }, false],
    ['no network of the engine', {}, {}, { networks: ['back', 'host'] }, false],
    ['a network that it names', { networks: ['host'] }, {}, { networks: ['host'] }, true],
    ['no network that it does not name', { networks: ['back'] }, {}, { networks: ['db'] }, false],
  ] as const)('takes %s', (_what, rules, who, what, may) => {
    expect(deployRefusal(target(rules), { ...ask, ...who }, { ...service, ...what }) === undefined).toBe(may);
  });

  describe('names what a service may have', () => {
    const asked = {
      ports: { publish: [{ published: 8080 }] },
      mounts: { mounts: [{ source: 'data' }] },
      capabilities: { capabilities: ['NET_ADMIN'] },
      secrets: { secrets: ['web-tls'] },
      configs: { configs: ['web.conf'] },
    };
    test.each([
      ['a port', {}, asked.ports, true],
      ['no port beside its list', { ports: [80, '9*'] }, asked.ports, false],
      ['a port of its list', { ports: ['80*'] }, asked.ports, true],
      ['no mount', {}, asked.mounts, false],
      ['a mount of its list', { mounts: ['data*'] }, asked.mounts, true],
      ['no capability', {}, asked.capabilities, false],
      ['a capability, however it is written', { capabilities: ['cap_net_admin'] }, asked.capabilities, true],
      ['no secret', {}, asked.secrets, false],
      ['no secret beside its list', { secrets: ['db-*'] }, asked.secrets, false],
      ['a secret of its list', { secrets: ['web-*'] }, asked.secrets, true],
      ['no config', {}, asked.configs, false],
      ['a config of its list', { configs: ['web.conf'] }, asked.configs, true],
    ] as const)('%s', (_what, rules, what, may) => {
      expect(deployRefusal(target(rules), ask, { ...service, ...what }) === undefined).toBe(may);
    });
  });

  test("keeps others' services, unless they may be adopted", () => {
    const of = { project: 'shop', service: 'web' };
    const refusal = (rules: object, found: { exists: boolean; owner?: string }) =>
      takeoverRefusal(target(rules), found, of) !== undefined;
    expect(refusal({}, { exists: false })).toBe(false);
    expect(refusal({}, { exists: true, owner: 'shop' })).toBe(false);
    expect(refusal({}, { exists: true })).toBe(true);
    expect(refusal({}, { exists: true, owner: 'other' })).toBe(true);
    expect(refusal({ adopt: true }, { exists: true })).toBe(false);
  });
});

describe('a plan', () => {
  const refused = async (trigger: ReturnType<typeof pushOf>, project: object = {}) => {
    const { plan } = await control(repository, project, TARGET).plan(trigger);
    return Object.fromEntries(plan.jobs.filter((job) => job.refused).map((job) => [job.key, job.refused]));
  };
  const dev = () => pushOf(repository, { ref: 'dev', sha: repository.heads.dev ?? '' });

  test('of an unprotected branch deploys to no target', async () => {
    expect(Object.keys(await refused(dev()))).toEqual(['takeover']);
    expect(await refused(pushOf(repository))).toEqual({});
  });

  test('says where the file asks for what the target does not allow, and what to add', async () => {
    const file = (swarm: string): string =>
      `d:\n  environment: {name: prod}\n  deploy:\n    swarm:\n      service: web\n      image: x/y:1\n${swarm}`;
    const own = await makeRepository(
      file('      mounts:\n        - data:/data\n        - /var/run/docker.sock:/x:ro\n'),
    );
    try {
      const of = async (target: object): Promise<string | undefined> => {
        const world = control(own, {}, { targets: [{ name: 'swarm', ...target }] });
        return (await world.plan(pushOf(own))).plan.jobs[0]?.refused;
      };
      expect(await of({ mounts: ['data'] })).toBe(
        '.gitlab-ci.yml:9:11: The target swarm lets no pipeline give a service the mount /var/run/docker.sock. An operator allows it by adding /var/run/docker.sock to mounts of the target.',
      );
      expect(await of({ mounts: ['data', '/var/run/*'] })).toBeUndefined();
    } finally {
      await own.remove();
    }
  });

  test('of a working tree is deployed by the operator of the machine alone', async () => {
    const world = control(repository, {}, TARGET);
    const seed = await world.plan(dev());
    const tree = {
      ref: 'dev',
      sha: repository.heads.dev ?? '',
      sourceBlob: seed.source,
      source: 'cli',
    } as const;
    const of = async (more: object) =>
      (await world.plan(requestOf(repository, 'operator', { ...tree, ...more }))).plan.jobs[0]?.refused;
    expect(await of({ local: true })).toBeUndefined();
    expect(await of({})).toContain('protected refs only');
  });

  test('has no job for an environment whose refs are others', async () => {
    const project = { environments: { 'prod*': { refs: 'protected' } } };
    expect(Object.keys(await refused(dev(), project))).toEqual(['takeover', 'script', 'stop', 'own']);
    expect(await refused(pushOf(repository), project)).toEqual({});
  });

  test('has the gates of the installation file, which a branch can add to', async () => {
    const project = { environments: { 'prod*': { approvers: ['ops'], count: 2, four_eyes: true } } };
    const { plan } = await control(repository, project, TARGET).plan(pushOf(repository));
    const gates = Object.fromEntries(plan.jobs.map((job) => [job.key, job.gate?.protection]));
    const asked = { approvals: [{ approvers: ['ops'], count: 2 }], notBy: ['ada'] };
    expect(gates).toEqual({
      takeover: asked,
      script: asked,
      stop: asked,
      free: undefined,
      own: { ...asked, written: true },
    });
  });

  test('whose approvals are not those of who has pushed it, when somebody else runs it again', async () => {
    const project = { environments: { 'prod*': { approvers: ['ops'], count: 1, four_eyes: true } } };
    const again = { ...pushOf(repository), actor: 'bob', startedBefore: ['ada'] };
    const { plan } = await control(repository, project, TARGET).plan(again);
    expect(plan.jobs.find((job) => job.key === 'script')?.gate?.protection?.notBy).toEqual(['bob', 'ada']);
  });
});

describe('approvals', () => {
  const protection = { approvals: [{ approvers: ['ops', 'olga'], count: 2 }], notBy: ['ada'] };
  const gate = (more: Partial<Gate> = {}): Gate => ({
    approvers: [],
    expiresInMs: 1,
    requires: [],
    protection,
    ...more,
  });
  const play = (actor: string, role: Decision['role'] = 'developer'): Decision => ({
    action: 'play',
    job: 'j',
    actor,
    role,
  });
  /** The result of each, one after the other. */
  function run(of: Gate, people: readonly Decision[], since = 10): string[] {
    const decisions: Decision[] = [{ ...play('old'), at: 1, answer: 'accepted' }];
    return people.map((decision, index) => {
      const view = {
        job: jobOf({ key: 'j', gate: of }),
        status: { phase: 'gate', decisions, since } as const,
      };
      const verdict = judge({ ...view, missing: [], approveBySignal: true }, decision);
      const answer = verdict.accepted ? 'accepted' : verdict.code;
      decisions.push({ ...decision, at: since + index, answer });
      return verdict.accepted ? verdict.effect : verdict.code;
    });
  }
  const no = 'gate/not-an-approver';
  test('so many people, each once', () =>
    expect(run(gate(), [play('ops'), play('OPS'), play('dora'), play('olga')])).toEqual([
      'count',
      'gate/not-an-approver',
      no,
      'approve',
    ]));
  test('never of the one who started it, and never by signal', () => {
    const wide = gate({
      protection: { approvals: [{ approvers: ['developer', 'operator'], count: 2 }], notBy: ['ada'] },
    });
    expect(
      run(wide, [
        play('ada', 'operator'),
        play('Ada'),
        play('temporal', 'temporal'),
        play('bo'),
        play('bo'),
        play('cy'),
      ]),
    ).toEqual([no, no, no, 'count', 'job/decided', 'approve']);
  });
  test('no name counts twice, and no signal, whatever the lists name', () => {
    const of = (approvers: string[], people: Decision[]) =>
      missingApprovals(gate({ protection: { approvals: [{ approvers, count: 2 }] } }), people);
    expect(of(['ops', 'olga'], [play('ops'), play('ops')])).toBe(1);
    expect(of(['developer'], [play('ops'), play('OPS')])).toBe(1);
    expect(of(['developer'], [play('ops'), play('olga')])).toBe(0);
    expect(of(['temporal', 'ops'], [play('ops'), play('temporal', 'temporal')])).toBe(1);
  });
  test('those of an earlier life do not count', () =>
    expect(
      run(gate({ protection: { approvals: [{ approvers: ['old', 'ops'], count: 2 }] } }), [play('ops')]),
    ).toEqual(['count']));
  test("the file's own approvers come on top, and replace nobody", () => {
    const own = gate({ approvers: ['dora'], protection: { ...protection, written: true } });
    expect(run(own, [play('dora'), play('ops'), play('olga')])).toEqual(['count', 'count', 'approve']);
    expect(run(own, [play('ops'), play('olga'), play('dora')])).toEqual(['count', 'count', 'approve']);
    const alone = gate({ approvers: ['developer'], protection: { ...protection, written: true } });
    expect(run(alone, [play('d1'), play('d2'), play('d3')])).toEqual(['count', 'count', 'count']);
  });
});

test('a user who is taken out of the file has no rights from then on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-rights-'));
  try {
    const path = join(folder, 'davit.config.yml');
    const write = async (text: string, at: number): Promise<void> => {
      await writeFile(path, text);
      await utimes(path, at, at);
    };
    const token = 'a-token-0123456789';
    const users = (role: string) => `users: [{name: ops, role: ${role}, token_sha256: ${sha256(token)}}]\n`;
    await write(users('operator'), 1_000);
    const complaints: string[] = [];
    const started = installationSchema.parse({
      users: [{ name: 'ops', role: 'operator', token_sha256: sha256(token) }],
    });
    const rights = currentRights(path, started, (text) => complaints.push(text));
    const tokens = knownTokens({
      users: () => rights().users,
      cliToken: 'c'.repeat(20),
      workerToken: 'w'.repeat(20),
      owner: 'me',
    });
    expect(tokens.user(token)?.role).toBe('operator');
    await write(users('reader'), 2_000);
    expect(tokens.user(token)?.role).toBe('reader');
    await write('users: [', 3_000);
    expect(tokens.user(token)?.role).toBe('reader');
    expect(complaints).toHaveLength(1);
    await write('users: []\n', 4_000);
    expect(tokens.user(token)).toBeUndefined();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
