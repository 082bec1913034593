/** What `davit run` sends is what git says is tracked, or untracked and not ignored: compared over generated trees. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { findProject } from '../../../src/worktree/project.ts';
import { sourceTar } from '../../../src/worktree/source-tar.ts';

const NAMES = [
  'a',
  'b',
  'build',
  'x.o',
  'x.c',
  '.env',
  'dir',
  'é',
  'with space',
  '"q"',
  '-n',
  '*',
  '[a]',
  '#',
  '!b',
  '\\',
];
const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'));
const rule = fc.constantFrom(
  '*.o',
  'build/',
  '/dir',
  '!x.o',
  '.env',
  'a',
  'dir/*',
  '!dir/b',
  '\\#',
  '**/x.c',
  '# note',
  '',
);
const rules = fc.array(rule, { maxLength: 4 });
const entry = fc.record({
  path,
  what: fc.constantFrom('tracked', 'tracked', 'new', 'new', 'link', 'deleted', 'forced'),
});
const tree = fc.record({
  entries: fc.array(entry, { maxLength: 12 }),
  top: rules,
  below: fc.record({ folder: fc.constantFrom('dir', 'a', 'build'), rules }),
  exclude: rules,
  /** A tracked folder that is a link to another one now. */
  replaced: fc.boolean(),
  committed: fc.boolean(),
});

function made(root: string, plan: typeof tree extends fc.Arbitrary<infer T> ? T : never): void {
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
      cwd: root,
      stdio: 'ignore',
    });
  const write = (name: string, text: string): boolean => {
    try {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text, { flag: 'wx' });
      return true;
    } catch {
      return false; // something else has the name
    }
  };
  git('init', '-q', '--initial-branch=main');
  write('.gitlab-ci.yml', 'a: {script: x}\n');
  write('old/kept.txt', 'x');
  git('add', '.gitlab-ci.yml', 'old/kept.txt');
  const later: string[] = [];
  for (const { path: name, what } of plan.entries) {
    if (what === 'link') {
      try {
        mkdirSync(dirname(join(root, name)), { recursive: true });
        symlinkSync('../a', join(root, name));
      } catch {
        continue; // something else has the name
      }
    } else if (!write(name, name)) continue;
    if (what === 'tracked' || what === 'deleted' || what === 'forced')
      git('--literal-pathspecs', 'add', ...(what === 'forced' ? ['-f'] : []), '--', name);
    if (what === 'deleted') later.push(name);
  }
  if (plan.committed) git('commit', '-q', '-m', 'one');
  for (const name of later) rmSync(join(root, name), { force: true });
  write('.gitignore', `${plan.top.join('\n')}\n`);
  write(`${plan.below.folder}/.gitignore`, `${plan.below.rules.join('\n')}\n`);
  // Made by git's templates, which are not on every machine.
  mkdirSync(join(root, '.git', 'info'), { recursive: true });
  writeFileSync(join(root, '.git', 'info', 'exclude'), `${plan.exclude.join('\n')}\n`);
  if (plan.replaced) {
    rmSync(join(root, 'old'), { recursive: true });
    mkdirSync(join(root, 'other'), { recursive: true });
    write('other/kept.txt', 'y');
    symlinkSync('other', join(root, 'old'));
  }
}

async function sent(root: string): Promise<string[]> {
  const { tar, done } = await sourceTar(await findProject(root));
  const names: string[] = [];
  const entries = tar.pipe(extract());
  for await (const one of entries) {
    if (one.header.type !== 'directory' && !one.header.name.startsWith('.git/')) names.push(one.header.name);
    one.resume();
  }
  await done;
  return names.sort();
}

/** `git status` knows which tracked files are gone, those behind a link too. */
function expected(root: string): string[] {
  const list = (...args: string[]): string[] =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  const gone = list('status', '--porcelain', '-z', '--no-renames', '--untracked-files=no').flatMap((line) =>
    line[1] === 'D' ? [line.slice(3)] : [],
  );
  const all = new Set(list('ls-files', '-z', '-c', '-o', '--exclude-standard'));
  return [...all].filter((name) => !gone.includes(name)).sort();
}

test('davit run sends exactly what git lists', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (plan) => {
      const root = mkdtempSync(join(tmpdir(), 'davit-test-'));
      try {
        made(root, plan);
        expect(await sent(root)).toEqual(expected(root));
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
}, 240_000);

test('files whose names are not UTF-8 are told', async () => {
  const root = mkdtempSync(join(tmpdir(), 'davit-test-'));
  try {
    const plan = {
      entries: [],
      top: [],
      below: { folder: 'a' as const, rules: [] },
      exclude: [],
      replaced: false,
      committed: true,
    };
    made(root, plan);
    for (const name of ['caf\xe9.txt', 'new\xff'])
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]), 'x');
    writeFileSync(join(root, 'really \uFFFD'), 'x');
    execFileSync('git', ['add', '-A'], { cwd: root });
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@e', 'commit', '-q', '-m', 'x'], {
      cwd: root,
    });
    for (const ref of [undefined, 'HEAD']) {
      const { tar, done, unnamed } = await sourceTar(await findProject(root), ref);
      expect(unnamed).toEqual(['caf\uFFFD.txt', 'new\uFFFD']);
      tar.destroy();
      await done.catch(() => undefined); // its reader has left
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
