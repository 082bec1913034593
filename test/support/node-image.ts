/** An image with this machine's own Node, git and packages, for jobs that normally use an image of a hub. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { HELPER_IMAGE } from '../../src/installation.ts';
import { ROOT } from './source.ts';

/** Where the packages are in the image. */
export const PACKAGES = '/opt/node_modules';

/** Programs that the jobs need in addition to busybox. */
const PROGRAMS = ['git', 'prlimit', 'openssl'];

const shell = (script: string, ...args: string[]): string =>
  execFileSync('sh', ['-ec', script, 'sh', ...args], { encoding: 'utf8' });

/** Builds the image `name`. It contains this machine's programs, so it works on this machine only. */
export function nodeImage(name: string): void {
  const root = mkdtempSync(join(tmpdir(), 'davit-node-image-'));
  try {
    shell(
      'id="$(docker create "$1" true)"; docker export "$id" | tar -x -C "$2" --exclude "dev/*"; docker rm "$id" >/dev/null',
      HELPER_IMAGE,
      root,
    );
    copy(realpathSync(process.execPath), root, '/opt/node/bin/node');
    const npm = realpathSync(shell('command -v npm').trim());
    copy(dirname(dirname(npm)), root, '/opt/node/lib/node_modules/npm');
    symlinkSync(`../lib/node_modules/npm/bin/${basename(npm)}`, join(root, '/opt/node/bin/npm'));
    mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
    symlinkSync('/bin/env', join(root, '/usr/bin/env'));
    for (const program of PROGRAMS) addProgram(root, shell('command -v "$1"', program).trim());
    // What openssl reads before it makes a certificate.
    copy(realpathSync('/usr/lib/ssl/openssl.cnf'), root, '/usr/lib/ssl/openssl.cnf');
    addLibraries(root, [process.execPath, ...nativeModules()]);
    const gitCore = shell('git --exec-path').trim();
    copy(gitCore, root, gitCore);
    // The packages contain builds for other platforms; only those for this one are needed.
    shell(
      'mkdir -p "$2"; tar -c -C "$1" --exclude ".vite*" --exclude "core-bridge/releases/*apple*" --exclude "core-bridge/releases/*windows*" . | tar -x -C "$2"',
      realpathSync(join(ROOT, 'node_modules')),
      join(root, PACKAGES),
    );
    mkdirSync(join(root, 'tmp'), { recursive: true, mode: 0o1777 });
    shell(
      'tar -c --owner 0 --group 0 -C "$1" . | docker import --change "ENV PATH=/opt/node/bin:/usr/bin:/bin:/usr/sbin:/sbin" - "$2"',
      root,
      name,
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export const removeImage = (name: string): void => void spawnSync('docker', ['image', 'rm', '--force', name]);

function copy(from: string, root: string, to: string): void {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  cpSync(from, join(root, to), { recursive: true, verbatimSymlinks: true });
}

function addProgram(root: string, program: string): void {
  mkdirSync(join(root, dirname(program)), { recursive: true });
  cpSync(realpathSync(program), join(root, program));
  addLibraries(root, [program]);
}

/** Packages with native code for this machine. */
const nativeModules = (): string[] =>
  shell('find "$1" -name "*.node" -path "*linux*"', realpathSync(join(ROOT, 'node_modules')))
    .split('\n')
    .filter((path) => path !== '');

function addLibraries(root: string, programs: readonly string[]): void {
  const libraries = shell('ldd "$@" 2>/dev/null || true', ...programs).matchAll(/\s(\/\S+\.so\S*)(?= \()/g);
  for (const library of new Set([...libraries].map(([, path = '']) => path))) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    cpSync(realpathSync(library), join(root, library));
  }
}
