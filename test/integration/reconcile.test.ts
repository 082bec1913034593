/** Pushes whose delivery was lost: a real repository, real Temporal, the project's real workflow. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcile, type ReconcileDeps } from '../../activities/pipeline/reconcile.ts';
import { gitSource } from '../../src/adapters/git/index.ts';
import { installationSchema } from '../../src/installation.ts';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import { mergeKey, pushKey } from '../../src/plan/model/trigger.ts';
import { reconcileLookup, signalTrigger } from '../../src/temporal/calls.ts';
import { reconciledProjects } from '../../workers/parts/reconciler.ts';
import { planOf, triggerOf } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

const run = promisify(execFile);
const MAIN = 'refs/heads/main';
const ZERO = '0'.repeat(40);
let world: World;
let folder: string;
const git = async (...args: string[]): Promise<string> => {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
  const { stdout } = await run('git', [...who, '-C', join(folder, 'repo'), ...args], { env });
  return stdout.trim();
};
const commit = async (message: string): Promise<string> => {
  await git('commit', '--quiet', '--allow-empty', '-m', message);
  return git('rev-parse', 'HEAD');
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-reconcile-'));
  await mkdir(join(folder, 'repo'));
  await git('init', '--quiet', '--initial-branch=main');
  world = await World.start();
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the control worker's timer does, without a grace period; the records are a map. */
function reconcilerOf(slug: string): () => Promise<string[]> {
  const [project] = reconciledProjects(
    installationSchema.parse({
      projects: [{ name: slug, forge: 'gitea', clone_url: `file://${folder}/repo` }],
    }).projects,
  );
  if (!project) throw new Error('the project is compared');
  const records = new Map<string, unknown>();
  const deps: ReconcileDeps = {
    ...reconcileLookup(world.client),
    records: {
      get: async <T>(name: string) => records.get(name) as T | undefined,
      put: async (name, value) => void records.set(name, structuredClone(value)),
    },
    source: gitSource({ protocols: ['file'], temp: folder }),
    secrets: { resolve: async () => '', seal: () => Buffer.of(), unseal: () => Buffer.of() },
    start: (trigger) => signalTrigger(world.client, trigger),
    graceMs: 0,
    atMost: 10,
    now: Date.now,
  };
  return async () => (await reconcile(deps, project)).map(({ key }) => key);
}
/** As in the forge's delivery. */
const delivered = (slug: string, of: { before: string; after: string; id: string }) =>
  triggerOf(slug, {
    key: pushKey({ ref: MAIN, ...of }),
    sha: of.after,
    before: of.before,
    deliveryId: of.id,
  });
const decided = (slug: string, key: string) =>
  until(`${key} is decided`, async () => {
    const known = await world.lookup(slug, key);
    return known.state === 'queued' || known.state === 'unknown' ? undefined : known;
  });
const starts = async (slug: string): Promise<number> => {
  const { events } = await world.client.workflow.getHandle(projectWorkflowId(slug)).fetchHistory();
  return (events ?? []).filter((one) => one.childWorkflowExecutionStartedEventAttributes).length;
};

test('a lost push starts once; its late deliveries start nothing; the next push does', async () => {
  const slug = 'lost';
  const a = await commit('one');
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: a });
  const look = reconcilerOf(slug);
  expect(await look()).toEqual([]);
  await world.end(await world.push(slug, delivered(slug, { before: ZERO, after: a, id: 'd1' })));
  expect(await look()).toEqual([]);

  // Two pushes, both deliveries are lost.
  const b = await commit('two');
  const c = await commit('three');
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: c });
  const key = pushKey({ ref: MAIN, before: a, after: c });
  expect(await look()).toEqual([key]);
  expect(await decided(slug, key)).toMatchObject({ state: 'started', pipeline: 'lost/2' });
  expect((await world.end('lost/2')).sha).toBe(c);
  expect(await look()).toEqual([]);

  // The forge sends them after all, twice.
  for (const [before, after, id] of [
    [a, b, 'd2'],
    [b, c, 'd3'],
    [b, c, 'd4'],
  ] as const) {
    const late = delivered(slug, { before, after, id });
    await signalTrigger(world.client, late);
    expect((await decided(slug, late.key)).state).toBe('duplicate');
  }
  expect(await starts(slug)).toBe(2);

  const d = await commit('four');
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: d });
  expect(await world.push(slug, delivered(slug, { before: c, after: d, id: 'd5' }))).toBe('lost/3');
  await world.end('lost/3');
  expect(await look()).toEqual([]);
  expect(await starts(slug)).toBe(3);
});

