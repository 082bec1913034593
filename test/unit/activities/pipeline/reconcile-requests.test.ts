/** Merge requests whose delivery was lost, by the forge's list of open ones. */
import { beforeEach, expect, test } from 'vitest';
import { reconcile, type ReconcileDeps } from '../../../../activities/pipeline/reconcile.ts';
import type { OpenRequest } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { KeyLookup } from '../../../../src/plan/model/protocol.ts';
import { reconcileRecordName, type ReconcileRecord } from '../../../../src/plan/model/records.ts';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import { reconciledProjects } from '../../../../workers/parts/reconciler.ts';

const sha = (letter: string): string => letter.repeat(40);
const ZERO = sha('0');
const [table] = reconciledProjects(
  installationSchema.parse({
    projects: [{ name: 'table', forge: 'gitea', clone_url: 'https://forge.test/table.git' }],
  }).projects,
);
if (!table) throw new Error('the project is compared');
const request = (iid: number, letter: string, more: Partial<OpenRequest> = {}): OpenRequest => ({
  ref: `refs/pull/${iid}/head`,
  sha: sha(letter),
  title: `Request ${iid}`,
  author: 'ada',
  fork: false,
  mergeRequest: {
    iid,
    sourceBranch: 'legs',
    targetBranch: 'main',
    sourceSha: sha(letter),
    title: `Request ${iid}`,
  },
  ...more,
});

let records: Map<string, unknown>;
let open: OpenRequest[] | Error | undefined;
let complete: boolean;
let pushed: Record<string, string>;
let keys: Map<string, KeyLookup>;
let started: Trigger[];
let deps: ReconcileDeps;
beforeEach(() => {
  records = new Map();
  open = [request(1, 'a')];
  complete = true;
  pushed = {};
  keys = new Map();
  started = [];
  deps = {
    records: {
      get: async <T>(name: string) => structuredClone(records.get(name)) as T | undefined,
      put: async (name, value) => void records.set(name, structuredClone(value)),
    },
    source: { heads: async () => [{ ref: 'refs/heads/main', sha: sha('a'), commit: sha('a') }] },
    openRequests: {
      open: async () => {
        if (open instanceof Error) throw open;
        return open && { requests: open, complete };
      },
    },
    secrets: { resolve: async () => '', seal: () => Buffer.of(), unseal: () => Buffer.of() },
    start: async (trigger) => void started.push(trigger),
    pushed: async () => pushed,
    lookup: async (_project, key) => keys.get(key) ?? { state: 'unknown' },
    graceMs: 0,
    atMost: 10,
    now: () => 1_000,
  };
});
const look = async (): Promise<string[]> => (await reconcile(deps, table)).map(({ key }) => key);
const record = () => records.get(reconcileRecordName('table')) as ReconcileRecord;

test('a new request and a new head start, with what the events would say; those of before do not', async () => {
  expect(await look()).toEqual([]);
  open = [request(1, 'b'), request(2, 'c', { fork: true })];
  expect(await look()).toEqual([
    `merge_request:1:${sha('a')}:${sha('b')}`,
    `merge_request:2:${ZERO}:${sha('c')}`,
  ]);
  expect(started[1]).toMatchObject({
    source: 'merge_request',
    refKind: 'merge_request',
    ref: 'refs/pull/2/head',
    sha: sha('c'),
    before: ZERO,
    title: 'Request 2',
    actor: 'ada',
    fork: true,
    mergeRequest: { iid: 2, sourceBranch: 'legs' },
    reconciled: { ref: 'refs/pull/2/head', after: sha('c') },
  });
  expect(started[1]?.role).toBeUndefined();
  for (const { key } of started) keys.set(key, { state: 'started' });
  expect(await look()).toEqual([]);
});

test('a project that was compared before starts no request that was open already', async () => {
  open = undefined;
  await look();
  open = [request(1, 'b')];
  expect(await look()).toEqual([]);
  expect(record().requestsSince).toBe(1_000);
  open = [request(1, 'c')];
  expect(await look()).toHaveLength(1);
});

test('one whose delivery came, or that asks for no pipeline, is not lost', async () => {
  await look();
  open = [request(1, 'b'), request(2, 'c', { title: 'Draft [skip ci]' })];
  pushed = { 'merge_request:refs/pull/1/head': sha('b') };
  expect(await look()).toEqual([]);
  expect(record().pending).toEqual({});
});

test('a list that fails or is cut forgets no request and hides no push; the reason is told', async () => {
  await look();
  open = new DavitError('forge/refused', 'The open merge requests could not be read: 403.');
  deps.source.heads = async () => [{ ref: 'refs/heads/main', sha: sha('b'), commit: sha('b') }];
  expect(await look()).toEqual([`push:refs/heads/main:${sha('a')}:${sha('b')}`]);
  expect(record()).toMatchObject({
    problem: expect.stringContaining('403'),
    settled: { 'refs/pull/1/head': sha('a') },
  });
  [open, complete] = [[request(9, 'd')], false];
  pushed = { 'merge_request:refs/pull/9/head': sha('d') };
  await look();
  expect(record().settled).toMatchObject({ 'refs/pull/1/head': sha('a') });
  [open, complete] = [[request(1, 'a')], true];
  await look();
  expect(record().settled).toMatchObject({ 'refs/pull/1/head': sha('a') });
  expect(record().problem).toBeUndefined();
  [open, complete] = [[], true];
  await look();
  expect(record().settled).not.toHaveProperty('refs/pull/1/head');
});
