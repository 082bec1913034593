import { beforeEach, expect, test } from 'vitest';
import { reconcile, type ReconcileDeps } from '../../../../activities/pipeline/reconcile.ts';
import { headsOf, MAX_HEADS_BYTES } from '../../../../src/adapters/git/heads.ts';
import type { RemoteHead } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { KeyLookup } from '../../../../src/plan/model/protocol.ts';
import { reconcileRecordName, type ReconcileRecord } from '../../../../src/plan/model/records.ts';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import { reconcileAll, reconciledProjects } from '../../../../workers/parts/reconciler.ts';
import { sha256 } from '../../../../src/utils/sha256.ts';

const sha = (letter: string): string => letter.repeat(40);
const branch = (name: string, letter: string): RemoteHead => ({
  ref: `refs/heads/${name}`,
  sha: sha(letter),
  commit: sha(letter),
});
const GRACE = 120_000;
const facts = installationSchema.parse({
  projects: [
    { name: 'table', forge: 'gitea', clone_url: 'https://forge.test/table.git' },
    { name: 'off', forge: 'gitea', clone_url: 'https://forge.test/off.git', reconcile: false },
    { name: 'local' },
  ],
});
const [table] = reconciledProjects(facts.projects);
if (!table) throw new Error('the project is compared');

let records: Map<string, unknown>;
let heads: RemoteHead[] | Error;
let pushed: Record<string, string>;
let keys: Map<string, KeyLookup>;
let started: Trigger[];
let now: number;
let deps: ReconcileDeps;
beforeEach(() => {
  records = new Map();
  heads = [branch('main', 'a')];
  pushed = {};
  keys = new Map();
  started = [];
  now = 1_000_000;
  deps = {
    records: {
      get: async <T>(name: string) => structuredClone(records.get(name)) as T | undefined,
      put: async (name, value) => void records.set(name, structuredClone(value)),
    },
    source: {
      heads: async () => {
        if (heads instanceof Error) throw heads;
        return heads;
      },
    },
    secrets: { resolve: async () => '', seal: () => Buffer.of(), unseal: () => Buffer.of() },
    start: async (trigger) => void started.push(trigger),
    pushed: async () => pushed,
    lookup: async (_project, key) => keys.get(key) ?? { state: 'unknown' },
    graceMs: GRACE,
    atMost: 2,
    now: () => now,
  };
});
const look = async (): Promise<string[]> => (await reconcile(deps, table)).map(({ key }) => key);
const later = (ms = GRACE): number => (now += ms);
const record = (): ReconcileRecord => {
  const found = records.get(reconcileRecordName('table')) as ReconcileRecord | undefined;
  if (!found) throw new Error('no record');
  return found;
};

test('the first pass starts nothing; a failed pass before it does not change that', async () => {
  heads = new DavitError('git/unreachable', 'It is away.');
  await expect(look()).rejects.toThrow('away');
  expect(record()).toMatchObject({ at: 0, problem: 'It is away.' });
  heads = [branch('main', 'a'), branch('old', 'b')];
  expect(await look()).toEqual([]);
  later();
  expect(await look()).toEqual([]);
  expect(record().problem).toBeUndefined();
});

test('a push without a delivery is sent after the grace period, like the delivery, and settled once it has started', async () => {
  await look();
  heads = [branch('main', 'b')];
  expect(await look()).toEqual([]);
  later(GRACE - 1);
  expect(await look()).toEqual([]);
  later(1);
  const key = `push:refs/heads/main:${sha('a')}:${sha('b')}`;
  expect(await look()).toEqual([key]);
  expect(started[0]).toMatchObject({
    source: 'push',
    ref: 'main',
    before: sha('a'),
    reconciled: { after: sha('b') },
  });
  keys.set(key, { state: 'queued' });
  expect(await look()).toEqual([]);
  keys.set(key, { state: 'started', pipeline: 'table/2' });
  expect(await look()).toEqual([]);
  expect(record()).toMatchObject({
    pending: {},
    settled: { 'refs/heads/main': sha('b') },
    found: { sha: sha('b') },
  });
});

