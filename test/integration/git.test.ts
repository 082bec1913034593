import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRef, checkUrl } from '../../src/adapters/git/validate.ts';
import { gitSource } from '../../src/adapters/git/index.ts';

const run = promisify(execFile);
let folder: string;
let proposed: string;
let temp: string;
let url: string;
const shas: string[] = [];

const git = async (...args: string[]): Promise<string> => {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
  const { stdout } = await run('git', [...identity, '-C', join(folder, 'work'), ...args], { env });
  return stdout.trim();
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-git-'));
  temp = join(folder, 'temp');
  await mkdir(temp);
  await mkdir(join(folder, 'work'));
  await git('init', '--quiet', '--initial-branch=main');
  for (const text of ['one', 'two', 'three']) {
    await writeFile(join(folder, 'work', '.davit.yml'), text);
    await git('add', '.');
    await git('commit', '--quiet', '-m', `Say ${text}`);
    shas.push(await git('rev-parse', 'HEAD'));
  }
  await git('tag', '-a', 'v1', '-m', 'first');
  await writeFile(join(folder, 'work', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  await git('add', '.');
  await git('commit', '--quiet', '-m', 'A script');
  shas.push(await git('rev-parse', 'HEAD'));
  await run('git', ['clone', '--quiet', '--bare', join(folder, 'work'), join(folder, 'bare.git')]);
  // Like at a forge: a merge request's commit is on no branch.
  await git('checkout', '--quiet', '-b', 'from-a-fork');
  await git('commit', '--quiet', '--allow-empty', '-m', 'Proposed');
  await git('push', '--quiet', join(folder, 'bare.git'), 'HEAD:refs/merge-requests/1/head');
  proposed = await git('rev-parse', 'HEAD');
  url = `file://${join(folder, 'bare.git')}`;
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const source = () => gitSource({ protocols: ['file', 'http'], temp });
const request = (more: object = {}) => ({ url, sha: shas.at(-1) ?? '', ref: 'main', depth: 2, ...more });

async function files(stream: NodeJS.ReadableStream): Promise<Map<string, { text: string; mode: number }>> {
  const found = new Map<string, { text: string; mode: number }>();
  const reader = extract();
  stream.pipe(reader);
  for await (const entry of reader)
    found.set(entry.header.name, {
      text: (await buffer(entry)).toString('latin1'),
      mode: entry.header.mode ?? 0,
    });
  return found;
}

test('a commit has a real .git with the requested depth, open modes, and its author', async () => {
  const fetched = await source().fetch(request());
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  expect(tar.get('.davit.yml')).toEqual({ text: 'three', mode: 0o666 });
  expect(tar.get('run.sh')?.mode).toBe(0o777);
  expect(tar.get('.git/HEAD')?.text.trim()).toBe(shas.at(-1));
  expect(tar.get('.git/shallow')?.text.trim()).toBe(shas.at(-2));
  expect([...tar.keys()].some((name) => name.startsWith('.git/hooks'))).toBe(false);
  expect(fetched.commit).toMatchObject({ author: 'Ada <ada@example.test>', message: 'A script' });
  expect(Date.parse(fetched.commit?.timestamp ?? '')).toBeGreaterThan(0);
  expect(await readdir(temp)).toEqual([]);
});

test('an older commit, and the head of a branch and of an annotated tag', async () => {
  const fetched = await source().fetch(request({ sha: shas[0] }));
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  expect(tar.get('.davit.yml')?.text).toBe('one');
  expect(await source().head(url, 'main')).toBe(shas[3]);
  expect(await source().head(url, 'v1')).toBe(shas[2]);
  expect(await source().head(url, 'gone')).toBeUndefined();
});

test("a merge request's ref is complete, and its commit is fetched although no branch contains it", async () => {
  const ref = 'refs/merge-requests/1/head';
  expect(await source().head(url, ref)).toBe(proposed);
  const fetched = await source().fetch(request({ ref, sha: proposed }));
  await Promise.all([files(fetched.tar), fetched.done]);
  expect(fetched.commit?.message).toBe('Proposed');
});

test('a missing commit or repository gives a coded error, and nothing is left', async () => {
  await expect(source().fetch(request({ sha: 'f'.repeat(40) }))).rejects.toMatchObject({
    code: 'git/no-commit',
  });
  await expect(source().fetch(request({ url: `file://${folder}/none.git` }))).rejects.toMatchObject({
    code: 'git/denied',
  });
  await expect(source().fetch(request({ url: 'http://127.0.0.1:1/x.git' }))).rejects.toMatchObject({
    code: 'git/unreachable',
  });
  expect(await readdir(temp)).toEqual([]);
});

test('a reader that stops early leaves nothing behind', async () => {
  const fetched = await source().fetch(request());
  fetched.tar.destroy();
  await fetched.done.catch(() => undefined);
  await expect.poll(() => readdir(temp)).toEqual([]);
  const stop = AbortSignal.abort(new Error('enough'));
  await expect(source().fetch(request({ signal: stop }))).rejects.toThrow('enough');
});

test.each([
  { ref: '--upload-pack=touch /tmp/davit-pwn' },
  { ref: '-oProxyCommand=touch' },
  { ref: 'main\n--exec' },
  { ref: 'a..b' },
  { ref: 'x.lock' },
  { sha: '--help' },
  { sha: 'abc' },
  { sha: 'HEAD' },
  { url: 'ext::sh -c touch% /tmp/davit-pwn' },
  { url: 'ext::sh' },
  { url: '--upload-pack=x' },
  { url: 'https://user:password@example.test/x.git' },
  { url: 'https://example.test/x%0aHost:evil.git' },
  { url: 'https://example.test/\nhost=evil' },
  { url: 'ssh://-oProxyCommand=touch/x' },
  { url: 'ssh://-oProxyCommand=x@example.test/x' },
  { url: '-oProxyCommand=x@example.test:x' },
  { url: 'git@-oProxyCommand=x:y' },
  { url: 'fd::17' },
  { url: '/etc' },
])('refused before git is called: %j', async (hostile) => {
  const strict = gitSource({ temp, path: '/nowhere' });
  await expect(
    strict.fetch(request({ url: 'https://example.test/x.git', ...hostile })),
  ).rejects.toMatchObject({ code: 'git/bad-request' });
  await expect(access('/tmp/davit-pwn')).rejects.toThrow();
});

test('ordinary names and addresses are accepted', () => {
  for (const ref of [
    "fix/don't-crash",
    'a&b;c',
    'v2(final)',
    'emoji-🚀',
    '"quoted"',
    '$HOME`x`',
    'a<b>|c',
    '{x}',
    'a]',
    '@x',
  ])
    expect(checkRef(ref)).toBe(ref);
  for (const ref of ['main', 'feature/ünï-1', 'v1.2.3', 'release@2', 'a+b', 'dependabot/npm_and_yarn/x-1.0'])
    expect(checkRef(ref)).toBe(ref);
  const protocols = ['https', 'ssh'] as const;
  for (const address of [
    'https://gitlab.test:8443/group/x.git',
    'ssh://git@gitlab.test:2222/group/x.git',
    'git@gitlab.test:group/x.git',
  ])
    expect(checkUrl(address, protocols).url).toBe(address);
  expect(() => checkUrl('http://gitlab.test/x.git', protocols)).toThrow('http');
});

test('credentials are sent only to their own host, and are in no argument, environment or .git', async () => {
  const seen: { host: string; auth?: string }[] = [];
  const listen = async (name: string, answer: (to: () => string) => [number, Record<string, string>]) => {
    const server = createServer((incoming, response) => {
      seen.push({ host: name, auth: incoming.headers.authorization });
      const [status, headers] = answer(() => otherUrl);
      response.writeHead(status, headers).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  };
  let otherUrl = '';
  const other = await listen('other', () => [404, {}]);
  otherUrl = `http://127.0.0.1:${other.port}/x.git/info/refs?service=git-upload-pack`;
  const own = await listen('own', (to) => [302, { location: to() }]);
  try {
    const error = await source()
      .fetch(
        request({
          url: `http://127.0.0.1:${own.port}/x.git`,
          auth: { username: 'oauth2', password: 'canary' },
        }),
      )
      .then(undefined, (caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'git/moved' });
    expect(String(error)).toContain('redirects');
    expect(String(error)).not.toContain('canary');
    const basic = `Basic ${Buffer.from('oauth2:canary').toString('base64')}`;
    expect(seen).toContainEqual({ host: 'own', auth: basic });
    expect(seen.some((one) => one.host === 'other')).toBe(false);
  } finally {
    own.server.close();
    other.server.close();
  }
  expect(await readdir(temp)).toEqual([]);
});

test('hooks and filters of a hostile repository do not run, and links are not followed', async () => {
  const marker = join(folder, 'pwned');
  const work = join(folder, 'work');
  await mkdir(join(work, 'sub'), { recursive: true });
  await writeFile(join(work, '.gitattributes'), '* filter=evil\n');
  await writeFile(join(work, '.gitmodules'), '[submodule "x"]\n\tpath = sub\n\turl = ext::sh -c touch\n');
  await run('ln', ['-sfn', '/etc', join(work, 'etc')]);
  await git('add', '-A');
  await git('commit', '--quiet', '-m', 'hostile');
  await run('git', ['-C', work, 'push', '--quiet', join(folder, 'bare.git'), 'HEAD:hostile']);
  const hook = join(folder, 'bare.git', 'hooks', 'post-checkout');
  await mkdir(join(folder, 'bare.git', 'hooks'), { recursive: true });
  await writeFile(hook, `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
  const fetched = await source().fetch(request({ ref: 'hostile', sha: await git('rev-parse', 'HEAD') }));
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  expect([...tar.keys()].filter((name) => name.startsWith('etc'))).toEqual(['etc']);
  await expect(access(marker)).rejects.toThrow();
});

test('changes since a commit, since the merge base, and undefined for a missing ref', async () => {
  const since = [
    { name: '', commit: shas[2] ?? '', mergeBase: false },
    { name: 'older', commit: shas[0] ?? '', mergeBase: false },
    { name: 'v1', commit: 'v1', mergeBase: true },
    { name: 'gone', commit: 'gone', mergeBase: true },
    { name: 'lost', commit: 'f'.repeat(40), mergeBase: false },
  ];
  expect(await source().changed({ url, sha: shas[3] ?? '', ref: 'main', since })).toEqual({
    '': ['run.sh'],
    older: ['.davit.yml', 'run.sh'],
    v1: ['run.sh'],
  });
  expect(await readdir(temp)).toEqual([]);
});

test('the changes of a merge request start at the merge base', async () => {
  const since = [{ name: '', commit: 'main', mergeBase: true }];
  expect(await source().changed({ url, sha: proposed, ref: 'refs/merge-requests/1/head', since })).toEqual({
    '': [],
  });
});

test('tags of the fetched commits come along, older ones do not', async () => {
  const fetched = await source().fetch(request());
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  const refs = [...tar.keys()].filter((name) => name.startsWith('.git/refs/') && !name.endsWith('/'));
  expect(refs).toEqual(['.git/refs/tags/v1']);
  const only = await source().fetch(request({ depth: 1 }));
  const [shallow] = await Promise.all([files(only.tar), only.done]);
  expect(shallow.has('.git/refs/tags/v1')).toBe(false);
});

test('depth 0 is the whole history, with all branches and tags', async () => {
  const fetched = await source().fetch(request({ depth: 0 }));
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  expect(tar.has('.git/shallow')).toBe(false);
  const packed = [...tar.keys()].filter((name) => name.startsWith('.git/refs/tags/v1'));
  expect(packed).toEqual(['.git/refs/tags/v1']);
  expect(tar.has('.git/refs/remotes/origin/main')).toBe(true);
});

test('of a tag: the tag itself, and the message of its annotation', async () => {
  await git('push', '--quiet', join(folder, 'bare.git'), `${shas[0]}:refs/tags/light`);
  const told = async (ref: string, sha: string | undefined) => {
    const fetched = await source().fetch(request({ ref, sha, tag: true }));
    const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
    return [fetched.commit?.tagMessage, tar.has(`.git/refs/tags/${ref}`)];
  };
  expect(await told('v1', shas[2])).toEqual(['first', true]);
  expect(await told('light', shas[0])).toEqual([undefined, true]);
});

test('the last commit of a path, in the whole history and by globs; undefined for a path that never existed', async () => {
  const paths = ['run.sh', '**/*.yml', 'never'];
  const commits = await source().lastCommits({ url, sha: shas[3] ?? '', ref: 'main', paths });
  expect(commits).toEqual({
    'run.sh': shas[3],
    '**/*.yml': await git('log', '-1', '--format=%H', shas[3] ?? '', '--', '*.yml'),
  });
  expect(await source().lastCommits({ url, sha: shas[2] ?? '', ref: 'main', paths: ['run.sh'] })).not.toEqual(
    { 'run.sh': shas[3] },
  );
  expect(await readdir(temp)).toEqual([]);
});

test('an unreachable repository is an error', async () => {
  const since = [{ name: '', commit: 'main', mergeBase: true }];
  const away = `file://${join(folder, 'nowhere.git')}`;
  await expect(source().changed({ url: away, sha: proposed, ref: 'main', since })).rejects.toMatchObject({
    code: 'git/denied',
  });
});
