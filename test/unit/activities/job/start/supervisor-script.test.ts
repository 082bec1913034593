import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { withoutEndMark, endMarkScript } from '../../../../../activities/runtime/log/end-mark.ts';
import {
  type EnvVariable,
  EXIT_RESERVED,
  filesDir,
  scriptText,
  supervisorText,
  variablesText,
} from '../../../../../activities/job/start/supervisor-script.ts';
import { parseExitNote, verdictOf } from '../../../../../activities/job/container/verdict.ts';
import type { ContainerState } from '../../../../../src/adapters/ports.ts';

/** Shells of this machine; with a path without bash the supervisor stays in sh. */
const SHELLS = [
  { name: 'dash', path: '/usr/bin/dash', bash: false },
  { name: 'busybox', path: '/usr/bin/busybox', bash: false },
  { name: 'bash', path: '/usr/bin/bash', bash: true },
].filter((shell) => existsSync(shell.path));

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

interface Job {
  script: string[];
  after?: string[];
  variables?: EnvVariable[];
  afterSeconds?: number;
  scriptSeconds?: number;
  pre?: string[];
  trace?: boolean;
  full?: boolean;
  /** Text of the kernel's counter. */
  memory?: string;
  marked?: boolean;
  /** The number of a user that has no home. */
  user?: number;
}

/**
 * Runs the supervisor outside of a container. Never signalled here: as process 1 it would signal all others.
 */
function run(shell: (typeof SHELLS)[number], job: Job) {
  const root = mkdtempSync(join(tmpdir(), 'davit-supervisor-'));
  roots.push(root);
  const dir = join(root, 'davit');
  const projectDir = join(root, 'project');
  const bin = join(root, 'bin');
  for (const path of [dir, projectDir, filesDir(projectDir), bin]) mkdirSync(path);
  writeFileSync(
    join(bin, 'sh'),
    `#!${shell.path}${shell.name === 'busybox' ? ' sh' : ''}\nexec ${shell.path} ${shell.name === 'busybox' ? 'sh' : ''} "$@"\n`,
    { mode: 0o755 },
  );
  const tools = ['rm', 'date', 'id', 'cat', 'sleep', 'stat', ...(shell.bash ? ['bash'] : [])];
  for (const tool of tools)
    writeFileSync(join(bin, tool), `#!/bin/sh\nexec /usr/bin/${tool} "$@"\n`, { mode: 0o755 });
  if (job.user !== undefined) {
    writeFileSync(join(bin, 'id'), `#!/bin/sh\necho ${job.user}\n`, { mode: 0o755 });
    for (const tool of ['git', 'mkdir'])
      writeFileSync(join(bin, tool), `#!/bin/sh\nexec /usr/bin/${tool} "$@"\n`, { mode: 0o755 });
  }
  const options = {
    projectDir,
    timeoutMs: 60_000,
    dir,
    afterSeconds: job.afterSeconds,
    scriptSeconds: job.scriptSeconds,
    memoryCounters: [join(root, 'no-such-file'), join(root, 'counter')],
    ...(job.marked && { lastLine: endMarkScript('davit-1-test-1') }),
  };
  writeFileSync(join(dir, 'run'), supervisorText(options));
  writeFileSync(join(dir, 'script'), scriptText(job.script, projectDir, { trace: job.trace }));
  if (job.pre) writeFileSync(join(dir, 'pre'), scriptText(job.pre, projectDir));
  if (job.after) writeFileSync(join(dir, 'after'), scriptText(job.after, projectDir));
  writeFileSync(join(dir, 'variables'), variablesText(job.variables ?? [], projectDir));
  writeFileSync(join(dir, 'exit'), EXIT_RESERVED);
  if (job.memory !== undefined) writeFileSync(join(root, 'counter'), job.memory);
  if (job.full) symlinkSync('/dev/full', join(dir, 'room'));
  const args = shell.name === 'busybox' ? ['sh', join(dir, 'run')] : [join(dir, 'run')];
  const home = job.user === undefined ? {} : { HOME: '/proc/nowhere' };
  const ended = spawnSync(shell.path, args, {
    env: { PATH: bin, ...home },
    encoding: 'utf8',
    timeout: 30_000,
  });
  const exitFile = join(dir, 'exit');
  return {
    code: ended.status,
    output: ended.stdout,
    errors: ended.stderr,
    exit: existsSync(exitFile) ? readFileSync(exitFile, 'utf8').trim() : undefined,
    kills: existsSync(join(dir, 'memory')) ? readFileSync(join(dir, 'memory'), 'utf8') : undefined,
    variablesLeft: existsSync(join(dir, 'variables')),
    projectDir,
  };
}