test('an event that the project has forgotten, or whose sender died after the signal, is sent again with the same key and id', async () => {
  await look();
  heads = [branch('main', 'b')];
  await look();
  later();
  const before = structuredClone(record());
  await look();
  records.set(reconcileRecordName('table'), before);
  await look();
  later();
  await look();
  expect(new Set(started.map(({ key, deliveryId }) => `${key} ${deliveryId}`)).size).toBe(1);
  expect(started).toHaveLength(3);
});

test('a delivery that came, or that asked for no pipeline, is not lost', async () => {
  await look();
  heads = [branch('main', 'b'), branch('quiet', 'c')];
  pushed = { 'branch:main': sha('b') };
  await deps.records.put(`skipped/table/${sha256('refs/heads/quiet')}`, {
    sha: sha('c'),
  });
  await look();
  later();
  expect(await look()).toEqual([]);
  expect(record()).toMatchObject({
    pending: {},
    settled: { 'refs/heads/main': sha('b'), 'refs/heads/quiet': sha('c') },
  });
});

test('new branches, tags, force pushes, deleted branches; a head that moves restarts the grace period', async () => {
  heads = [branch('main', 'b'), branch('gone', 'c')];
  await look();
  heads = [branch('main', 'a'), branch('new', 'd'), { ref: 'refs/tags/v1', sha: sha('e'), commit: sha('f') }];
  deps.atMost = 10;
  await look();
  later(GRACE / 2);
  heads[1] = branch('new', '9');
  await look();
  later(GRACE / 2);
  expect(await look()).toEqual([
    `push:refs/heads/main:${sha('b')}:${sha('a')}`,
    `push:refs/tags/v1:${sha('0')}:${sha('e')}`,
  ]);
  expect(started[1]).toMatchObject({ source: 'tag', refKind: 'tag', ref: 'v1', sha: sha('f') });
  later(GRACE / 2);
  expect(await look()).toContain(`push:refs/heads/new:${sha('0')}:${sha('9')}`);
  expect(record().settled).not.toHaveProperty('refs/heads/gone');
});

test('a pass sends a limited number of events; the others are sent by the next', async () => {
  await look();
  heads = ['b', 'c', 'd', 'e', 'f'].map((letter) => branch(`b-${letter}`, letter));
  await look();
  later();
  deps.lookup = async (_project, key) =>
    started.some((one) => one.key === key) ? { state: 'started' } : { state: 'unknown' };
  for (const count of [2, 2, 1, 0]) expect(await look()).toHaveLength(count);
});

test('only projects with a forge and a repository are compared, not again at once, and a failing one does not delay others', async () => {
  const said: string[] = [];
  const asked: string[] = [];
  const config = { ...facts, reconcile: { every: 300_000, grace: 0, at_most: 20 } };
  const all = () =>
    reconcileAll({
      ...deps,
      source: {
        heads: async ({ url }) => {
          asked.push(url);
          throw new DavitError('git/denied', 'The repository refused.');
        },
      },
      facts: { installation: 'i', url: '', config: { ...config, helper_image: 'h' } },
      say: (line) => said.push(line),
    });
  await all();
  expect(asked).toEqual(['https://forge.test/table.git']);
  expect(said).toEqual(['reconcile: table: The repository refused.']);
  await all();
  expect(asked).toHaveLength(2);
  await look();
  await all();
  expect(asked).toHaveLength(2);
});

test("git's list of branches and tags: an annotated tag has a commit, unusual names are left out", () => {
  const answer = [
    `${sha('a')}\trefs/heads/main`,
    `${sha('b')}\trefs/tags/v1`,
    `${sha('c')}\trefs/tags/v1^{}`,
    `${sha('d')}\trefs/heads/-bad`,
    'no line of git',
    '',
  ].join('\n');
  expect(headsOf(answer)).toEqual([
    branch('main', 'a'),
    { ref: 'refs/tags/v1', sha: sha('b'), commit: sha('c') },
  ]);
  expect(() => headsOf('x'.repeat(MAX_HEADS_BYTES))).toThrow('more branches and tags');
});
