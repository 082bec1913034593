/** The npm package: built, unpacked where an installation would be, and run without the checkout. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readSettings } from '../../src/config.ts';
import { VERSION } from '../../src/version.ts';
import { sweep } from '../support/davit.ts';
import { ROOT } from '../support/source.ts';

const lockSchema = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) });

let folder = '';
let home = '';
const launcher = (): string => join(folder, 'bin', 'davit');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-package-'));
  home = join(folder, 'home');
  const archive = execFileSync(process.execPath, [join(ROOT, 'scripts', 'pack.ts'), folder], {
    encoding: 'utf8',
  }).trim();
  installArchive(archive);
}, 300_000);

afterAll(() => {
  spawnSync(launcher(), ['down'], { env: environment(), stdio: 'ignore' });
  sweep(home);
  rmSync(folder, { recursive: true, force: true });
});

/** As `npm install --global` lays it out. The packages are links to those of the checkout, without its tools. */
function installArchive(archive: string): void {
  const packages = join(folder, 'lib', 'node_modules');
  const own = join(packages, 'davit-ci');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', own]);
  const lock = lockSchema.parse(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')));
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const name = path.replace(/^node_modules\//, '');
    if (path === '' || dev || name.includes('node_modules/')) continue;
    mkdirSync(dirname(join(packages, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(packages, name));
  }
  mkdirSync(join(folder, 'bin'));
  symlinkSync('../lib/node_modules/davit-ci/davit', launcher());
}

function environment(): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/^(DAVIT_|TEMPORAL_)/.test(name));
  return { ...Object.fromEntries(clean), DAVIT_HOME: home, DAVIT_CACHE: readSettings().cache, CI: 'true' };
}

function davit(cwd: string, ...args: string[]): { code: number | null; text: string } {
  const done = spawnSync(launcher(), args, { cwd, env: environment(), encoding: 'utf8' });
  return { code: done.status, text: `${done.stdout}${done.stderr}` };
}

test('it has JavaScript, one workflow bundle, and no source or tool of the checkout', () => {
  const names = readdirSync(join(folder, 'lib', 'node_modules', 'davit-ci'), { recursive: true }).map(String);
  expect(names.filter((name) => name.endsWith('.ts'))).toEqual([]);
  expect(names.filter((name) => name.startsWith('bundles/'))).toHaveLength(1);
  expect(names.filter((name) => /^(test|bench|scripts|\.ci)/.test(name))).toEqual([]);
});

test('davit --version', () => {
  expect(davit(folder, '--version')).toEqual({ code: 0, text: `${VERSION}\n` });
});

test('davit run starts davit from the package and runs a job', () => {
  const project = join(folder, 'project');
  mkdirSync(project);
  const file = ['hello:', '  image: $DAVIT_HELPER_IMAGE', '  script: [echo from the package]', ''].join('\n');
  writeFileSync(join(project, '.gitlab-ci.yml'), file);
  const { code, text } = davit(project, 'run');
  expect(text).toContain('hello | from the package');
  expect(code).toBe(0);
  // The bundle that was shipped, not one that was built here.
  const [shipped] = readdirSync(join(folder, 'lib', 'node_modules', 'davit-ci', 'bundles'));
  expect(existsSync(join(readSettings().cache, 'bundles', shipped ?? ''))).toBe(false);
}, 300_000);

test('the examples of davit up --demo are there', () => {
  const copy = join(folder, 'table');
  cpSync(join(folder, 'lib', 'node_modules', 'davit-ci', 'examples', 'table'), copy, { recursive: true });
  expect(davit(copy, 'lint')).toMatchObject({ code: 0 });
});