test('a lost merge request starts once; its late deliveries start nothing, and the next one does', async () => {
  const slug = 'requests';
  const ref = 'refs/pull/3/head';
  const sha = (letter: string): string => letter.repeat(40);
  const event = (before: string, after: string, id: string) =>
    triggerOf(slug, {
      source: 'merge_request',
      refKind: 'merge_request',
      ref,
      key: mergeKey({ iid: 3, before, sha: after }),
      sha: after,
      before,
      deliveryId: id,
      mergeRequest: { iid: 3, sourceBranch: 'x', targetBranch: 'main', sourceSha: after, title: 'x' },
    });
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: sha('a') });
  const opened = event(ZERO, sha('a'), 'd1');
  await world.end(await world.push(slug, opened));
  // Two pushes to it are lost, and found as one.
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: sha('c') });
  const found = { ...event(ZERO, sha('c'), 'reconcile:1'), reconciled: { ref, after: sha('c') } };
  await signalTrigger(world.client, found);
  expect(await decided(slug, found.key)).toMatchObject({ state: 'started', pipeline: 'requests/2' });
  // With the head before, as GitLab and GitHub send it, and without, as Gitea does.
  for (const [before, after, id] of [
    [sha('a'), sha('b'), 'd2'],
    [sha('b'), sha('c'), 'd3'],
    [ZERO, sha('b'), 'd4'],
    [ZERO, sha('c'), 'd5'],
  ] as const) {
    const late = event(before, after, id);
    await signalTrigger(world.client, late);
    await decided(slug, late.key);
  }
  expect(await starts(slug)).toBe(2);
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: sha('d') });
  expect(await world.push(slug, event(ZERO, sha('d'), 'd6'))).toBe('requests/3');
  await world.end('requests/3');
  expect(await starts(slug)).toBe(3);
});

test('a delivery that came first is not started again, and a head that has moved on is not started at all', async () => {
  const slug = 'raced';
  const a = await commit('five');
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: a });
  const look = reconcilerOf(slug);
  await look();
  const b = await commit('six');
  // It looks, and the delivery arrives before its signal does.
  const told = delivered(slug, { before: a, after: b, id: 'd1' });
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: b });
  await world.push(slug, told);
  const found = { ...told, deliveryId: 'reconcile:1', key: pushKey({ ref: MAIN, before: ZERO, after: b }) };
  await signalTrigger(world.client, { ...found, reconciled: { ref: MAIN, after: b } });
  expect((await decided(slug, found.key)).state).toBe('duplicate');
  // The forge had seen an older head: nothing is started, and it has no later effect.
  const gone = { ...found, sha: a, key: pushKey({ ref: MAIN, before: b, after: a }) };
  await signalTrigger(world.client, { ...gone, reconciled: { ref: MAIN, after: a } });
  await until('it was forgotten', async () =>
    (await world.lookup(slug, gone.key)).state === 'unknown' ? true : undefined,
  );
  await world.end('raced/1');
  expect(await starts(slug)).toBe(1);
});

test('pushes that arrive in another order than they were made start once each', async () => {
  const slug = 'reordered';
  const a = await commit('seven');
  const [b, c, d, e] = [
    await commit('eight'),
    await commit('nine'),
    await commit('ten'),
    await commit('eleven'),
  ];
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: e });
  for (const [before, after, id] of [
    [d, e, 'd4'],
    [c, d, 'd3'],
    [a, b, 'd1'],
    [b, c, 'd2'],
  ] as const)
    await world.end(await world.push(slug, delivered(slug, { before, after, id })));
  const found = delivered(slug, { before: d, after: e, id: 'reconcile:1' });
  const key = pushKey({ ref: MAIN, before: ZERO, after: e });
  await signalTrigger(world.client, { ...found, key, reconciled: { ref: MAIN, after: e } });
  expect((await decided(slug, key)).state).toBe('duplicate');
  // A redelivery of the last push changes nothing either, and what follows it starts.
  await signalTrigger(world.client, delivered(slug, { before: d, after: e, id: 'd5' }));
  const f = await commit('last');
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: f });
  expect(await world.push(slug, delivered(slug, { before: e, after: f, id: 'd6' }))).toBe('reordered/5');
  await world.end('reordered/5');
  expect(await starts(slug)).toBe(5);
});

test('a commit that was pushed back, whose delivery is lost, is found', async () => {
  const slug = 'backlost';
  const [a, b] = [await commit('twelve'), await commit('thirteen')];
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: b });
  await world.end(await world.push(slug, delivered(slug, { before: a, after: b, id: 'd1' })));
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: a });
  await world.end(await world.push(slug, delivered(slug, { before: b, after: a, id: 'd2' })));
  world.project(slug, { plan: planOf([{ key: 'a' }]), head: b });
  const found = delivered(slug, { before: a, after: b, id: 'reconcile:1' });
  const key = pushKey({ ref: MAIN, before: ZERO, after: b });
  await signalTrigger(world.client, { ...found, key, reconciled: { ref: MAIN, after: b } });
  expect(await decided(slug, key)).toMatchObject({ state: 'started', pipeline: 'backlost/3' });
  await world.end('backlost/3');
});
