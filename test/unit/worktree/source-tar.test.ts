import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProject, headFacts, slugOf } from '../../../src/worktree/project.ts';
import { sourceTar } from '../../../src/worktree/source-tar.ts';

let folder = '';
const at = (...parts: string[]): string => join(folder, ...parts);
const git = (cwd: string, ...args: string[]): string =>
  execFileSync(
    'git',
    ['-c', 'user.name=T', '-c', 'user.email=t@example.com', '-c', 'commit.gpgSign=false', ...args],
    {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  ).trim();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A repository with more commits than are sent, and one of each kind of entry in its working tree. */
function repository(): string {
  const repo = at('Shop');
  mkdirSync(join(repo, 'src'), { recursive: true });
  git(folder, 'init', '-q', '--initial-branch=main', repo);
  writeFileSync(join(repo, '.gitlab-ci.yml'), 'job:\n  script: [make]\n');
  writeFileSync(join(repo, '.gitignore'), 'secret.env\nnode_modules/\n');
  writeFileSync(join(repo, 'gone.txt'), 'gone');
  writeFileSync(join(repo, 'changed.txt'), 'old');
  git(repo, 'add', '.');
  for (let count = 0; count < 25; count += 1)
    git(repo, 'commit', '-q', '--allow-empty', '-m', `commit ${count}`);
  writeFileSync(join(repo, 'changed.txt'), 'new');
  writeFileSync(join(repo, 'secret.env'), 'KEY=1');
  writeFileSync(join(repo, 'src', 'né w.sh'), '#!/bin/sh\n');
  writeFileSync(join(repo, 'empty'), '');
  chmodSync(join(repo, 'src', 'né w.sh'), 0o700);
  symlinkSync('/etc/passwd', join(repo, 'link'));
  rmSync(join(repo, 'gone.txt'));
  return repo;
}

interface Unpacked {
  headers: Map<string, Header>;
  text: Map<string, string>;
}
async function unpack(tar: NodeJS.ReadableStream, to?: string): Promise<Unpacked> {
  const seen: Unpacked = { headers: new Map(), text: new Map() };
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => {
      if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
    });
    stream.on('end', () => {
      seen.headers.set(header.name, header);
      const bytes = Buffer.concat(chunks);
      if (header.type === 'file') seen.text.set(header.name, bytes.toString());
      if (to && header.type === 'directory') mkdirSync(join(to, header.name), { recursive: true });
      if (to && header.type === 'file') writeFileSync(join(to, header.name), bytes, { mode: header.mode });
      next();
    });
  });
  await pipeline(tar, reader);
  return seen;
}

