/**
 * The first step of `npm start`, `npm test`, `npm run bench`, `npm run lint`, `npm run docs` and a first
 * `./davit`: it provides the packages of the lock file, and a Node that runs TypeScript. Plain JavaScript for
 * Node 20 without any package, because none is installed yet.
 *
 *   node scripts/bootstrap.mjs start|test|faults|bench|parts|engines|bed|lint|docs|package|cli [ARGUMENT…]
 *
 * Invariants:
 *   BOOT-1 `npm ci` runs only if the installed packages differ from the lock file.
 *   BOOT-2 A Node is moved into the cache whole or not at all.
 *   BOOT-3 The exit code is the task's own; signals reach the task and do not end this process first.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, node24, npm, refuse, timed } from './node24.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const LOCK_FILE = join(ROOT, 'package-lock.json');
/** A copy of the lock file of the installed packages; the launcher compares it. */
const STAMP = join(ROOT, 'node_modules', '.davit-lock');
const WRONG_USAGE = 2;

const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const bin = (name) => join(ROOT, 'node_modules', '.bin', name);
/** Without the stories of a real Gitea, which take minutes more: `npx vitest run test/forge`. */
const SUITE = ['--project', 'unit', '--project', 'real'];
/** What the bed of a fleet needs (test/parts/bed.ts). */
const BED_PARTS = ['openssh-server', 'base-packages'];
/** The steps of each task, run in order until one fails. */
const TASKS = {
  start: (args) => [[node24(), MAIN, 'up', '--demo', ...consent(), ...args]],
  test: (args) => [
    [node24(), MAIN, 'prepare', ...consent()],
    ...(args.length === 0 ? checks() : []),
    [node24(), bin('vitest'), 'run', ...reporters(), ...(args.length === 0 ? SUITE : args)],
  ],
  bench: (args) => [
    [node24(), MAIN, 'prepare', ...consent()],
    [node24(), join(ROOT, 'bench', 'main.ts'), ...args],
  ],
  faults: (args) => [
    [node24(), MAIN, 'prepare', ...consent()],
    [node24(), join(ROOT, 'test', 'faults', 'run.ts'), ...args],
  ],
  parts: (args) => [
    [node24(), MAIN, 'prepare', ...consent()],
    [node24(), join(ROOT, 'test', 'parts', 'run.ts'), ...args],
  ],
  engines: (args) => [
    [node24(), MAIN, 'prepare', ...consent()],
    [node24(), join(ROOT, 'test', 'engines', 'run.ts'), ...args],
  ],
  bed: (args) => [
    [node24(), MAIN, 'prepare'],
    [node24(), join(ROOT, 'test', 'parts', 'run.ts'), ...BED_PARTS],
    [node24(), bin('vitest'), 'run', ...reporters(), '--project', 'bed', ...args],
  ],
  lint: () => checks(),
  docs: () => [[node24(), join(ROOT, 'scripts', 'docs.ts')]],
  package: (args) => [[node24(), join(ROOT, 'scripts', 'pack.ts'), ...args]],
  cli: (args) => [[node24(), MAIN, ...args]],
};
const checks = () => [
  [node24(), bin('biome'), 'format', '.'],
  [node24(), bin('oxlint')],
  [node24(), bin('tsc'), '-p', ROOT, '--noEmit'],
];
/**
 * These commands exist to set everything up: on a terminal they ask before they change the machine, and without one
 * they go on after they have said what they change.
 */
const consent = () => (process.stdin.isTTY && process.stderr.isTTY ? [] : ['--yes']);
/** `.ci/run` counts the tests from a report. */
const reporters = () => {
  const file = process.env.DAVIT_TEST_REPORT;
  return file ? ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`] : [];
};

/**
 * True if node_modules has what the lock file requires, whatever installed it: each package there has the
 * locked version and integrity, and none is missing except optional ones of other platforms.
 */
export function inSync(lock, installed) {
  const have = installed.packages ?? {};
  for (const [path, wanted] of Object.entries(lock.packages ?? {})) {
    if (path === '') continue;
    const found = have[path];
    if (!found) {
      if (wanted.optional || wanted.peer) continue;
      return false;
    }
    if (found.version !== wanted.version || found.integrity !== wanted.integrity) return false;
  }
  return Object.keys(have).every((path) => lock.packages?.[path] !== undefined);
}

function installPackages() {
  const same = () => existsSync(STAMP) && readFileSync(STAMP).equals(readFileSync(LOCK_FILE));
  if (same()) return;
  const hidden = join(ROOT, 'node_modules', '.package-lock.json');
  if (
    existsSync(hidden) &&
    inSync(JSON.parse(readFileSync(LOCK_FILE, 'utf8')), JSON.parse(readFileSync(hidden, 'utf8')))
  ) {
    copyFileSync(LOCK_FILE, STAMP);
    return;
  }
  const release = takeLock();
  try {
    if (same()) return; // another davit has done it in the meantime
    timed('packages into node_modules (npm ci), 0.5 GB on the disk', () =>
      npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], ROOT),
    );
    copyFileSync(LOCK_FILE, STAMP);
  } finally {
    release();
  }
}

/** One installation at a time in this checkout: two `npm ci` destroy each other's work. */
function takeLock() {
  const folder = join(ROOT, '.davit-local');
  const path = join(folder, 'install.lock');
  mkdirSync(folder, { recursive: true });
  const deadline = Date.now() + 600_000;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(Number(readFileSync(path, 'utf8') || '0')) && Date.now() - statSync(path).mtimeMs > 2_000)
        rmSync(path, { force: true });
      else if (Date.now() > deadline)
        refuse(`Another davit has been installing packages for ten minutes (${path}).`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
}

function isAlive(pid) {
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Runs one step to its end. Ctrl-C reaches the whole terminal group: the step handles it, this process waits.
 */
function run([command, ...args]) {
  return new Promise((resolve) => {
    // Scripts of packages that ask for `node` get the same one.
    const env = {
      ...process.env,
      PATH: `${dirname(node24())}${delimiter}${process.env.PATH ?? ''}`,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || join(cacheFolder(), 'compiled'),
    };
    const cwd = task === 'cli' ? process.cwd() : ROOT;
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    const pass = (signal) => child.kill(signal);
    const stay = () => {};
    process.on('SIGINT', stay).on('SIGTERM', pass).on('SIGHUP', pass);
    child.on('error', (error) => refuse(`${command} could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      process.off('SIGINT', stay).off('SIGTERM', pass).off('SIGHUP', pass);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

const [task, ...args] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!Object.hasOwn(TASKS, task ?? ''))
    refuse(`bootstrap: one of ${Object.keys(TASKS).join(', ')} was expected.`, WRONG_USAGE);
  installPackages();
  let code = 0;
  for (const step of TASKS[task](args)) {
    code = await run(step);
    if (code !== 0) break;
  }
  process.exitCode = code;
}
