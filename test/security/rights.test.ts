/**
 * Rows 5, 7 to 10 and 48: no request, in any order and with any token, reaches a protected effect without
 * permission. Meanwhile the forge is available or not, and the role of an approver changes. The model in this
 * file is written from docs/security.md, not from the code.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isProtected } from '../../src/compiler/variables/installation.ts';
import type { ForgeProtection } from '../../src/match/forge-refs.ts';
import { installationSchema } from '../../src/installation.ts';
import { permitted } from '../../activities/compile/permissions.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { testFacts } from '../unit/activities/fakes.ts';
import { jobOf, triggerOf } from '../support/plans.ts';

type Who = 'reader' | 'developer' | 'operator' | 'cli' | 'worker' | 'nobody';
const PROJECTS = [
  {
    name: 'strict',
    clone_url: 'https://forge.test/a.git',
    protected_branches: ['main'],
    protected_tags: ['v*'],
  },
  { name: 'open', clone_url: 'https://forge.test/b.git', start_protected: ['developer'] },
  { name: 'table', clone_url: 'https://forge.test/c.git' },
  {
    name: 'forge',
    clone_url: 'https://forge.test/d.git',
    protected_from: 'forge',
    protected_branches: ['*'],
  },
];
/** What the forge of the last project protects; undefined: it has never answered. */
const FORGE: ForgeProtection = {
  branches: [{ written: 'dev', syntax: 'name' }],
  tags: [{ written: 'v*', syntax: 'wildcard' }],
};
let forge: ForgeProtection | undefined;
let server: TestServer;
beforeAll(async () => {
  server = await testServer({
    projects: PROJECTS,
    protectionOf: async (project) => (project.protected_from === 'forge' ? forge : undefined),
  });
  const jobs = [job('a', { phase: 'ended', outcome: 'failed' })];
  server.workflows.open.set('table/1', pipeline('table/1', { jobs, protected: true }));
  server.workflows.open.set('table/2', pipeline('table/2', { jobs }));
});
afterAll(() => server.close());

const who = fc.constantFrom<Who>('reader', 'developer', 'operator', 'cli', 'worker', 'nobody');
const start = fc.record({
  kind: fc.constant('start' as const),
  who,
  project: fc.constantFrom('strict', 'open', 'forge'),
  ref: fc.constantFrom('main', 'main', 'v1', 'dev', 'refs/heads/main', 'MAIN'),
  refKind: fc.constantFrom('branch' as const, 'branch' as const, 'tag' as const, 'merge_request' as const),
  tree: fc.boolean(),
  // What a body must not say is refused, so most say nothing of the kind.
  extra: fc.constantFrom(
    {},
    {},
    {},
    {},
    {},
    {},
    {},
    { role: 'operator' },
    { local: true },
    { fork: false },
    { actor: 'root' },
  ),
});
const decide = fc.record({
  kind: fc.constant('decide' as const),
  who,
  id: fc.constantFrom('table/1', 'table/2'),
  action: fc.constantFrom('retry', 'play', 'reject', 'cancelJob'),
});
const blob = fc.record({ kind: fc.constant('blob' as const), who });
/** From outside: by a push to a request, whatever its refs are called. */
const fork = fc.record({
  kind: fc.constant('fork' as const),
  project: fc.constantFrom('strict', 'open', 'forge'),
  ref: fc.constantFrom('main', 'v1', 'dev'),
  refKind: fc.constantFrom('branch' as const, 'tag' as const, 'merge_request' as const),
  tree: fc.boolean(),
});
/** The forge answers for the first time, or its list is lost. */
const answers = fc.record({ kind: fc.constant('forge' as const), known: fc.boolean() });
const ROLES = [undefined, 'reader', 'developer', 'operator'] as const;
const role = fc.record({ kind: fc.constant('role' as const), role: fc.constantFrom(...ROLES) });
/** A job begins that ops has approved with this role. */
const begin = fc.record({
  kind: fc.constant('begin' as const),
  who,
  recorded: fc.constantFrom('developer' as const, 'operator' as const),
  approvers: fc.constantFrom([], ['ops'], ['developer'], ['operator'], ['someone']),
});
const forgeRecord = fc.record({ kind: fc.constant('record' as const), who });
/** A start has the most ways to go wrong. */
const ACT = fc.oneof(
  { arbitrary: start, weight: 8 },
  { arbitrary: begin, weight: 2 },
  ...[decide, blob, fork, answers, role, forgeRecord].map((arbitrary) => ({ arbitrary, weight: 1 })),
);
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Start = Of<typeof start>;
type Asked = Start | Of<typeof decide> | Of<typeof blob> | Of<typeof begin> | Of<typeof forgeRecord>;
type Act = Asked | Of<typeof fork> | Of<typeof answers> | Of<typeof role>;

