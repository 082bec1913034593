import { spawnSync } from 'node:child_process';

/** One command of git in this folder; answers what it says. Throws git's own words. */
export function gitIn(cwd: string, args: readonly string[], input?: string): string {
  const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
  const done = spawnSync('git', [...who, ...args], { cwd, encoding: 'utf8', input });
  if (done.status !== 0) throw new Error(`git ${args[0]}: ${done.stderr}`);
  return done.stdout.trim();
}
