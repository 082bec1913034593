import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Digest } from '../../../src/plan/model/ids.ts';
import { pagesName, type PagesRecord, type SiteIndex } from '../../../src/plan/model/pages.ts';
import { includesRecordName, pipelineRecordName, remoteCopyName } from '../../../src/plan/model/records.ts';
import { collectOnce } from '../../../src/server/collection.ts';
import { DavitError } from '../../../src/errors.ts';
import { pipeline, testServer, type TestServer } from '../../support/server.ts';

const DAY = 24 * 3_600_000;
const now = Date.now();
let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

const put = (value: unknown): Promise<Digest> =>
  server.stores.blobs.putBytes(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
async function aged(digest: Digest, days: number): Promise<Digest> {
  const hex = digest.slice('sha256:'.length);
  const at = new Date(now - days * DAY);
  await utimes(join(server.folder, 'blobs', 'sha256', hex.slice(0, 2), hex), at, at);
  return digest;
}
const old = async (value: unknown): Promise<Digest> => aged(await put(value), 100);
/** Without `has`, which makes it young. */
const isThere = (digest: Digest): Promise<boolean> =>
  server.stores.blobs.getBytes(digest).then(
    () => true,
    (error: unknown) => {
      if (error instanceof DavitError && error.code === 'blob/missing') return false;
      throw error;
    },
  );

test('blobs reachable from a record stay, over any number of steps; expired and unreferenced ones are removed', async () => {
  const script = await old('a script');
  const spec = await old({ script });
  const plan = await old({ jobs: [{ spec }] });
  const kept = await old('an artifact that is kept');
  const valid = await old('an artifact that has not expired');
  const expired = await old('an artifact that has');
  const nobody = await old({ of: kept, and: 'no record' });
  const cache = await old('a cache');
  const record = await old({
    plan,
    jobs: [
      { artifacts: { digest: kept } },
      { artifacts: { digest: valid, expiresAt: now + DAY } },
      { artifacts: { digest: expired, expiresAt: now - 1 } },
    ],
  });
  await server.stores.records.put('pipelines/table/00000001', { record });
  await server.stores.records.put('caches/table/protected/x', { digest: cache, bytes: 7 });
  const dry = await collectOnce(server.deps, true, now);
  expect(dry).toMatchObject({ blobs: 2, kept: 7 });
  expect(await isThere(nobody)).toBe(true);
  expect(await collectOnce(server.deps, false, now)).toEqual(dry);
  for (const digest of [script, spec, plan, kept, valid, cache, record])
    expect(await isThere(digest)).toBe(true);
  for (const digest of [expired, nobody]) expect(await isThere(digest)).toBe(false);
  // The same bytes may be stored again.
  expect(await put('an artifact that has')).toBe(expired);
});

test('artifacts of the last success of a branch or tag stay when they have expired, of its children too', async () => {
  const { records } = server.stores;
  const files = new Map<string, Digest>();
  const ended = async (
    number: number,
    more: { ref?: string; state?: string; source?: string; sha?: string },
  ) => {
    const { ref = 'main', state = 'success', source = 'push', sha = `sha${number}` } = more;
    const digest = await old(`artifact ${number}`);
    files.set(`${number}`, digest);
    const record = await old({ jobs: [{ artifacts: { digest, expiresAt: now - 1 } }] });
    const summary = { id: `table/${number}`, number, project: 'table', ref, sha, source, state };
    await records.put(`pipelines/table/${String(number).padStart(8, '0')}`, { record, summary });
  };
  await ended(10, { sha: 'a' });
  await ended(9, { sha: 'z' });
  await ended(11, { sha: 'a', source: 'parent_pipeline' });
  await ended(12, { sha: 'z', source: 'parent_pipeline' });
  await ended(13, { state: 'failed' });
  await ended(14, { ref: 'other' });
  await ended(15, { ref: 'refs/merge-requests/1/head' });
  await collectOnce(server.deps, false, now);
  const left: string[] = [];
  for (const [name, digest] of files) if (await isThere(digest)) left.push(name);
  expect(left).toEqual(['10', '11', '14']);
});

test('nothing is removed that is younger than the oldest open pipeline, or was stored or requested since', async () => {
  const before = await old('before it');
  const after = await aged(await put('after its start'), 5);
  const again = await old('stored again');
  const asked = await old('asked for');
  server.workflows.open.set('table/1', pipeline('table/1', { startedAt: now - 10 * DAY }));
  await put('stored again');
  await server.stores.blobs.has(asked);
  expect(await collectOnce(server.deps, false, now)).toMatchObject({ blobs: 1, kept: 3 });
  expect(await isThere(before)).toBe(false);
  for (const digest of [after, again, asked]) expect(await isThere(digest)).toBe(true);
});

test('without an answer of Temporal nothing is removed', async () => {
  await old('nobody knows');
  server.workflows.failure = new DavitError('temporal/unreachable', 'away');
  await expect(collectOnce(server.deps, false, now)).rejects.toMatchObject({ code: 'temporal/unreachable' });
  expect(await server.deps.collect({ now, before: now, dryRun: true })).toMatchObject({ blobs: 1 });
});

test('inputs of a pipeline stay, and so do the copies of remote files', async () => {
  const answers = await old({ 'remote https://example.com/a.yml': { text: 'a: 1' } });
  const changed = await old({ main: ['a'] });
  const copy = await old('a: 1');
  const nobody = await old('of no pipeline');
  const { records } = server.stores;
  await records.put(includesRecordName('table/1'), { answers, changed });
  await records.put(remoteCopyName('a'.repeat(64)), { digest: copy, at: now });
  expect(await collectOnce(server.deps, false, now)).toMatchObject({ blobs: 1, kept: 3 });
  for (const digest of [answers, changed, copy]) expect(await isThere(digest)).toBe(true);
  expect(await isThere(nobody)).toBe(false);
});

test('an unreadable record ends the collection before anything is removed', async () => {
  const nobody = await old('nobody names it');
  await server.stores.records.put('pipelines/table/00000001', { plan: await old('a plan') });
  const folder = join(server.folder, 'records', 'pipelines', 'table');
  const [name = ''] = await readdir(folder);
  await writeFile(join(folder, name), '{"plan":"sha2');
  await expect(collectOnce(server.deps, false, now)).rejects.toMatchObject({ code: 'store/corrupt' });
  expect(await isThere(nobody)).toBe(true);
});

test('a stored JSON of very many values ends no collection', async () => {
  const wide = `{${Array.from({ length: 150_000 }, (_, at) => `"w${at}":0`).join(',')}}`;
  await server.stores.records.put('pages/table/main/1', { site: { digest: await old(wide) } });
  const nobody = await old('nobody names it');
  expect(await collectOnce(server.deps, false, now)).toMatchObject({ blobs: 1, kept: 1 });
  expect(await isThere(nobody)).toBe(false);
});

test('the files of a site stay; blobs that only their text names are removed', async () => {
  const [named, deep] = [await old('named by a page'), await old('of a plan')];
  const page = await old({ see: named });
  const plan = await old({ deep });
  const file = (digest: Digest) => ({ digest, bytes: 1 });
  const index: SiteIndex = { version: 1, files: { 'a.json': file(page), 'plan.json': file(plan) } };
  const { records } = server.stores;
  const site = await old(index);
  const of = { project: 'table', prefix: '' };
  await records.put<PagesRecord>(pagesName(of, { iid: 1, jobId: 2 }), {
    site: { digest: site },
    job: 'pages',
  });
  await records.put('pipelines/table/00000001', { plan });
  expect(await collectOnce(server.deps, false, now)).toMatchObject({ blobs: 1, kept: 4 });
  for (const digest of [site, page, plan, deep]) expect(await isThere(digest)).toBe(true);
  expect(await isThere(named)).toBe(false);
});

describe('the disk of a project', () => {
  const pipelineOf = async (iid: number, days: number): Promise<void> => {
    const endedAt = now - days * DAY;
    const record = await put({
      status: { jobs: [] },
      trigger: { sourceBlob: await put('a source'.repeat(10)) },
    });
    const name = pipelineRecordName(`table/${iid}`);
    await server.stores.records.put(name, { record, summary: { endedAt } });
    const ref = { pipeline: `table/${iid}` as const, job: 'unit', attempt: 1 };
    await server.stores.logs.open(ref, 1);
    await server.stores.logs.append(ref, { epoch: 1, offset: 0, bytes: Buffer.from('x'.repeat(100)) });
  };
  const logsOf = (iid: number): string => join(server.folder, 'logs', 'table', String(iid));
  const age = async (iid: number, days: number): Promise<void> => {
    const at = new Date(now - days * DAY);
    for (const name of await readdir(logsOf(iid))) await utimes(join(logsOf(iid), name), at, at);
  };

  test('logs are kept, or removed when they are older than log_age and nobody writes to them', async () => {
    for (const iid of [1, 2, 3]) await pipelineOf(iid, iid === 3 ? 5 : 40);
    await age(1, 40);
    await age(3, 5);
    expect((await collectOnce(server.deps, false, now)).logs).toBeUndefined();
    const facts = server.deps.facts();
    const limits = { ...facts.config.limits, log_age: 30 * DAY };
    const deps = { ...server.deps, facts: () => ({ ...facts, config: { ...facts.config, limits } }) };
    const dry = await collectOnce(deps, true, now);
    expect(dry.logs).toMatchObject({ pipelines: 1 });
    expect(await readdir(join(server.folder, 'logs', 'table'))).toEqual(['1', '2', '3']);
    expect(await collectOnce(deps, false, now)).toEqual(dry);
    // The second was retried: somebody writes to it.
    expect(await readdir(join(server.folder, 'logs', 'table'))).toEqual(['2', '3']);
  });

  test('sources are kept, or removed when they are older than source_age and nothing needs them', async () => {
    const made: Record<string, Digest> = {};
    const ended = async (iid: number, days: number, more: object = {}, source = `source ${iid}`) => {
      made[source] = await old(source);
      const spec = await old({ source: made[source], script: await old(`script of ${source}`) });
      const plan = await old({ jobs: [{ spec }] });
      const record = await old({ plan, trigger: { sourceBlob: made[source] } });
      const of = { id: `table/${iid}`, number: iid, project: 'table', ref: 'main', sha: 'a', source: 'push' };
      const summary = { ...of, state: 'failed', endedAt: now - days * DAY, ...more };
      await server.stores.records.put(pipelineRecordName(`table/${iid}`), { record, summary });
    };
    await ended(21, 40);
    await ended(22, 10);
    await ended(23, 40, { state: 'success' });
    await ended(24, 40, {}, 'shared');
    await ended(25, 10, {}, 'shared');
    await ended(26, 40);
    server.workflows.open.set('table/26', pipeline('table/26', { startedAt: now - 1_000 }));
    const facts = server.deps.facts();
    const limits = { ...facts.config.limits, source_age: 30 * DAY };
    const deps = { ...server.deps, facts: () => ({ ...facts, config: { ...facts.config, limits } }) };
    expect((await collectOnce(server.deps, true, now)).blobs).toBe(0);
    expect((await collectOnce(deps, false, now)).blobs).toBe(1);
    const left = [];
    for (const [name, digest] of Object.entries(made)) if (await isThere(digest)) left.push(name);
    expect(left.sort()).toEqual(['shared', 'source 22', 'source 23', 'source 26']);
  });

  test('is shown by what it is used for', async () => {
    await pipelineOf(1, 1);
    const artifact = await put('an artifact of 29 bytes......');
    const spec = await put({ source: await put('checkout') });
    const plan = await put({ jobs: [{ spec }] });
    const job = { key: 'j', result: { artifacts: { digest: artifact, bytes: 29, files: 1 } } };
    const record = await put({ status: { jobs: [job] }, plan });
    await server.stores.records.put(pipelineRecordName('shop/1'), { record, summary: { endedAt: now } });
    const cache = await put('a cache');
    await server.stores.records.put('caches/shop/protected/abc', { digest: cache, bytes: 7, at: now });
    await put('of an open pipeline');
    const { projects, rest } = await server.stores.usage();
    const [shop, table] = ['shop', 'table'].map((name) => projects.find(({ project }) => project === name));
    expect(shop).toMatchObject({ logs: 0, sources: 8, artifacts: 29, caches: 7 });
    expect(table).toMatchObject({ sources: 80, artifacts: 0, caches: 0 });
    expect(table?.logs).toBeGreaterThan(100);
    expect(shop?.others).toBeGreaterThan(100);
    expect(rest).toBe('of an open pipeline'.length);
  });
});
