/** scripts/healthy.sh, the health check of davit's image. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../../support/source.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-healthy-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `age`: of the ready file, in seconds; undefined: there is none. */
function isHealthy(args: string[], age: number | undefined, isSet = true): boolean {
  const proc = join(folder, 'cmdline');
  const file = join(folder, 'ready');
  writeFileSync(proc, ['node', 'main.ts', ...args, ''].join('\0'));
  rmSync(file, { force: true });
  if (age !== undefined) {
    writeFileSync(file, '');
    utimesSync(file, Date.now() / 1_000 - age, Date.now() / 1_000 - age);
  }
  const env = { PATH: process.env.PATH, proc, ...(isSet && { DAVIT_READY_FILE: file }) };
  return spawnSync('sh', [join(ROOT, 'scripts', 'healthy.sh')], { env }).status === 0;
}

test.each([
  [['server'], 0, true],
  [['server'], undefined, false],
  [['worker', '--arch', 'amd64'], 30, true],
  [['worker', '--arch', 'amd64'], 300, false],
  [['worker', '--control'], undefined, false],
  [['logs', '--follow', 'table/1'], undefined, true],
] as const)('%j with a file of %s s: %s', (args, age, healthy) => {
  expect(isHealthy([...args], age)).toBe(healthy);
});

test('without a file to look at it says nothing', () => {
  expect(isHealthy(['worker'], undefined, false)).toBe(true);
});
