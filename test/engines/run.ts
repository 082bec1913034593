/**
 * `npm run test:engines [-- [KIND…] [-- VITEST-ARGUMENT…]]`: the integration suite on each engine in turn, each in a
 * machine of its own within this one (sandbox.ts). `--command CMD ARG…` runs that instead of the suite:
 * `npm run test:engines -- docker-29 --command npm start -- --once`. Ends with 1 when one of them failed. Root only.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../src/config.ts';
import { lineProgress } from '../../src/local/process/progress.ts';
import { ensurePart } from '../parts/part.ts';
import { ROOT } from '../support/source.ts';
import { ENGINE_KINDS, type EngineKind } from './kinds.ts';
import { startSandbox } from './sandbox.ts';
import { messageOf } from '../../src/utils/message.ts';

const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const VITEST = join(ROOT, 'node_modules', '.bin', 'vitest');
const progress = lineProgress(
  (line) => void process.stderr.write(`${line}\n`),
  process.stderr.isTTY === true,
);

interface Asked {
  kinds: readonly EngineKind[];
  command: readonly string[];
}

function asked(args: readonly string[]): Asked {
  const end = args.findIndex((arg) => arg === '--' || arg === '--command');
  const names = end < 0 ? args : args.slice(0, end);
  const rest = end < 0 ? [] : args.slice(end + 1);
  const unknown = names.filter((name) => !ENGINE_KINDS.some((kind) => kind.name === name));
  if (unknown.length > 0)
    throw new Error(
      `Unknown engine: ${unknown.join(', ')}. Engines: ${ENGINE_KINDS.map(({ name }) => name).join(', ')}`,
    );
  const kinds = names.length === 0 ? ENGINE_KINDS : ENGINE_KINDS.filter(({ name }) => names.includes(name));
  const suite = [process.execPath, VITEST, 'run', '--project', 'real', ...rest];
  return { kinds, command: args[end] === '--command' ? rest : suite };
}

async function tried(kind: EngineKind, [program = '', ...args]: readonly string[]): Promise<number> {
  const programs: string[] = [];
  for (const part of kind.parts) programs.push(await ensurePart(part, progress));
  const logs = join(readSettings().home, 'log');
  await mkdir(logs, { recursive: true, mode: 0o700 });
  const log = join(logs, `engine-${kind.name}.log`);
  const home = await mkdtemp(join(tmpdir(), 'davit-engines-'));
  const box = await startSandbox({ kind, programs, log });
  try {
    await box.run('docker', [
      'version',
      '--format',
      `${kind.name}: {{(index .Server.Components 0).Name}} {{.Server.Version}}, API {{.Server.APIVersion}}`,
    ]);
    const options = { cwd: ROOT, env: { ...process.env, DAVIT_HOME: home } };
    // The helper image and everything else that tests expect of a machine that is set up.
    const prepared = await box.run(process.execPath, [MAIN, 'prepare', '--yes'], options);
    return prepared === 0 ? await box.run(program, args, options) : prepared;
  } finally {
    await box.stop();
    await rm(home, { recursive: true, force: true });
  }
}

const { kinds, command } = asked(process.argv.slice(2));
const results: string[] = [];
for (const kind of kinds) {
  process.stdout.write(`\n== ${kind.name}\n`);
  const start = performance.now();
  const code = await tried(kind, command).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    return 1;
  });
  const seconds = ((performance.now() - start) / 1_000).toFixed(0);
  results.push(`${kind.name}: ${code === 0 ? 'passed' : `failed (${code})`}, ${seconds} s`);
  if (code !== 0) process.exitCode = 1;
}
process.stdout.write(`\n${results.join('\n')}\n`);
