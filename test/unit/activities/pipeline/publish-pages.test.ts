/** `pages`: an artifact becomes a site; the newest pipeline's site stays. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import type { PublishInput } from '../../../../activities/contract.ts';
import { makePublishPages } from '../../../../activities/pipeline/publish-pages.ts';
import type { Digest } from '../../../../src/plan/model/ids.ts';
import { pagesName, type PagesRecord } from '../../../../src/plan/model/pages.ts';
import { asActivity, common, json, memoryBlobs, memoryRecords, testFacts } from '../fakes.ts';

type File = { name: string; text?: string; link?: string };
async function zipped(files: readonly File[]): Promise<Uint8Array> {
  const archive = pack();
  for (const { name, text, link } of files)
    if (link === undefined) archive.entry({ name }, text ?? '');
    else archive.entry({ name, type: 'symlink', linkname: link });
  archive.finalize();
  return gzipSync(await buffer(Readable.from(archive, { objectMode: false })));
}

function setUp(more: { fork?: boolean; prefix?: string; expireInMs?: number } = {}) {
  const { prefix = '', fork = false, expireInMs } = more;
  const blobs = memoryBlobs();
  const records = memoryRecords();
  const publish = makePublishPages({ blobs, records, facts: { ...testFacts(), url: 'http://davit.test/' } });
  const pages = { folder: 'public', prefix, ...(expireInMs !== undefined && { expireInMs }) };
  const ask = async (iid: number, files: readonly File[], of: Partial<PublishInput> = {}) =>
    asActivity(publish, {
      kind: 'script',
      project: 'table',
      pipeline: `table/${iid}`,
      job: 'site',
      jobId: iid * 10,
      spec: await blobs.putBytes(json({ ...common, kind: 'script', fork, pages })),
      artifact: await blobs.putBytes(await zipped(files)),
      ...of,
    });
  const record = (iid: number) =>
    records.get<PagesRecord>(pagesName({ project: 'table', prefix }, { iid, jobId: iid * 10 }));
  const files = async (iid: number): Promise<Record<string, { digest: Digest; bytes: number }>> =>
    JSON.parse(blobs.text((await record(iid))?.site?.digest ?? '')).files;
  return { ask, blobs, files, record, records };
}

test('files of the folder are stored one by one; links become the files they point to within the folder', async () => {
  const { ask, blobs, files } = setUp();
  const large = 'x'.repeat(1_100_000);
  const answer = await ask(3, [
    { name: 'public/index.html', text: '<h1>Table</h1>' },
    { name: 'public/large.bin', text: large },
    { name: 'private.txt', text: 'not for you' },
    { name: 'public/css/main.css', text: 'a{}' },
    { name: 'public/home.html', link: './index.html' },
    { name: 'public/again.html', link: 'home.html' },
    { name: 'public/styles', link: 'css' },
    { name: 'public/out', link: '../private.txt' },
    { name: 'public/passwd', link: '/etc/passwd' },
    { name: 'public/round', link: 'round' },
    { name: 'public/all', link: '.' },
  ]);
  expect(answer).toEqual({
    kind: 'published',
    url: 'http://davit.test/pages/table/',
    warnings: ['pages: 4 symbolic links lead to nothing in public and are left out.'],
  });
  const found = await files(3);
  const texts = Object.entries(found).map(([path, { digest }]) => [path, blobs.text(digest).slice(0, 20)]);
  expect(Object.fromEntries(texts)).toEqual({
    'index.html': '<h1>Table</h1>',
    'large.bin': 'x'.repeat(20),
    'css/main.css': 'a{}',
    'home.html': '<h1>Table</h1>',
    'again.html': '<h1>Table</h1>',
    'styles/main.css': 'a{}',
  });
  expect(found['large.bin']?.bytes).toBe(1_100_000);
});

test('an older pipeline that ends later changes nothing, and no record names replaced files', async () => {
  const { ask, record } = setUp();
  const page = (text: string) => [{ name: 'public/index.html', text }];
  expect(await ask(9, page('nine'))).toMatchObject({ kind: 'published' });
  expect(await ask(8, page('eight'))).toMatchObject({ kind: 'left' });
  expect([(await record(9))?.site !== undefined, await record(8)]).toEqual([true, { job: 'site' }]);
  expect(await ask(9, page('nine'))).toMatchObject({ kind: 'published' });
  expect(await ask(10, page('ten'))).toMatchObject({ kind: 'published' });
  expect(await record(9)).toEqual({ job: 'site' });
});

test('a prefix is another place, and its expiry is in the record', async () => {
  const { ask, record } = setUp({ prefix: 'mr-1', expireInMs: 60_000 });
  const before = Date.now();
  expect(await ask(1, [{ name: 'public/a', text: 'a' }])).toMatchObject({
    url: 'http://davit.test/pages/table/mr-1/',
  });
  expect((await record(1))?.site?.expiresAt).toBeGreaterThanOrEqual(before + 60_000);
});

test('a fork publishes nothing; a job without the folder fails', async () => {
  const files = [{ name: 'public/a', text: 'a' }];
  const fork = setUp({ fork: true });
  expect(await fork.ask(1, files)).toMatchObject({ kind: 'left', warning: expect.stringContaining('fork') });
  expect(fork.records.all.size).toBe(0);
  const own = setUp();
  expect(await own.ask(1, [{ name: 'other/a', text: 'a' }])).toMatchObject({ kind: 'refused' });
  expect(await own.ask(1, [], { artifact: undefined })).toMatchObject({ kind: 'refused' });
  expect(await own.ask(1, [], { artifact: `sha256:${'0'.repeat(64)}` })).toMatchObject({ kind: 'refused' });
  expect(own.records.all.size).toBe(0);
});
