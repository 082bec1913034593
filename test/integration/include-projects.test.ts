/** `include` of other projects and components, over the real git: refs, versions, and who may read what. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storedCopies } from '../../src/adapters/includes/copies.ts';
import { readingSecrets } from '../../src/adapters/secrets/index.ts';
import { includeKey, type IncludeAnswer, type IncludeWant } from '../../src/plan/model/includes.ts';
import { wireIncludes } from '../../src/wiring.ts';
import { gitForge } from '../support/git-forge.ts';
import { memoryBlobs, memoryRecords, testFacts } from '../unit/activities/fakes.ts';

const run = promisify(execFile);
let folder: string;
const shas: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-includes-'));
  const work = join(folder, 'ci');
  await mkdir(join(work, 'templates'), { recursive: true });
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', ['-c', 'user.name=A', '-c', 'user.email=a@e.test', '-C', work, ...args])).stdout.trim();
  await git('init', '--quiet', '--initial-branch=main');
  for (const tag of ['1.2.0', '1.10.0', '2.0.0-rc.1', 'main-only']) {
    await writeFile(join(work, 'templates/build.yml'), `v: ${tag}\n`);
    await git('add', '.');
    await git('commit', '--quiet', '-m', tag);
    if (tag !== 'main-only') await git('tag', '-a', tag, '-m', tag);
    shas[tag] = await git('rev-parse', 'HEAD');
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function asking(more: Record<string, unknown> = {}, fork = false) {
  const facts = testFacts({
    projects: [
      { name: 'table' },
      { name: 'ci', repository: 'team/ci', clone_url: `file://${folder}/ci`, ...more },
    ],
  });
  const copies = storedCopies(memoryBlobs(), memoryRecords());
  const session = wireIncludes(facts, { secrets: readingSecrets(() => 'x'), copies }).open({
    project: 'table',
    fork,
  });
  return async (want: IncludeWant): Promise<IncludeAnswer | undefined> =>
    (await session.answer([want]))[includeKey(want)];
}
const repository = { path: 'Team/CI' };

test('refs and versions: default branch, tag, branch, sha, partial and latest without pre-releases', async () => {
  const ask = asking();
  expect(await ask({ kind: 'ref', repository })).toEqual({ sha: shas['main-only'] });
  expect(await ask({ kind: 'ref', repository, ref: '1.2.0' })).toEqual({ sha: shas['1.2.0'] });
  expect(await ask({ kind: 'ref', repository, ref: 'gone' })).toMatchObject({
    refused: { code: 'include/refused' },
  });
  const version = (text: string) => ask({ kind: 'version', repository, version: text });
  expect(await version('1')).toEqual({ sha: shas['1.10.0'], version: '1.10.0' });
  expect(await version('1.2')).toEqual({ sha: shas['1.2.0'], version: '1.2.0' });
  expect(await version('~latest')).toEqual({ sha: shas['1.10.0'], version: '1.10.0' });
  expect(await version('main')).toEqual({ sha: shas['main-only'] });
});

test('a renamed repository is refused at once, with the setting to change', async () => {
  const forge = await gitForge(folder, { username: 'oauth2', password: 'x' });
  const moved = { clone_url: `${forge.url}/old/ci`, clone_token: 'env:INCLUDES_TOKEN' };
  expect(await asking(moved)({ kind: 'ref', repository })).toMatchObject({
    refused: { code: 'include/refused', hint: expect.stringContaining('clone_url') },
  });
  await forge.close();
});

test('files of a commit; a folder is not a file', async () => {
  const ask = asking();
  const sha = shas['1.2.0'] ?? '';
  expect(await ask({ kind: 'file', repository, sha, path: 'templates/build.yml' })).toEqual({
    text: 'v: 1.2.0\n',
  });
  expect(await ask({ kind: 'file', repository, sha, path: 'templates' })).toEqual({ text: null });
  expect(await ask({ kind: 'list', repository, sha })).toEqual({ files: ['templates/build.yml'] });
});

test('a fork, or a project without permission, reads nothing; a fork may read public files', async () => {
  const want: IncludeWant = { kind: 'ref', repository };
  expect(await asking({}, true)(want)).toMatchObject({ refused: { message: /fork may not include/ } });
  expect(await asking({ include_by: ['kiosk'] })(want)).toMatchObject({
    refused: { message: /does not let table/ },
  });
  expect(await asking({ include_by_forks: true }, true)(want)).toEqual({ sha: shas['main-only'] });
  expect(await asking()({ kind: 'ref', repository: { path: 'team/unknown' } })).toMatchObject({
    refused: { message: /There is no project team\/unknown in the installation/ },
  });
});
