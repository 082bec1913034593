import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { complete } from '../../../src/cli/completion/candidates.ts';
import { completionScript, SHELLS } from '../../../src/cli/completion/scripts.ts';
import { buildProgram, runCli } from '../../../src/cli/program.ts';
import { testCli } from './support.ts';

const program = () => buildProgram(testCli('/', '/', {}).cli);
const texts = (...words: string[]): string[] => complete(program(), words).candidates.map((one) => one.text);
const files = (...words: string[]): boolean => complete(program(), words).files;

describe('what may follow', () => {
  test('a command, with its description; hidden ones are left out', () => {
    expect(complete(program(), ['ru']).candidates).toEqual([
      { text: 'run', about: expect.stringContaining('run the pipeline') },
    ]);
    expect(texts('')).toContain('worker');
    expect(texts('')).not.toContain('machine');
    expect(files('')).toBe(false);
  });
  test('a command of a command', () => {
    expect(texts('worker', 'token', 'rev')).toEqual(['revoke']);
  });
  test('an option, also after other options and their values', () => {
    expect(texts('run', '--fi')).toEqual(['--file']);
    expect(texts('run', '--file', 'worker', '--re')).toEqual(['--ref']);
  });
  test('the name of a file where the placeholder says so', () => {
    expect(files('run', '--file', '')).toBe(true);
    expect(files('run', '--ref', '')).toBe(false);
    expect(files('lint', '')).toBe(true);
    expect(files('logs', '')).toBe(false);
  });
  test('the choices of an argument', () => {
    expect(texts('completion', '')).toEqual([...SHELLS]);
    expect(texts('completion', 'z')).toEqual(['zsh']);
    expect(texts('completion', 'zsh', '')).toEqual([]);
  });
});

test('davit complete prints one candidate per line', async () => {
  const { cli, written } = testCli('/', '/', {});
  expect(await runCli(cli, ['complete', '--', 'run', '--fi'])).toBe(0);
  expect(written.out).toBe('--file\tpipeline file (default: .davit.yml, else .gitlab-ci.yml)\n');
});

test('davit completion of an unknown shell names those that there are', async () => {
  const { cli, written } = testCli('/', '/', {});
  expect(await runCli(cli, ['completion', 'ksh'])).toBe(2);
  expect(written.err).toContain('bash, zsh, fish');
});

/** Each shell that this machine has loads its script and completes `davit wor` with the help of a stand-in. */
const ASK: Record<(typeof SHELLS)[number], string> = {
  bash: 'COMP_WORDS=(davit wor); COMP_CWORD=1; _davit; echo "${COMPREPLY[@]}"',
  // Without its completion system: what would be offered is printed.
  zsh: '_describe() { print -l ${(P)2} }; words=(davit wor); CURRENT=2; _davit',
  fish: 'complete --do-complete "davit wor"',
};
const STAND_IN = 'davit() { printf "worker\\tstart a worker\\n"; }\n';
const FISH_STAND_IN = 'function davit; printf "worker\\tstart a worker\\n"; end\n';
const present = SHELLS.filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);

test.each(present)('%s completes a command', (shell) => {
  const before = shell === 'fish' ? FISH_STAND_IN : STAND_IN;
  const noCompdef = shell === 'zsh' ? 'compdef() { :; }\n' : '';
  const script = [before, noCompdef, completionScript(shell), ASK[shell]].join('\n');
  const done = spawnSync(shell, ['-c', script], { encoding: 'utf8' });
  expect(done.stderr).toBe('');
  expect(done.stdout).toMatch(/worker/);
});