describe.each(SHELLS)('supervisor under $name', (shell) => {
  const plain = (name: string, value: string): EnvVariable => ({ name, value, file: false });

  test('its last line is the end mark that the log reader expects', () => {
    const job = run(shell, { script: ['printf no-newline', 'exit 3'], after: ['echo after'], marked: true });
    expect(job.code).toBe(3);
    const rest = withoutEndMark(Buffer.from(job.output), 'davit-1-test-1');
    expect(rest && Buffer.from(rest).toString()).toMatch(/no-newline[^]*after\n$/);
  });
  test('runs the script in the project and reports its exit code', () => {
    const job = run(shell, { script: ['pwd', 'exit 7'] });
    expect(job.code).toBe(7);
    expect(job.exit).toBe('7');
    expect(job.output).toContain(job.projectDir);
    expect(job.output).toContain('\u001b[32;1m$ pwd\u001b[0;m\n');
    expect(job.errors).toBe('');
  });

  test.each([
    { script: 'exit 7', code: 7, note: { code: 7, stopped: false, full: true } },
    { script: 'exit 0', code: 1, note: { code: 0, stopped: false, full: true } },
  ])('a full disk is reported beside "$script"', ({ script, code, note }) => {
    const job = run(shell, { script: [script], full: true });
    expect(job.code).toBe(code);
    expect(parseExitNote(job.exit ?? '')).toEqual(note);
    expect(job.errors).toBe('');
  });

  test.each([
    { script: 'exit 9', memory: 'low 0\noom 4\noom_kill 2\noom_group_kill 0\n', kills: '2\n' },
    { script: 'exit 9', memory: 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n', kills: '1\n' },
    { script: 'exit 9', memory: 'oom 4\noom_kill 0\n', kills: undefined },
    { script: 'exit 0', memory: 'oom_kill 2\n', kills: undefined },
  ])('what the kernel killed is noted beside "$script": $memory', ({ script, memory, kills }) => {
    const job = run(shell, { script: [script], memory });
    expect(job.kills).toBe(kills);
    expect(job.exit).toBe(script.slice('exit '.length));
    expect(job.errors).toBe('');
  });

  test('stops at the first failing command, with standard error in its place', () => {
    const job = run(shell, { script: ['echo one; echo two >&2; echo three', 'false', 'echo never'] });
    expect(job.code).toBe(1);
    expect(job.output.replace(/\u001b\[[0-9;]*m/g, '')).toBe(
      '$ echo one; echo two >&2; echo three\none\ntwo\nthree\n$ false\n',
    );
  });

  test('one shell runs the whole script, so exports and cd stay', () => {
    const job = run(shell, { script: ['cd /', 'export A=1; B=2', 'echo "$PWD $A $B"'] });
    expect(job.output).toContain('/ 1 2\n');
  });

  test('variables arrive byte for byte, and their file is deleted before the first line', () => {
    const odd = 'a\'b"c$d`e\\f\ng  h !* %s ü';
    const job = run(shell, {
      variables: [plain('ODD', odd), plain('EMPTY', ''), plain('UID', '5'), plain('bad-name', 'x')],
      script: ['printf "%s|%s|" "$ODD" "$EMPTY"', `cat "${'$'}{0%/*}/variables" 2>/dev/null || echo gone`],
    });
    expect(job.output).toContain(`${odd}||`);
    expect(job.output).toContain('gone');
    expect(job.code).toBe(0);
    expect(job.variablesLeft).toBe(false);
  });

  test('a PATH without a shell leaves what a shell itself knows, and after_script', () => {
    const job = run(shell, {
      variables: [plain('PATH', '/nowhere')],
      pre: ['echo first'],
      script: ['echo "path $PATH"', 'cd / && pwd'],
      after: ['echo "last $CI_JOB_STATUS"'],
      scriptSeconds: 60,
    });
    expect([job.code, job.errors]).toEqual([0, '']);
    expect(job.output).toMatch(/first\n[^]*path \/nowhere\n[^]*\n\/\n[^]*last success\n/);
  });

  test('git trusts the project for a user without a home, and keeps what the script sets', () => {
    const script = [
      'git config --get-all safe.directory',
      'git config --global user.name me',
      'git config user.name',
    ];
    const job = run(shell, { user: 12345, script });
    expect(job.output).toContain(`\n${job.projectDir}\n`);
    expect(job.output).toContain('\nme\n');
    expect(job.code).toBe(0);
  });

  test('a file variable is a path of mode 0600', () => {
    const job = run(shell, {
      variables: [{ name: 'KEY', value: "line 1\nit's 2\n", file: true }],
      script: ['stat -c %a "$KEY"; cat "$KEY"; echo "path $KEY"'],
    });
    expect(job.output).toContain("600\nline 1\nit's 2\n");
    expect(job.output).toContain(`path ${filesDir(job.projectDir)}/KEY`);
    expect(() => statSync(join(filesDir(job.projectDir), 'KEY'))).toThrow();
  });

  test('after_script is another shell, knows the status, and its failure is ignored', () => {
    const job = run(shell, {
      variables: [plain('CI_THING', 'kept')],
      script: ['export MINE=1', 'exit 3'],
      after: ['echo "status=$CI_JOB_STATUS mine=$MINE thing=$CI_THING"', 'exit 9'],
    });
    expect(job.code).toBe(3);
    expect(job.output).toContain('status=failed mine= thing=kept');
    expect(job.output).toContain('exit code 9');
    expect(run(shell, { script: ['true'], after: ['echo "is $CI_JOB_STATUS"'] }).output).toContain(
      'is success',
    );
  });

  test('an after_script that hangs is ended', () => {
    const job = run(shell, {
      script: ['true'],
      after: ['sleep 20 >/dev/null 2>&1', 'echo never'],
      afterSeconds: 1,
    });
    expect(job.code).toBe(0);
    expect(job.output).toContain('took longer than 1 s');
    expect(job.output).not.toContain('\nnever');
  });

  test('RUNNER_SCRIPT_TIMEOUT ends the script and leaves time for after_script', () => {
    const job = run(shell, {
      script: ['sleep 20 >/dev/null 2>&1', 'echo never'],
      after: ['echo "after $CI_JOB_STATUS"'],
      scriptSeconds: 1,
    });
    expect(job.exit).toMatch(/^\d+ late$/);
    expect(job.code).not.toBe(0);
    expect(job.output).toContain('took longer than RUNNER_SCRIPT_TIMEOUT (1 s)');
    expect(job.output).toContain('after failed');
    expect(job.output).not.toContain('\nnever');
    const quick = run(shell, { script: ['echo quick'], scriptSeconds: 60 });
    expect([quick.code, quick.exit]).toEqual([0, '0']);
  });

  test('hooks:pre_get_sources_script runs first, in a shell of its own', () => {
    const job = run(shell, { pre: ['echo first; export A=1'], script: ['echo "second $A"'] });
    expect(job.output).toMatch(/first\n[^]*second \n/);
    expect(job.code).toBe(0);
    const failed = run(shell, { pre: ['exit 4'], script: ['echo never'], after: ['echo never'] });
    expect([failed.code, failed.exit]).toEqual([4, '4']);
    expect(failed.output).not.toContain('\nnever');
  });

  test('CI_DEBUG_TRACE prints what the shell does', () => {
    expect(run(shell, { script: ['A=b; echo "$A"'], trace: true }).output).toMatch(/\+ echo b\n/);
  });

  test('prints that a command has more lines', () => {
    const job = run(shell, { script: ['if true; then\n  echo inside\nfi\n'] });
    expect(job.output).toContain('$ if true; then # collapsed multi-line command');
    expect(job.output).toContain('inside');
  });

  test('a command that is not found is exit 127', () => {
    expect(run(shell, { script: ['no-such-command'] }).code).toBe(127);
  });

  test('pipefail where the shell has it', () => {
    const hasIt = spawnSync(shell.path, shellArgs(shell, ['-c', 'set -o pipefail']), { encoding: 'utf8' });
    expect(run(shell, { script: ['false | cat'] }).code).toBe(hasIt.status === 0 ? 1 : 0);
  });
});

const shellArgs = (shell: (typeof SHELLS)[number], args: string[]): string[] =>
  shell.name === 'busybox' ? ['sh', ...args] : args;

test('a script that fails while its engine is down is not reported as its own failure; one that succeeds has succeeded', () => {
  const state = { exitCode: 1, oomKilled: false, startedAt: 0, finishedAt: 1, error: '' } as ContainerState;
  const limits = { timeoutMs: 60_000, timedOut: false, unread: true };
  expect(verdictOf(state, { code: 1, stopped: false }, limits)).toMatchObject({
    outcome: 'errored',
    kind: 'engine',
    exitCode: 1,
  });
  expect(verdictOf(state, { code: 0, stopped: false }, limits).outcome).toBe('succeeded');
  expect(verdictOf(state, { code: 1, stopped: false }, { ...limits, unread: false }).outcome).toBe('failed');
});
