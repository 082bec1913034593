/** A pipeline file that is a symbolic link: from the working tree, from a commit, and from the source that a server has. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findFile, sourceFiles } from '../../../activities/compile/pipeline-file.ts';
import { packFolder } from '../../../src/adapters/git/pack.ts';
import { findProject, type LocalProject } from '../../../src/worktree/project.ts';
import { fileOfCommit, textOf } from '../../../src/worktree/source-text.ts';

const FILE = '.gitlab-ci.yml';
let folder: string;
let root: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-C', root, ...args], {
    encoding: 'utf8',
  });
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'davit-test-links-')));
  root = join(folder, 'tree');
  mkdirSync(join(root, 'ci/deep'), { recursive: true });
  writeFileSync(join(folder, 'outside.yml'), 'outside: 1');
  writeFileSync(join(root, 'ci/deep/main.yml'), 'inside: 1');
  writeFileSync(join(root, 'zz.yml'), 'last: 1');
  symlinkSync('ci/deep', join(root, 'here'));
  git('init', '--quiet');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What each of the three reads, or the code and message of its refusal. */
async function readings(): Promise<unknown[]> {
  const project: LocalProject = await findProject(root, FILE);
  git('add', '-A');
  git('commit', '--quiet', '--allow-empty', '-m', 'x');
  const source = await buffer(packFolder(root).tar);
  const open = async (): Promise<Readable> => Readable.from([source]);
  const said = (work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: Error & { code: string }) => `${error.code}: ${error.message}`);
  return [
    await said(textOf(project, FILE)),
    await said(fileOfCommit(project, 'HEAD', FILE).then(({ text }) => text)),
    await said(findFile(open, [FILE]).then((found) => found?.text)),
    await said(
      sourceFiles(open)
        .read([FILE])
        .then((found) => found[FILE]),
    ),
  ];
}
const four = (text: string): string[] => [text, text, text, text];

test.each([
  ['ci/deep/main.yml', 'inside: 1'],
  ['./ci/../ci/deep/main.yml', 'inside: 1'],
  ['here/main.yml', 'inside: 1'],
  ['zz.yml', 'last: 1'],
])('a link to %s is followed', async (to, text) => {
  symlinkSync(to, join(root, FILE));
  expect(await readings()).toEqual(four(text));
});

test('a link to a link is followed, one in a linked folder too', async () => {
  symlinkSync('../zz.yml', join(root, 'ci/again.yml'));
  symlinkSync('ci/again.yml', join(root, FILE));
  expect(await readings()).toEqual(four('last: 1'));
});

test.each(['../outside.yml', 'ci/../../outside.yml'])('a link to %s is refused', async (to) => {
  symlinkSync(to, join(root, FILE));
  expect(await readings()).toEqual(
    four(`source/refused: ${FILE} is a link that leads out of the repository.`),
  );
});

test('an absolute link is refused, and so is one that leads to itself', async () => {
  symlinkSync(join(folder, 'outside.yml'), join(root, FILE));
  expect(await readings()).toEqual(
    four(`source/refused: ${FILE} is a link that leads out of the repository.`),
  );
  rmSync(join(root, FILE));
  symlinkSync(FILE, join(root, FILE));
  const [here, ...others] = await readings();
  expect(here).toBeNull();
  for (const other of others) expect(other).toBe(`source/refused: ${FILE} is a link that leads to itself.`);
});
