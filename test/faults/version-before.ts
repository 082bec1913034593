/** The sources of the version before this one, out of git, for a rolling upgrade from it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ROOT } from '../support/source.ts';

/** Moves on with each release. `--before REF` tries another one. */
export const VERSION_BEFORE = 'a5dc0fd5818ae6621374fb3d53c4df70b30830c2';

const PARTS = ['package.json', 'src', 'workflows', 'activities', 'workers'];
const MAX_BYTES = 256 * 1024 * 1024;

const git = (...args: string[]): Buffer =>
  execFileSync('git', ['-C', ROOT, ...args], { maxBuffer: MAX_BYTES, stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there is no such version here: a shallow clone, or no clone. Undefined if it is there. */
export function versionMissing(ref: string): string | undefined {
  try {
    git('cat-file', '-e', `${ref}^{commit}`);
    return undefined;
  } catch {
    return `git has no commit ${ref} here: it needs a clone with its history.`;
  }
}

/** Returns the folder. Its packages are those of this version. */
export function treeOf(ref: string, home: string): string {
  const tree = mkdtempSync(join(home, 'before-'));
  const archive = git('archive', '--format=tar', ref, ...PARTS);
  execFileSync('tar', ['-x', '-C', tree], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

const MAKE_KEYS = `
const [tree, home] = process.argv.slice(1);
const { readSettings } = await import(tree + '/src/config.ts');
const { ensureKeys } = await import(tree + '/src/local/setup/keys.ts');
const { installation } = await ensureKeys(readSettings({ HOME: home, DAVIT_HOME: home }));
console.log(JSON.stringify({ installation }));
`;

/** Has that version make the keys of an installation. Returns the installation's id. */
export function keysOf(tree: string, home: string): string {
  mkdirSync(home, { recursive: true });
  const args = ['--input-type=module', '-e', MAKE_KEYS, pathToFileURL(tree).href, home];
  const said = execFileSync(process.execPath, args, { encoding: 'utf8' });
  return z.object({ installation: z.string() }).parse(JSON.parse(said)).installation;
}
