/**
 * `node scripts/pack.ts [FOLDER]`: builds the npm package of davit into FOLDER (default: `dist`) and prints
 * the path of the archive. The package has plain JavaScript, because Node does not remove types below
 * node_modules, and the workflow bundle, so that nothing is compiled on the user's machine.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..');
const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  type: z.string(),
  dependencies: z.record(z.string(), z.string()),
});
/** Beside the code. The examples are what `davit up --demo` runs. */
const CONTENT = [
  'davit',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'docs',
  'examples',
  'deploy',
];

const folder = resolve(process.argv[2] ?? join(ROOT, 'dist'));
// Inside of the checkout, so that the build of the bundle finds the installed packages.
const stage = join(ROOT, 'node_modules', '.davit-package');
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
mkdirSync(folder, { recursive: true });

run(join(ROOT, 'node_modules', '.bin', 'tsc'), [
  '-p',
  join(ROOT, 'tsconfig.package.json'),
  '--outDir',
  stage,
]);
for (const name of CONTENT) cpSync(join(ROOT, name), join(stage, name), { recursive: true });
writeFileSync(join(stage, 'package.json'), `${JSON.stringify(packageManifest(), null, 2)}\n`);
run(process.execPath, [join(stage, 'scripts', 'bundle.js'), stage]);
rmSync(join(stage, 'scripts'), { recursive: true });
const [packed] = z
  .array(z.object({ filename: z.string() }))
  .parse(JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder, stage])));
rmSync(stage, { recursive: true, force: true });
process.stdout.write(`${join(folder, packed?.filename ?? '')}\n`);

function packageManifest(): object {
  const text: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return { ...manifestSchema.parse(text), bin: { davit: './davit' }, engines: { node: '>=24' } };
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