describe('the working tree as a tar', () => {
  test('contains uncommitted files, not ignored or deleted ones; links stay links, modes are open', async () => {
    const made = await sourceTar(await findProject(repository()));
    const { headers, text } = await unpack(made.tar);
    await made.done;
    expect(text.get('changed.txt')).toBe('new');
    expect(text.get('src/né w.sh')).toBe('#!/bin/sh\n');
    expect(text.get('empty')).toBe('');
    expect([...headers.keys()]).not.toContain('secret.env');
    expect([...headers.keys()]).not.toContain('gone.txt');
    expect(headers.get('link')).toMatchObject({ type: 'symlink', linkname: '/etc/passwd' });
    expect(headers.get('src/né w.sh')?.mode).toBe(0o777);
    expect(headers.get('changed.txt')).toMatchObject({ mode: 0o666, uid: 0, gid: 0 });
    expect(headers.get('src/')?.mode).toBe(0o777);
  });

  test('has a git of twenty commits on its branch, whose status is the uncommitted change', async () => {
    const repo = repository();
    const made = await sourceTar(await findProject(join(repo, 'src')));
    mkdirSync(at('out'));
    await unpack(made.tar, at('out'));
    await made.done;
    expect(made.facts).toMatchObject({
      ref: 'main',
      refKind: 'branch',
      title: 'commit 24',
      sha: git(repo, 'rev-parse', 'HEAD'),
    });
    expect(git(at('out'), 'rev-list', '--count', 'HEAD')).toBe('20');
    expect(git(at('out'), 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('main');
    const status = git(at('out'), '-c', 'core.fileMode=false', 'status', '--porcelain')
      .split('\n')
      .map((line) => line.trim());
    expect(status).toContain('M changed.txt');
    expect(status).toContain('D gone.txt');
    expect(status).toContain('?? empty');
    expect(status).not.toContain('M .gitignore');
  });

  test('of a named commit contains that commit, and nothing of the working tree', async () => {
    const repo = repository();
    const made = await sourceTar(await findProject(repo), 'HEAD~3');
    const { text } = await unpack(made.tar);
    await made.done;
    expect(made.facts.title).toBe('commit 21');
    expect(text.get('changed.txt')).toBe('old');
    expect(text.get('gone.txt')).toBe('gone');
    expect(text.has('empty')).toBe(false);
  });

  test('of a named branch or tag has the ref of that name', async () => {
    const repo = repository();
    git(repo, 'branch', 'release', 'HEAD~3');
    git(repo, 'tag', 'v1', 'HEAD~3');
    const project = await findProject(repo);
    expect(await headFacts(project, 'release')).toMatchObject({ ref: 'release', refKind: 'branch' });
    expect(await headFacts(project, 'v1')).toMatchObject({ ref: 'v1', refKind: 'tag' });
    const made = await sourceTar(project, 'release');
    mkdirSync(at('out'));
    await unpack(made.tar, at('out'));
    await made.done;
    expect(git(at('out'), 'rev-parse', 'release')).toBe(made.facts.sha);
  });

  test('has the tags of its commits, so that git describe works', async () => {
    const repo = repository();
    git(repo, 'tag', 'old', 'HEAD~22');
    git(repo, 'tag', '-a', 'v1', '-m', 'first', 'HEAD~2');
    const made = await sourceTar(await findProject(repo));
    mkdirSync(at('out'));
    await unpack(made.tar, at('out'));
    await made.done;
    expect(git(at('out'), 'tag')).toBe('v1');
    expect(git(at('out'), 'describe')).toMatch(/^v1-2-g/);
    expect(git(at('out'), 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main\nrefs/tags/v1');
  });

  test('a repository that git refuses is refused, in the words of git', async (context) => {
    context.skip(process.getuid?.() !== 0, 'only root can give a folder to another user');
    const repo = repository();
    chownSync(repo, 1234, 1234);
    await expect(findProject(repo)).rejects.toMatchObject({
      code: 'cli/no-git',
      message: expect.stringContaining('dubious ownership'),
      hint: expect.stringContaining('git config --global --add safe.directory'),
    });
  });

  test('of a folder in a repository contains only that folder, with one commit', async () => {
    const repo = repository();
    mkdirSync(join(repo, 'part'));
    writeFileSync(join(repo, 'part', '.davit.yml'), 'job:\n  script: [make]\n');
    const project = await findProject(join(repo, 'part'));
    expect(project).toMatchObject({ slug: 'part', history: false });
    const made = await sourceTar(project);
    mkdirSync(at('out'));
    const { text } = await unpack(made.tar, at('out'));
    await made.done;
    expect([...text.keys()].filter((name) => !name.startsWith('.git/'))).toEqual(['.davit.yml']);
    expect(git(at('out'), 'rev-parse', 'HEAD')).toBe(made.facts.sha);
    expect(git(at('out'), '-c', 'core.fileMode=false', 'status', '--porcelain')).toBe('');
  });

  test('of a folder without git has a git of one commit', async () => {
    mkdirSync(at('plain', 'sub'), { recursive: true });
    writeFileSync(at('plain', 'sub', 'a'), 'a');
    const made = await sourceTar(await findProject(at('plain')));
    const { text } = await unpack(made.tar);
    await made.done;
    expect(text.get('sub/a')).toBe('a');
    expect(made.facts.sha).toMatch(/^[0-9a-f]{40}$/);
    expect(made.facts.sha).not.toBe('0'.repeat(40));
  });

  test('leaves submodules out and names them', async () => {
    const repo = repository();
    git(folder, 'init', '-q', '--initial-branch=main', at('inner'));
    git(at('inner'), 'commit', '-q', '--allow-empty', '-m', 'inner');
    git(repo, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('inner'), 'vendor/inner');
    const made = await sourceTar(await findProject(repo));
    const { headers } = await unpack(made.tar);
    await made.done;
    expect(made.submodules).toEqual(['vendor/inner']);
    expect([...headers.keys()].filter((name) => name.startsWith('vendor'))).toEqual([]);
  });

  test('a missing commit is a coded error', async () => {
    const project = await findProject(repository());
    await expect(sourceTar(project, 'deadbeef')).rejects.toMatchObject({
      code: 'git/no-commit',
      exit: 2, // wrong input
    });
    await expect(sourceTar(project, '--output=/tmp/x')).rejects.toMatchObject({ code: 'git/no-commit' });
  });
});

test('a project is named after its origin, otherwise after its folder', () => {
  expect(slugOf('git@example.com:group/My_Shop.git', '/x')).toBe('my_shop');
  expect(slugOf('https://example.com/group/shop/', '/x')).toBe('shop');
  expect(slugOf(undefined, '/home/a/Mein Laden')).toBe('mein-laden');
  expect(slugOf(undefined, '/home/a/...')).toBe('project');
});
