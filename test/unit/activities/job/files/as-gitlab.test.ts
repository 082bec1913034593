/** What artifacts and caches select, compared with GitLab's rules over generated trees. */
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { text as textOf } from 'node:stream/consumers';
import fc from 'fast-check';
import { pack, type Header } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { collectArtifacts } from '../../../../../activities/job/files/artifacts.ts';
import { eachEntry } from '../../../../../activities/runtime/tar.ts';
import { FileTree, folder, treeEngine, type Node } from '../../../../support/file-tree.ts';
import { gitlabFiles, type Wanted } from '../../../../support/gitlab-archiver.ts';
import { MemoryBlobs } from '../../../../support/job-stores.ts';
import { PROJECT, treeCase } from '../../../../support/tree-cases.ts';

type Entry = { header: Header; text: string };

async function collected(tree: FileTree, { paths, exclude, tracked }: Wanted) {
  const blobs = new MemoryBlobs();
  const source = pack();
  for (const name of tracked ?? []) source.entry({ name }, '');
  source.finalize();
  const { digest } = await blobs.putStream(Readable.from(source, { objectMode: false }));
  const { artifact, warnings } = await collectArtifacts({
    engine: treeEngine(tree),
    blobs,
    container: 'c',
    projectDir: PROJECT,
    source: digest,
    maxBytes: 1e9,
    limits: { entries: 100_000, ratio: 1e9 },
    now: () => 0,
    spec: { paths: [...paths], exclude: [...exclude], untracked: tracked !== undefined, when: 'always' },
  });
  const entries: Entry[] = [];
  if (artifact)
    await eachEntry(
      (await blobs.getStream(artifact.digest)).pipe(createGunzip()),
      async (header, content) => {
        entries.push({ header, text: header.type === 'file' ? await textOf(Readable.from(content)) : '' });
      },
    );
  return { entries, warnings };
}

/** As the next job finds it: the outside is not there. */
function unpacked(entries: readonly Entry[]): FileTree {
  const tree = new FileTree();
  tree.put(PROJECT, folder());
  for (const { header, text } of entries) {
    const path = `${PROJECT}/${header.name}`;
    const { mode, uid } = header;
    if (header.type === 'directory') tree.put(path, folder(mode, uid));
    else if (header.type === 'symlink') tree.put(path, { kind: 'link', to: header.linkname ?? '' });
    else tree.put(path, { kind: 'file', text, mode, uid });
  }
  return tree;
}

/** Something behind the link is selected, under its own name or that of another link. */
function leadsTo(tree: FileTree, link: Node, selected: ReadonlySet<string>): boolean {
  const above = [...selected].flatMap((path) =>
    path.split('/').map((_, at, names) => names.slice(0, at).join('/')),
  );
  return above.some((path) => path !== '' && tree.lstat(`${PROJECT}/${path}`) === link);
}

/** Every selected path is found under its name, as it was. */
function expectFound(tree: FileTree, selected: ReadonlySet<string>, next: FileTree): void {
  for (const path of selected) {
    const before = tree.lstat(`${PROJECT}/${path}`);
    const after = next.lstat(`${PROJECT}/${path}`);
    if (before?.kind === 'link' && after?.kind === 'folder')
      expect(leadsTo(tree, before, selected), `${path} became a folder`).toBe(true);
    else if (before?.kind === 'folder') {
      expect(next.stat(`${PROJECT}/${path}`)?.kind, path).toBe('folder');
      if (after?.kind === 'folder')
        expect([after.mode, after.uid], path).toEqual([before.mode & 0o777, before.uid]);
    } else if (before?.kind === 'file') {
      const { text, mode, uid } = before;
      expect(next.stat(`${PROJECT}/${path}`), path).toEqual({ kind: 'file', text, mode: mode & 0o777, uid });
    } else expect(after, path).toEqual(before);
  }
}

/** Nothing else is in the archive: each file and link of it is selected, under this or another name. */
function expectNothingElse(tree: FileTree, selected: ReadonlySet<string>, entries: readonly Entry[]): void {
  const nodes = new Set([...selected].map((path) => tree.lstat(`${PROJECT}/${path}`)));
  const texts = new Set([...nodes].map((node) => (node?.kind === 'file' ? node.text : '')));
  const targets = new Set([...nodes].map((node) => (node?.kind === 'link' ? node.to : '')));
  for (const { header, text } of entries) {
    if (header.type === 'file') expect(texts, header.name).toContain(text);
    else if (header.type === 'symlink') expect(targets, header.name).toContain(header.linkname);
    else expect(header.type).toBe('directory');
  }
}

