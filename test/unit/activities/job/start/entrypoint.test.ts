/** How each entrypoint comes to run the supervisor, tried with the shells of this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCommand } from '../../../../../activities/job/start/entrypoint.ts';
import { SUPERVISOR } from '../../../../../activities/job/start/supervisor-script.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
  writeFileSync(join(folder, 'run'), 'echo "ran in $0"\n'); // not executable, as the engine gets it
  writeFileSync(join(folder, 'entry.sh'), '#!/bin/sh\necho prepared\nexec "$@"\n', { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As an engine runs it, with another folder in place of /davit and no standard input. */
function started(own: string[] | undefined, image: string[]): string {
  const { entrypoint, command } = startCommand(own, image);
  const words = [...(entrypoint ?? image), ...command].filter((word) => word !== '');
  const [program = '', ...args] = words.map((word) => word.replaceAll(SUPERVISOR, join(folder, 'run')));
  return spawnSync(program, args, { input: '', encoding: 'utf8' }).stdout;
}

/** The shells of this machine. */
const HAS_BASH = existsSync('/bin/bash');

describe('the supervisor runs behind', () => {
  const behind: [string, string[]][] = [
    ['none', []],
    ['an empty word', ['']],
    ['sh -c, as GitLab suggests', ['/bin/sh', '-c']],
    ['bash -c, as GitLab suggests', ['/bin/bash', '-c']],
    ['sh -c without a folder', ['sh', '-c']],
    ['a login shell that takes a text', ['/bin/bash', '-lc']],
    ['a login shell in words', ['bash', '--login', '-c']],
    ['options with a name', ['bash', '-o', 'pipefail', '-c']],
    ['options that end with a name', ['bash', '-eo', 'pipefail']],
    ['a shell behind a launcher', ['/usr/bin/env', 'bash', '-c']],
    ['a shell alone', ['/bin/bash']],
    ['a shell with an option', ['bash', '-l']],
    ['the shell form of a shell', ['/bin/sh', '-c', '/bin/bash']],
    ['the shell form of a login shell', ['/bin/sh', '-c', 'exec bash --login']],
    ['a text that runs its arguments', ['/bin/sh', '-c', 'exec "$@"', 'name']],
  ];
  const here = behind.filter(([, words]) => HAS_BASH || !words.join(' ').includes('bash'));
  test.each(here)('%s', (_, words) => {
    expect(started(words, []), 'of the job').toContain(`ran in ${folder}/run`);
    expect(started(undefined, words), 'of the image').toContain(`ran in ${folder}/run`);
  });

  test('a program of the image', () => {
    expect(started(undefined, [join(folder, 'entry.sh')])).toBe(`prepared\nran in ${folder}/run\n`);
    expect(started(undefined, [join(folder, 'entry.sh'), HAS_BASH ? 'bash' : 'sh', '-c'])).toContain(
      'ran in ',
    );
  });
});

test('the entrypoint of the job replaces that of the image', () => {
  expect(startCommand([], ['/entry'])).toEqual({
    entrypoint: [''],
    command: ['sh', SUPERVISOR],
    foreign: false,
  });
  expect(startCommand(undefined, ['/entry'])).toEqual({ command: ['sh', SUPERVISOR], foreign: true });
});

test('only what is not a shell may read variables', () => {
  const foreign = (...words: string[]): boolean => startCommand(undefined, words).foreign;
  expect([foreign(), foreign('sh', '-c'), foreign('bash'), foreign('sh', '-c', 'bash')]).toEqual(
    Array(4).fill(false),
  );
  expect([foreign('/entry'), foreign('tini', '--', 'sh', '-c'), foreign('sh', '/entry.sh')]).toEqual(
    Array(3).fill(true),
  );
});
