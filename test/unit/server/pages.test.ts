/** Sites: who sees them, which files are served, and what a page may do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pagesName, type PagesRecord, type SiteIndex } from '../../../src/plan/model/pages.ts';
import { bearer, testServer, TOKENS, type TestServer } from '../../support/server.ts';

let server: TestServer;
async function site(
  place: { project: string; prefix: string },
  iid: number,
  files: Record<string, string>,
  expiresAt?: number,
) {
  const index: SiteIndex = { version: 1, files: {} };
  for (const [path, text] of Object.entries(files)) {
    const bytes = Buffer.from(text);
    index.files[path] = { digest: await server.stores.blobs.putBytes(bytes), bytes: bytes.length };
  }
  const digest = await server.stores.blobs.putBytes(Buffer.from(JSON.stringify(index)));
  const record: PagesRecord = {
    site: { digest, ...(expiresAt !== undefined && { expiresAt }) },
    job: 'site',
  };
  await server.stores.records.put(pagesName(place, { iid, jobId: iid }), record);
}
beforeAll(async () => {
  server = await testServer({ projects: [{ name: 'open', pages: 'public' }, { name: 'closed' }] });
  const files = {
    'index.html': '<h1>Home</h1>',
    'css/main.css': 'a{}',
    'docs/index.html': 'docs',
    'about.html': 'about',
    'pic.svg': '<svg/>',
    'data.bin': 'bytes',
    '404.html': 'nothing here',
    __proto__x: 'odd',
  };
  await site({ project: 'open', prefix: '' }, 2, files);
  await site({ project: 'open', prefix: '' }, 10, { ...files, 'new.txt': 'new' });
  await site({ project: 'open', prefix: 'mr-1' }, 3, { 'index.html': 'preview' }, Date.now() + 60_000);
  await site({ project: 'open', prefix: 'gone' }, 3, { 'index.html': 'gone' }, Date.now() - 1);
  await site({ project: 'closed', prefix: '' }, 1, { 'index.html': 'inside' });
});
afterAll(() => server.close());
const get = (url: string, headers: Record<string, string> = {}) => server.app.inject({ url, headers });

describe('a site', () => {
  test.each([
    ['/pages/open/', 200, 'text/html; charset=utf-8', '<h1>Home</h1>'],
    ['/pages/open/index.html', 200, 'text/html; charset=utf-8', '<h1>Home</h1>'],
    ['/pages/open/css/main.css', 200, 'text/css; charset=utf-8', 'a{}'],
    ['/pages/open/docs/', 200, 'text/html; charset=utf-8', 'docs'],
    ['/pages/open/about', 200, 'text/html; charset=utf-8', 'about'],
    ['/pages/open/pic.svg', 200, 'image/svg+xml; charset=utf-8', '<svg/>'],
    ['/pages/open/data.bin', 200, 'application/octet-stream', 'bytes'],
    ['/pages/open/new.txt', 200, 'text/plain; charset=utf-8', 'new'],
    ['/pages/open/mr-1/', 200, 'text/html; charset=utf-8', 'preview'],
    ['/pages/open/mr-1/about', 404, 'application/json; charset=utf-8', undefined],
    ['/pages/open/gone/', 404, 'text/html; charset=utf-8', 'nothing here'],
    ['/pages/open/..%2f..%2fsecret', 404, 'text/html; charset=utf-8', 'nothing here'],
    ['/pages/open/%2e%2e/%2e%2e/etc/passwd', 404, undefined, undefined],
    ['/pages/open/__proto__', 404, 'text/html; charset=utf-8', 'nothing here'],
    ['/pages/open/constructor', 404, 'text/html; charset=utf-8', 'nothing here'],
    ['/pages/open/%00', 404, 'text/html; charset=utf-8', 'nothing here'],
  ])('%s', async (url, status, type, body) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(status);
    if (type) expect(answer.headers['content-type']).toBe(type);
    if (body) expect(answer.body).toBe(body);
  });
  test.each([
    ['/pages/open', '/pages/open/'],
    ['/pages/open/docs', '/pages/open/docs/'],
    ['/pages/open/mr-1', '/pages/open/mr-1/'],
  ])('%s leads to %s', async (url, to) => {
    const answer = await get(url);
    expect([answer.statusCode, answer.headers.location]).toEqual([302, to]);
  });
  test('no page has an origin, and no type is guessed', async () => {
    for (const url of ['/pages/open/', '/pages/open/nothing', '/pages/closed/', '/pages/no.such/']) {
      const { headers } = await get(url);
      expect(headers['content-security-policy']).toMatch(/^sandbox allow-scripts;/);
      expect(headers['content-security-policy']).not.toContain('allow-same-origin');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });
  test('unchanged files are not sent again', async () => {
    const { etag } = (await get('/pages/open/')).headers;
    const again = await get('/pages/open/', { 'if-none-match': String(etag) });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });
});

describe('a site that is for readers', () => {
  const basic = (password: string) => ({
    authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
  });
  test('requires a token, in either form', async () => {
    expect((await get('/pages/closed/', bearer(TOKENS.reader))).body).toBe('inside');
    expect((await get('/pages/closed/', basic(TOKENS.reader))).body).toBe('inside');
    for (const headers of [
      {},
      bearer(TOKENS.worker),
      basic('wrong-wrong-wrong'),
      { authorization: 'Basic !' },
    ]) {
      const answer = await get('/pages/closed/', headers);
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Basic');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });
  test('without access it is not revealed which sites exist', async () => {
    const [there, absent] = await Promise.all([get('/pages/closed/'), get('/pages/absent/')]);
    expect([absent.statusCode, absent.body]).toEqual([there.statusCode, there.body]);
  });
  test('a password opens nothing else', async () => {
    expect((await get('/api/v1/pipelines', basic(TOKENS.reader))).statusCode).toBe(401);
  });
});

test('the collector keeps served files, and removes replaced and expired ones', async () => {
  const all = await server.stores.collect({ now: Date.now(), before: Date.now() + 60_000, dryRun: false });
  expect(all.blobs).toBeGreaterThan(0);
  expect((await get('/pages/open/')).body).toBe('<h1>Home</h1>');
  expect((await get('/pages/open/mr-1/')).body).toBe('preview');
  expect((await get('/pages/closed/', bearer(TOKENS.reader))).body).toBe('inside');
});
