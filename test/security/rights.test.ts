/**
 * Rows 7 to 10 and 48: no request, in any order and with any token, reaches a protected effect without
 * permission. The model in this file is written from the table of docs/security.md, not from the code.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isProtected } from '../../src/compiler/variables/installation.ts';
import { installationSchema } from '../../src/installation.ts';
import { permitted } from '../../activities/compile/permissions.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../support/server.ts';
import { testFacts } from '../unit/activities/fakes.ts';
import { jobOf } from '../support/plans.ts';

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
];
let server: TestServer;
beforeAll(async () => {
  server = await testServer({ projects: PROJECTS });
  const jobs = [job('a', { phase: 'ended', outcome: 'failed' })];
  server.workflows.open.set('table/1', pipeline('table/1', { jobs, protected: true }));
  server.workflows.open.set('table/2', pipeline('table/2', { jobs }));
});
afterAll(() => server.close());

const who = fc.constantFrom<Who>('reader', 'developer', 'operator', 'cli', 'worker', 'nobody');
const start = fc.record({
  kind: fc.constant('start' as const),
  who,
  project: fc.constantFrom('strict', 'open'),
  ref: fc.constantFrom('main', 'v1', 'dev', 'refs/heads/main', 'MAIN'),
  refKind: fc.constantFrom('branch' as const, 'tag' as const, 'merge_request' as const),
  tree: fc.boolean(),
  extra: fc.constantFrom({}, { role: 'operator' }, { local: true }, { fork: false }, { actor: 'root' }),
});
const decide = fc.record({
  kind: fc.constant('decide' as const),
  who,
  id: fc.constantFrom('table/1', 'table/2'),
  action: fc.constantFrom('retry', 'play', 'reject', 'cancelJob'),
});
const blob = fc.record({ kind: fc.constant('blob' as const), who });
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Start = Of<typeof start>;
type Act = Start | Of<typeof decide> | Of<typeof blob>;

const headers = (name: Who) => (name === 'nobody' ? {} : bearer(TOKENS[name]));
const isDeveloper = (name: Who): boolean => name === 'developer' || name === 'operator' || name === 'cli';
const isOperator = (name: Who): boolean => name === 'operator' || name === 'cli';

test('random requests', async () => {
  const sourceBlob = (await server.stores.blobs.putBytes(Buffer.from('tree'))).toString();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(start, decide, blob), { minLength: 1, maxLength: 12 }),
      async (acts) => {
        for (const act of acts) await check(act, sourceBlob);
      },
    ),
    { numRuns: 60, seed: 20_261_129 },
  );
});

async function check(act: Act, sourceBlob: string): Promise<void> {
  const before = server.workflows.triggers.length + server.workflows.decisions.length;
  const answer = await send(act, sourceBlob);
  const happened = server.workflows.triggers.length + server.workflows.decisions.length > before;
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
  expect([trigger.fork, trigger.actor]).toEqual([false, act.who === 'cli' ? 'me' : `the ${act.who}`]);
  const project = server.installation.projects.find((one) => one.name === act.project);
  if (!project) throw new Error('no project');
  const named =
    act.project === 'strict'
      ? (act.refKind === 'branch' && act.ref === 'main') || (act.refKind === 'tag' && act.ref === 'v1')
      : act.refKind === 'branch' && act.ref === 'main';
  const may = isOperator(act.who) || (act.project === 'open' && !act.tree);
  const vouched = act.tree ? act.who === 'cli' : may;
  expect(isProtected(project, trigger)).toBe(named && vouched);
  const facts = testFacts({ targets: [{ name: 'prod' }] });
  const spec = { kind: 'deploy', target: 'prod', swarm: { service: 's', networks: [] } } as never;
  const deploy = { job: jobOf({ key: 'd', kind: 'deploy' }), spec };
  const { job: planned } = permitted(deploy, {
    facts,
    project,
    trigger,
    protectedRef: isProtected(project, trigger),
  });
  const deploys = (named && vouched) || (act.tree && act.who === 'cli');
  expect(planned.refused === undefined).toBe(deploys);
}

function send(act: Act, sourceBlob: string) {
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
