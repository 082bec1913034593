/** Names that git has and others do not expect: branches, files; long messages; files of LFS. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gitSource } from '../../src/adapters/git/index.ts';
import { isRef } from '../../src/adapters/git/validate.ts';

const run = promisify(execFile);
let folder: string;
let url: string;
const shas: string[] = [];

const git = async (...args: string[]): Promise<string> => {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
  return (await run('git', [...identity, '-C', join(folder, 'work'), ...args])).stdout.trim();
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-names-'));
  await mkdir(join(folder, 'temp'));
  await mkdir(join(folder, 'work'));
  await git('init', '--quiet', '--initial-branch=main');
  for (const name of ['one', 'two', 'run.sh']) {
    await writeFile(join(folder, 'work', name), name);
    await git('add', '.');
    await git('commit', '--quiet', '-m', name);
    shas.push(await git('rev-parse', 'HEAD'));
  }
  await run('git', ['clone', '--quiet', '--bare', join(folder, 'work'), join(folder, 'bare.git')]);
  url = `file://${join(folder, 'bare.git')}`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const source = () => gitSource({ protocols: ['file'], temp: join(folder, 'temp') });
const request = (more: object = {}) => ({ url, sha: shas.at(-1) ?? '', ref: 'main', depth: 2, ...more });

async function files(stream: NodeJS.ReadableStream): Promise<Map<string, { text: string }>> {
  const found = new Map<string, { text: string }>();
  const reader = extract();
  stream.pipe(reader);
  for await (const entry of reader)
    found.set(entry.header.name, { text: (await buffer(entry)).toString('latin1') });
  return found;
}

test('the names that git accepts are accepted, and no others', async () => {
  const signs = [
    'a',
    'B',
    '1',
    '.',
    '/',
    '-',
    '@',
    '{',
    '}',
    '~',
    '^',
    ':',
    '?',
    '*',
    '[',
    ']',
    '\\',
    ' ',
    '\t',
  ];
  const more = [
    "'",
    '"',
    '&',
    ';',
    '(',
    ')',
    '$',
    '`',
    '|',
    '<',
    '🚀',
    'é',
    '.lock',
    'HEAD',
    '\u007f',
    '\u0085',
    '!',
    '#',
  ];
  const name = fc.array(fc.constantFrom(...signs, ...more), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      name.map((parts) => parts.join('')),
      async (ref) => {
        const legal = await run('git', ['check-ref-format', `refs/heads/${ref}`]).then(
          () => true,
          () => false,
        );
        expect(isRef(ref), ref).toBe(legal && !ref.startsWith('-') && ref !== '@');
      },
    ),
    { numRuns: 400 },
  );
}, 60_000);

test('a branch of any legal name is fetched, found and compared', async () => {
  const work = join(folder, 'work');
  for (const ref of ["fix/don't-crash", 'a&b;c', 'v2(final)', 'emoji-🚀', '"q"{x}']) {
    await run('git', [
      '-C',
      work,
      'push',
      '--quiet',
      join(folder, 'bare.git'),
      `${shas[1]}:refs/heads/${ref}`,
    ]);
    expect(await source().head(url, ref)).toBe(shas[1]);
    const heads = await source().heads({ url });
    expect(heads).toContainEqual({ ref: `refs/heads/${ref}`, sha: shas[1], commit: shas[1] });
    const since = [{ name: '', commit: ref, mergeBase: true }];
    expect(await source().changed({ url, sha: shas[2] ?? '', ref: 'main', since })).toEqual({
      '': expect.arrayContaining(['run.sh']),
    });
    expect(await source().contains({ url, sha: shas[1] ?? '', ref, tag: false })).toBe(true);
    const fetched = await source().fetch(request({ ref, sha: shas[1] }));
    await Promise.all([files(fetched.tar), fetched.done]);
    await run('git', ['-C', work, 'push', '--quiet', join(folder, 'bare.git'), `:refs/heads/${ref}`]);
  }
});

test('a file whose name is not UTF-8, and a message of 200 KB', async () => {
  const work = join(folder, 'work');
  const name = Buffer.from('caf\xe9.txt', 'latin1');
  await writeFile(Buffer.concat([Buffer.from(`${work}/`), name]), 'latin');
  await git('add', '-A');
  await writeFile(join(folder, 'message'), `long\n\n${'word '.repeat(40_000)}`);
  await git('commit', '--quiet', '-F', join(folder, 'message'));
  await run('git', ['-C', work, 'push', '--quiet', join(folder, 'bare.git'), 'HEAD:refs/heads/odd']);
  const sha = await git('rev-parse', 'HEAD');
  const fetched = await source().fetch(request({ ref: 'odd', sha }));
  const [tar] = await Promise.all([files(fetched.tar), fetched.done]);
  expect(tar.get('caf\uFFFD.txt')?.text).toBe('latin');
  expect(fetched.commit?.message).toHaveLength(200_005);
  await git('reset', '--quiet', '--hard', 'HEAD~1');
});

test('files of Git LFS are named: the tar has their pointers', async () => {
  const work = join(folder, 'work');
  await mkdir(join(work, 'sub'), { recursive: true });
  await writeFile(join(work, '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n');
  await writeFile(join(work, 'sub', '.gitattributes'), 'model filter=lfs\n');
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 100\n`;
  for (const name of ['big.bin', 'sub/model', 'sub/plain']) await writeFile(join(work, name), pointer);
  await git('add', '-A');
  await git('commit', '--quiet', '-m', 'lfs');
  await run('git', ['-C', work, 'push', '--quiet', join(folder, 'bare.git'), 'HEAD:refs/heads/lfs']);
  const fetched = await source().fetch(request({ ref: 'lfs', sha: await git('rev-parse', 'HEAD') }));
  await Promise.all([files(fetched.tar), fetched.done]);
  expect(fetched.lfs).toEqual(['big.bin', 'sub/model']);
  await git('reset', '--quiet', '--hard', 'HEAD~1');
  const without = await source().fetch(request());
  await Promise.all([files(without.tar), without.done]);
  expect(without.lfs).toBeUndefined();
});