const headers = (name: Who) => (name === 'nobody' ? {} : bearer(TOKENS[name]));
const isDeveloper = (name: Who): boolean => name === 'developer' || name === 'operator' || name === 'cli';
const isOperator = (name: Who): boolean => name === 'operator' || name === 'cli';

test('random requests', async () => {
  const sourceBlob = (await server.stores.blobs.putBytes(Buffer.from('tree'))).toString();
  await fc.assert(
    fc.asyncProperty(
      fc.array(ACT, {
        minLength: 1,
        maxLength: 16,
        size: 'max',
      }),
      async (acts) => {
        for (const act of acts) await check(act, sourceBlob);
      },
    ),
    { numRuns: 250, seed: 20_261_129 },
  );
});

async function check(act: Act, sourceBlob: string): Promise<void> {
  if (act.kind === 'forge') forge = act.known ? FORGE : undefined;
  else if (act.kind === 'role') setRole(act.role);
  else if (act.kind === 'fork') ofFork(act, sourceBlob);
  else await asked(act, sourceBlob);
}

/** The role of ops in the installation file; undefined: it has no such user. */
function setRole(now: (typeof ROLES)[number]): void {
  const { users } = server.installation;
  const at = users.findIndex((one) => one.name === 'ops');
  if (at >= 0) users.splice(at, 1);
  if (now) users.push({ name: 'ops', role: now, token_sha256: 'f'.repeat(64) });
}
const roleNow = () => server.installation.users.find((one) => one.name === 'ops')?.role;

/** A fork is never protected and deploys nowhere, whatever it calls itself. */
function ofFork(act: Of<typeof fork>, sourceBlob: string): void {
  const project = projectOf(act.project);
  const trigger: Trigger = {
    ...triggerOf(act.project, { ref: act.ref, refKind: act.refKind, fork: true }),
    ...(act.tree && { sourceBlob: sourceBlob as `sha256:${string}`, role: 'operator', local: true }),
  };
  expect(isProtected(project, trigger)).toBe(false);
  for (const refs of ['any', 'protected', ['*']] as const)
    expect(deploys({ project, trigger, protectedRef: true }, refs)).toBe(false);
}

/** An approval counts with the lower of two roles, and only workers ask. */
async function begins(act: Of<typeof begin>): Promise<void> {
  const answer = await server.app.inject({
    method: 'POST',
    url: '/internal/v1/approvals',
    headers: headers(act.who),
    payload: {
      project: 'strict',
      job: 'deploy',
      startedBy: 'ada',
      ref: 'main',
      fork: false,
      gate: { approvers: act.approvers, expiresInMs: 1, requires: [] },
      approvals: [{ actor: 'ops', role: act.recorded }],
    },
  });
  expect(answer.statusCode === 200).toBe(act.who === 'worker');
  if (answer.statusCode !== 200) return;
  const known = roleNow();
  const counted =
    known === undefined || known === 'reader' ? undefined : known === 'operator' ? act.recorded : known;
  const named: readonly string[] = act.approvers.length === 0 ? ['operator'] : act.approvers;
  const stands = counted !== undefined && (named.includes('ops') || named.includes(counted));
  expect(answer.json().verdict).toBe(stands ? 'stands' : 'ask');
}

