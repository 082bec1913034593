/** Sources with objects of Git LFS, from a forge on the loopback with the batch API. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { gitSource } from '../../src/adapters/git/index.ts';
import type { SourceRequest } from '../../src/adapters/ports.ts';
import { gitForge, type GitForge } from '../support/git-forge.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';
import { LfsForge } from '../support/lfs-server.ts';

const run = promisify(execFile);
const ACCOUNT = { username: 'oauth2', password: 'the-token-of-the-project' };
const BASIC = `Basic ${Buffer.from('oauth2:the-token-of-the-project').toString('base64')}`;
const BIG = randomBytes(300_000);
const MODEL = Buffer.from('a model');
const MAX = 1_000_000;

let folder: string;
let forge: GitForge;
let storage: HttpsFiles;
let lfs = new LfsForge();
let sha = '';
/** What each test changes is in the object that the forge asks. */
const current = {
  handles: (request) => lfs.handles(request),
  handle: (...args) => lfs.handle(...args),
} satisfies Pick<LfsForge, 'handles' | 'handle'>;

const git = async (...args: string[]): Promise<string> => {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
  return (await run('git', [...identity, '-C', join(folder, 'work'), ...args], { env })).stdout.trim();
};
async function commit(files: Record<string, string>): Promise<string> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'work', name), text);
  await git('add', '-A');
  await git('commit', '--quiet', '-m', 'files');
  await git('push', '--quiet', '--force', join(folder, 'app.git'), 'HEAD:refs/heads/main');
  return git('rev-parse', 'HEAD');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-lfs-'));
  await mkdir(join(folder, 'temp'));
  await mkdir(join(folder, 'work', 'sub'), { recursive: true });
  await run('git', ['init', '--quiet', '--bare', join(folder, 'app.git')]);
  await git('init', '--quiet', '--initial-branch=main');
  const [big, model] = [lfs.add(BIG).pointer, lfs.add(MODEL).pointer];
  sha = await commit({
    '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\nsub/tool filter=lfs\n',
    ...{ 'big.bin': big, 'again.bin': big, 'sub/tool': model },
    ...{ 'plain.bin': 'not a pointer', 'readme.txt': model },
  });
  await chmod(join(folder, 'work/sub/tool'), 0o755);
  sha = await commit({});
  storage = await httpsFiles(folder);
  forge = await gitForge(folder, ACCOUNT, current);
});
beforeEach(() => {
  lfs = new LfsForge();
  lfs.add(BIG);
  lfs.add(MODEL);
  lfs.account = BASIC;
});
afterAll(async () => {
  await forge.close();
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

const source = () =>
  gitSource({
    protocols: ['http', 'file'],
    temp: join(folder, 'temp'),
    authorities: new Map([[new URL(storage.url).origin, storage.caFile]]),
  });
const request = (more: Partial<SourceRequest> = {}): SourceRequest => ({
  ...{ url: `${forge.url}/app.git`, sha, ref: 'main', depth: 2, auth: ACCOUNT },
  lfs: { credentials: true, maxBytes: MAX },
  ...more,
});
/** The checkout as a job gets it. */
async function checkout(more: Partial<SourceRequest> = {}) {
  const { tar, done, lfs: pointers } = await source().fetch(request(more));
  const into = await mkdtemp(join(folder, 'out-'));
  const unpack = execFile('tar', ['-x', '-C', into]);
  if (!unpack.stdin) throw new Error('tar has no input');
  tar.pipe(unpack.stdin);
  const ended = new Promise((resolve) => unpack.once('close', resolve));
  await Promise.all([done, ended]);
  const read = async (name: string) => (await run('cat', [join(into, name)], { encoding: 'buffer' })).stdout;
  return { into, read, pointers };
}
const fails = async (more: Partial<SourceRequest> = {}): Promise<unknown> => {
  const error: unknown = await source()
    .fetch(request(more))
    .catch((cause: unknown) => cause);
  expect(await readdir(join(folder, 'temp'))).toEqual([]);
  return error;
};

test('pointers become their objects, and the checkout is clean', async () => {
  const { into, read, pointers } = await checkout();
  expect((await read('big.bin')).equals(BIG)).toBe(true);
  expect((await read('again.bin')).equals(BIG)).toBe(true);
  expect((await read('sub/tool')).equals(MODEL)).toBe(true);
  expect((await stat(join(into, 'sub/tool'))).mode & 0o111).not.toBe(0);
  expect((await stat(join(into, 'big.bin'))).mode & 0o111).toBe(0);
  expect((await read('plain.bin')).toString()).toBe('not a pointer');
  // No attribute gives it to LFS.
  expect((await read('readme.txt')).toString()).toContain('oid sha256:');
  expect((await run('git', ['-C', into, 'status', '--porcelain'])).stdout).toBe('');
  expect(pointers).toBeUndefined();
  expect(lfs.seen.filter(({ what }) => what === 'get')).toHaveLength(2);
});

test('pointers stay where nobody asks for objects, and where the address is not https', async () => {
  const { lfs: _lfs, ...without } = request();
  const { tar, lfs: pointers } = await source().fetch(without);
  tar.destroy();
  expect(pointers).toEqual(['again.bin', 'big.bin', 'sub/tool']);
  const local = await checkout({ url: `file://${join(folder, 'app.git')}` });
  expect(local.pointers).toEqual(['again.bin', 'big.bin', 'sub/tool']);
  expect(lfs.seen).toEqual([]);
});

test('the token goes to the forge alone, and what the forge gives for a download not to where that redirects', async () => {
  lfs.storage = storage.url;
  for (const [oid, content] of lfs.objects) storage.files.set(`/${oid}`, (reply) => void reply.end(content));
  const { read } = await checkout();
  expect((await read('big.bin')).equals(BIG)).toBe(true);
  expect(lfs.seen.map(({ authorization }) => authorization?.split(' ')[0])).toEqual([
    'Basic',
    'Bearer',
    'Bearer',
  ]);
  expect(storage.asked.length).toBe(2);
  for (const { headers } of storage.asked) expect(headers.authorization).toBeUndefined();
});

test('an address that is neither https nor the forge is not asked', async () => {
  lfs.storage = 'http://127.0.0.1:9/';
  expect(await fails()).toMatchObject({ code: 'git/lfs', message: expect.stringContaining('127.0.0.1:9') });
});

test('without credentials, what the forge gives to nobody stays unread', async () => {
  const lonely = { lfs: { credentials: false, maxBytes: MAX } };
  expect(await fails(lonely)).toMatchObject({
    code: 'git/denied',
    message: expect.stringMatching(/^Git LFS: /),
  });
  expect(lfs.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  lfs.account = undefined;
  expect(((await (await checkout(lonely)).read('big.bin')) as Buffer).equals(BIG)).toBe(true);
});

/** Part of the object is in the temporary folder. */
async function begun(oid: string): Promise<void> {
  const temp = join(folder, 'temp');
  await expect
    .poll(async () => {
      const sizes = (await readdir(temp)).map((root) => stat(join(temp, root, 'lfs', oid)));
      return (await Promise.allSettled(sizes)).some(
        (one) => one.status === 'fulfilled' && one.value.size > 0,
      );
    })
    .toBe(true);
}

test('a download that breaks off is continued, or begun again where the server cannot', async () => {
  const { oid } = lfs.add(BIG);
  lfs.arrived = begun;
  lfs.breaks.set(oid, 1);
  expect((await (await checkout()).read('big.bin')).equals(BIG)).toBe(true);
  const gets = () => lfs.seen.filter(({ what }) => what === 'get');
  expect(gets().filter(({ range }) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toHaveLength(1);
  expect(gets()).toHaveLength(3);
  lfs.ranges = false;
  lfs.breaks.set(oid, 2);
  expect((await (await checkout()).read('big.bin')).equals(BIG)).toBe(true);
});

test('a download that breaks off again and again is an unreachable forge', async () => {
  lfs.breaks.set(lfs.add(BIG).oid, 100);
  expect(await fails()).toMatchObject({ code: 'git/unreachable' });
});

test.each([
  ['another content', (oid: string) => lfs.wrong.set(oid, randomBytes(BIG.length)), 'another content'],
  ['more bytes', (oid: string) => lfs.wrong.set(oid, randomBytes(BIG.length + 1)), 'longer'],
  ['fewer bytes', (oid: string) => lfs.wrong.set(oid, BIG.subarray(1)), 'another content'],
  ['nothing', (oid: string) => lfs.objects.delete(oid), '404 Object does not exist'],
])('%s in place of an object fails the source', async (_, change, words) => {
  change(lfs.add(BIG).oid);
  expect(await fails()).toMatchObject({ code: 'git/lfs', message: expect.stringContaining(words) });
});

test('more bytes than the limit are not begun: an object counts for each of its files', async () => {
  expect(await fails({ lfs: { credentials: true, maxBytes: 2 * BIG.length } })).toMatchObject({
    code: 'git/lfs',
    message: expect.stringContaining('limits.lfs_bytes'),
  });
  expect(lfs.seen).toEqual([]);
});

test('.lfsconfig leads to the own host alone', async () => {
  const elsewhere = await commit({ '.lfsconfig': `[lfs]\n\turl = ${storage.url}app.git/info/lfs\n` });
  const before = storage.asked.length;
  expect(await fails({ sha: elsewhere })).toMatchObject({
    code: 'git/lfs',
    message: expect.stringContaining('.lfsconfig'),
  });
  expect([lfs.seen, storage.asked.length]).toEqual([[], before]);
  // The forge's own interfaces take the same token: a request for them is not the commit's to make.
  const others = [
    '/api/v1/repos/a/b/forks?of=other.git/info/lfs',
    '/api/v1/repos/a/b/forks#other.git/info/lfs',
    '/api/v1/user/repos',
    '/api/v1%2Frepos/other.git/info/lfs',
    '/other.git/info/lfs?x',
  ];
  for (const path of others) {
    const other = await commit({ '.lfsconfig': `[lfs]\n\turl = "${forge.url}${path}"\n` });
    expect(await fails({ sha: other }), path).toMatchObject({ code: 'git/lfs' });
  }
  expect(lfs.seen).toEqual([]);
  const here = await commit({ '.lfsconfig': `[lfs]\n\turl = ${forge.url}/other.git/info/lfs\n` });
  expect((await (await checkout({ sha: here })).read('big.bin')).equals(BIG)).toBe(true);
});

test('objects of a submodule on the own host come with it', async () => {
  const root = join(folder, 'work');
  await git('push', '--quiet', join(folder, 'app.git'), `${sha}:refs/heads/library`);
  const modules = `[submodule "lib"]\n\tpath = lib\n\turl = ../app.git\n`;
  await writeFile(join(root, '.gitmodules'), modules);
  await git('add', '-A');
  await git('update-index', '--add', '--cacheinfo', `160000,${sha},lib`);
  await git('commit', '--quiet', '-m', 'a submodule');
  await git('push', '--quiet', '--force', join(folder, 'app.git'), 'HEAD:refs/heads/main');
  const submodules = { recursive: false, paths: [], depth: 0, credentials: true, allowHosts: [] };
  const { read, pointers } = await checkout({ sha: await git('rev-parse', 'HEAD'), submodules });
  expect((await read('lib/big.bin')).equals(BIG)).toBe(true);
  expect(pointers).toBeUndefined();
});
