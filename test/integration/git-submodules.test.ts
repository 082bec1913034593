/** Submodules with the real git: pinned commits, nested ones, and what is refused. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gitSource } from '../../src/adapters/git/index.ts';
import type { SubmoduleRequest } from '../../src/adapters/ports.ts';

const run = promisify(execFile);
let folder: string;
let temp: string;
const heads: Record<string, string> = {};

const git = async (repo: string, ...args: string[]): Promise<string> => {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const settings = [
    '-c',
    'user.name=Ada',
    '-c',
    'user.email=ada@example.test',
    '-c',
    'protocol.file.allow=always',
  ];
  const { stdout } = await run('git', [...settings, '-C', join(folder, repo), ...args], { env });
  return stdout.trim();
};
/** A commit of a repository, which is created if it does not exist. */
async function commit(
  repo: string,
  files: Record<string, string>,
  modules: Record<string, [string, string]> = {},
) {
  if (heads[repo] === undefined) {
    await mkdir(join(folder, repo));
    await git(repo, 'init', '--quiet', '--initial-branch=main');
    await git(repo, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, repo, name)), { recursive: true });
    await writeFile(join(folder, repo, name), content);
  }
  const lines = Object.entries(modules).map(
    ([path, [url]]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`,
  );
  if (lines.length > 0) await writeFile(join(folder, repo, '.gitmodules'), lines.join(''));
  await git(repo, 'add', '.');
  for (const [path, [, sha]] of Object.entries(modules))
    await git(repo, 'update-index', '--add', '--cacheinfo', `160000,${sha},${path}`);
  await git(repo, 'commit', '--quiet', '-m', 'A commit');
  heads[repo] = await git(repo, 'rev-parse', 'HEAD');
  return heads[repo];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-submodules-'));
  temp = join(folder, 'temp');
  await mkdir(temp);
  const deep = await commit('deep', { d: 'deep' });
  const pinned = await commit('lib', { l: 'pinned' }, { 'in/deep': ['../deep', deep] });
  await commit('lib', { l: 'newer' });
  await commit('app', { a: 'app' }, { 'vendor/lib': ['../lib', pinned], docs: ['../deep', deep] });
  await commit('outside', { a: 'x' }, { x: ['file:///etc', deep] });
  await commit('private', { a: 'x' }, { x: ['https://127.0.0.1:1/x.git', deep] });
  await commit('lost', { a: 'x' }, { x: ['../deep', 'f'.repeat(40)] });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fetched(repo: string, more: Partial<SubmoduleRequest> = {}): Promise<Record<string, string>> {
  const submodules = { recursive: true, paths: [], depth: 1, credentials: true, allowHosts: [], ...more };
  const url = `file://${join(folder, repo)}`;
  const source = gitSource({ protocols: ['file', 'https'], temp });
  const answer = await source.fetch({ url, sha: heads[repo] ?? '', ref: 'main', depth: 1, submodules });
  const found: Record<string, string> = {};
  const reader = extract();
  answer.tar.pipe(reader);
  for await (const entry of reader) {
    const content = await text(entry);
    if (!/(^|\/)\.git\//.test(entry.header.name) && entry.header.type === 'file')
      found[entry.header.name] = content;
    if (entry.header.name.endsWith('.git/HEAD')) found[entry.header.name] = content.trim();
  }
  await answer.done;
  delete found['.gitmodules'];
  return found;
}

test('each is checked out at the commit that its parent pins, with a .git of its own, also nested ones', async () => {
  const found = await fetched('app');
  expect(found).toMatchObject({
    a: 'app',
    'vendor/lib/l': 'pinned',
    'vendor/lib/in/deep/d': 'deep',
    'docs/d': 'deep',
    'docs/.git/HEAD': heads.deep,
  });
  expect(await readdir(temp)).toEqual([]);
});
test('normal takes the first level, and the paths select', async () => {
  const normal = await fetched('app', { recursive: false });
  expect([normal['vendor/lib/l'], normal['vendor/lib/in/deep/d']]).toEqual(['pinned', undefined]);
  const some = await fetched('app', { paths: [':(exclude)vendor/lib'] });
  expect([some['vendor/lib/l'], some['docs/d']]).toEqual([undefined, 'deep']);
});
test('submodules outside the folder, at a private address or missing are refused by name, and nothing is left', async () => {
  await expect(fetched('outside')).rejects.toMatchObject({
    message: expect.stringContaining('Submodule x: It is outside the folder'),
  });
  await expect(fetched('private')).rejects.toMatchObject({
    code: 'git/bad-request',
    message: expect.stringContaining('is not a public address'),
  });
  // If allowed, it is asked: nothing listens there.
  await expect(fetched('private', { allowHosts: ['127.0.0.1:1'] })).rejects.toMatchObject({
    code: 'git/unreachable',
  });
  await expect(fetched('lost')).rejects.toMatchObject({ message: expect.stringContaining('Submodule x') });
  expect(await readdir(temp)).toEqual([]);
});
