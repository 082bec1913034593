import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile } from './profile.ts';

/** One command of git in this folder; returns its output. Throws git's own message. */
export function gitIn(cwd: string, args: readonly string[], input?: string): string {
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
  const done = spawnSync('git', [...who, ...args], { cwd, encoding: 'utf8', input });
  if (done.status !== 0) throw new Error(`git ${args[0]}: ${done.stderr}`);
  return done.stdout.trim();
}

/** The forge's repository: one file, and commits on `main` without a delivery. Returns them, oldest first. */
export function makeRepository(path: string, { hookFile, commits }: Profile): string[] {
  mkdirSync(path);
  const git = (...args: string[]): string => gitIn(path, args);
  git('init', '-q', '-b', 'main');
  writeFileSync(join(path, '.gitlab-ci.yml'), hookFile);
  git('add', '-A');
  git('commit', '-q', '-m', 'Change 0');
  const first = git('rev-parse', 'HEAD');
  // One process per commit would cost a soak its first minute.
  const stream = Array.from({ length: commits - 1 }, (_, at) => {
    const message = `Change ${at + 1}`;
    const who = `committer Ada <ada@example.com> ${1_800_000_000 + at} +0000`;
    const from = at === 0 ? `from ${first}\n` : '';
    return `commit refs/heads/later\n${who}\ndata ${message.length}\n${message}\n${from}`;
  });
  gitIn(path, ['fast-import', '--quiet'], stream.join(''));
  const all = git('rev-list', '--reverse', 'later').split('\n');
  git('branch', '-q', '-D', 'later');
  git('config', 'gc.auto', '0');
  return all;
}

/** Moves `main` of the repository to its next commit. Returns both. */
export function moveHead(
  repository: string,
  commits: readonly string[],
  to: number,
): { before: string; after: string } {
  const [before, after] = [commits[to - 1], commits[to]];
  if (!before || !after) throw new Error('the repository has no more commits');
  const head = join(repository, '.git', 'refs', 'heads', 'main');
  writeFileSync(`${head}.new`, `${after}\n`);
  renameSync(`${head}.new`, head);
  return { before, after };
}