async function asked(act: Asked, sourceBlob: string): Promise<void> {
  if (act.kind === 'begin') return begins(act);
  const before = server.workflows.triggers.length + server.workflows.decisions.length;
  const answer = await send(act, sourceBlob);
  const happened = server.workflows.triggers.length + server.workflows.decisions.length > before;
  if (act.kind === 'record') return expect(answer.statusCode).toBe(act.who === 'worker' ? 403 : 401);
  expect(happened).toBe(answer.statusCode < 300 && act.kind !== 'blob');
  if (act.kind === 'blob') expect(answer.statusCode < 300).toBe(isOperator(act.who));
  if (!happened) return;
  expect(isDeveloper(act.who)).toBe(true);
  if (act.kind === 'decide' && act.action === 'retry' && act.id === 'table/1')
    expect(isOperator(act.who)).toBe(true);
  if (act.kind === 'start') started(act, server.workflows.triggers.at(-1));
}

/** What an accepted trigger may reach. */
function started(act: Start, trigger: Trigger | undefined): void {
  if (!trigger) throw new Error('no trigger');
  const { who: by } = act;
  const [actor, role] = by === 'cli' ? ['me', 'operator'] : [`the ${by}`, by];
  expect([trigger.fork, trigger.actor, trigger.role]).toEqual([false, actor, role]);
  const project = projectOf(act.project);
  const named = isNamedProtected(act);
  // Nobody knows what is protected, so a developer's request does not come this far.
  if (act.project === 'forge' && !forge && act.refKind !== 'merge_request' && !act.tree)
    expect(isOperator(act.who)).toBe(true);
  const may = isOperator(act.who) || (act.project === 'open' && !act.tree);
  const vouched = act.tree ? act.who === 'cli' : may;
  expect(isProtected(project, trigger)).toBe(named && vouched);
  const protectedRef = isProtected(project, trigger);
  const mayDeploy = (named && vouched) || (act.tree && act.who === 'cli');
  expect(deploys({ project, trigger, protectedRef }, 'protected')).toBe(mayDeploy);
}

function isNamedProtected({ project, refKind, ref }: Pick<Start, 'project' | 'refKind' | 'ref'>): boolean {
  const of = `${refKind} ${ref}`;
  if (project === 'strict') return of === 'branch main' || of === 'tag v1';
  if (project === 'open') return of === 'branch main';
  return forge !== undefined && (of === 'branch dev' || of === 'tag v1');
}

/** As workers see it: with what the forge protects now. */
function projectOf(name: string) {
  const project = server.installation.projects.find((one) => one.name === name);
  if (!project) throw new Error('no project');
  return { ...project, ...(project.protected_from === 'forge' && { forge_protects: forge }) };
}

function deploys(
  of: { project: ReturnType<typeof projectOf>; trigger: Trigger; protectedRef: boolean },
  refs: 'any' | 'protected' | readonly string[],
): boolean {
  const facts = testFacts({ targets: [{ name: 'prod', refs }] });
  const spec = { kind: 'deploy', target: 'prod', swarm: { service: 's', networks: [] } } as never;
  const deploy = { job: jobOf({ key: 'd', kind: 'deploy' }), spec };
  return permitted(deploy, { facts, ...of }).job.refused === undefined;
}

function send(act: Exclude<Asked, { kind: 'begin' }>, sourceBlob: string) {
  if (act.kind === 'record')
    return server.app.inject({
      method: 'POST',
      url: '/internal/v1/records/put',
      headers: headers(act.who),
      payload: { name: 'forge-refs/forge', value: { protects: FORGE } },
    });
  if (act.kind === 'blob')
    return server.app.inject({ url: `/api/v1/blobs/${sourceBlob}`, headers: headers(act.who) });
  if (act.kind === 'decide')
    return server.app.inject({
      method: 'POST',
      url: `/api/v1/pipelines/${act.id}/decisions`,
      headers: headers(act.who),
      payload: { action: act.action, job: 'a' },
    });
  return server.app.inject({
    method: 'POST',
    url: `/api/v1/projects/${act.project}/pipelines`,
    headers: headers(act.who),
    payload: {
      key: 'request:12345678',
      ref: act.ref,
      refKind: act.refKind,
      sha: 'a'.repeat(40),
      before: '0'.repeat(40),
      title: 'x',
      source: 'api',
      ...(act.tree && { sourceBlob }),
      ...act.extra,
    },
  });
}

test('the model knows the default of a project that the file does not name', () => {
  expect(installationSchema.parse({ projects: [{ name: 'x' }] }).projects[0]?.start_protected).toEqual([
    'operator',
  ]);
});