test('davit selects what GitLab selects', async () => {
  let several = 0;
  await fc.assert(
    fc.asyncProperty(treeCase, async ({ tree, wanted }) => {
      const selected = gitlabFiles(tree, PROJECT, wanted);
      const { entries } = await collected(tree, wanted);
      if (selected.size > 1) several += 1;
      expectFound(tree, selected, unpacked(entries));
      expectNothingElse(tree, selected, entries);
    }),
    { numRuns: 3_000 },
  );
  expect(several).toBeGreaterThan(500);
}, 240_000);

describe('behind links', () => {
  const tree = (links: Record<string, string>): FileTree => {
    const made = new FileTree();
    for (const path of ['real/a.txt', 'real/sub/b.txt', 'c.txt'])
      made.put(posix.join(PROJECT, path), { kind: 'file', text: path, mode: 0o640, uid: 7 });
    for (const [path, to] of Object.entries(links)) made.put(posix.join(PROJECT, path), { kind: 'link', to });
    return made;
  };
  const names = async (links: Record<string, string>, ...paths: string[]): Promise<string[]> => {
    const { entries } = await collected(tree(links), { paths, exclude: [] });
    return entries.map(({ header }) =>
      header.type === 'symlink' ? `${header.name} -> ${header.linkname}` : header.name,
    );
  };
  test('a link that is named stays a link, and what is behind it is asked for by more names', async () => {
    expect(await names({ l: 'real' }, 'l')).toEqual(['l -> real']);
    expect(await names({ l: 'real' }, 'l/*.txt')).toEqual(['l/', 'l/a.txt']);
    expect(await names({ l: 'real' }, 'l/**')).toEqual([
      'l -> real',
      'real/',
      'real/a.txt',
      'real/sub/',
      'real/sub/b.txt',
    ]);
    expect(await names({ l: 'real' }, '.')).toEqual(expect.arrayContaining(['l -> real', 'real/a.txt']));
  });
  test('a link back is selected where `**` stands for no name', async () => {
    for (const pattern of ['*/**', '*/**/**', '*/**/**/**'])
      expect(await names({ '*': '..' }, pattern)).toContain('* -> ..');
    const looped = tree({ '*': '..' });
    const [once, twice] = ['*/**', '*/**/**'].map((path) =>
      gitlabFiles(looped, PROJECT, { paths: [path], exclude: [] }),
    );
    expect(twice).toEqual(once);
    expect(twice).toContain('*');
  });
  test('a folder is not entered from within itself', async () => {
    expect(await names({ 'real/up': '..' }, 'real/**/*.txt')).toEqual([
      'real/',
      'real/a.txt',
      'real/sub/',
      'real/sub/b.txt',
    ]);
  });
});

test('files of another repository inside of the project are not untracked files', async () => {
  const tree = new FileTree();
  for (const path of [
    'new.txt',
    'vendor/lib/.git/HEAD',
    'vendor/lib/x.c',
    'vendor/y.c',
    '.git/HEAD',
    'known',
  ])
    tree.put(posix.join(PROJECT, path), { kind: 'file', text: path, mode: 0o644, uid: 0 });
  const { entries } = await collected(tree, { paths: [], exclude: ['*.txt'], tracked: new Set(['known']) });
  expect(entries.map(({ header }) => header.name)).toEqual(['vendor/', 'vendor/y.c']);
});

test('an excluded path may have escaped characters without a wildcard', async () => {
  const tree = new FileTree();
  for (const path of ['out/a,b', 'out/c'])
    tree.put(posix.join(PROJECT, path), { kind: 'file', text: path, mode: 0o644, uid: 0 });
  for (const exclude of ['out/a\\,b', 'out/\\a,b']) {
    const { entries } = await collected(tree, { paths: ['out'], exclude: [exclude] });
    expect(entries.map(({ header }) => header.name)).toEqual(['out/', 'out/c']);
  }
});

test('a pattern that is not valid is told', async () => {
  const { warnings } = await collected(new FileTree(), { paths: ['a[', '{b'], exclude: [] });
  expect(warnings.join('\n')).toMatch(/a\[ is not a valid pattern[^]*\{b is not a valid pattern/);
});
