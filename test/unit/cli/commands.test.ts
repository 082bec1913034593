import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildProgram, runCli } from '../../../src/cli/program.ts';
import { testCli } from './support.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = async (args: string[], env: Record<string, string> = {}) => {
  const { cli, written } = testCli(folder, folder, env);
  const exit = await runCli(cli, args);
  return { exit, ...written };
};
const pipelineFile = (text: string): void => writeFileSync(join(folder, '.gitlab-ci.yml'), text);

const COMMANDS = [
  'up',
  'run',
  'start',
  'lint',
  'plan',
  'pipelines',
  'status',
  'logs',
  'approve',
  'reject',
  'cancel',
  'retry',
  'worker',
  'down',
  'server',
  'doctor',
];

describe('every command', () => {
  test('exists', () => {
    const names = buildProgram(testCli(folder).cli).commands.map((one: Command) => one.name());
    expect(names).toEqual(expect.arrayContaining(COMMANDS));
  });
  test.each(COMMANDS)('%s --help shows an example and exits with 0', async (name) => {
    const { exit, out } = await run([name, '--help']);
    expect(exit).toBe(0);
    expect(out).toContain('Example:');
    expect(out).toContain(name === 'server' ? 'davit server' : `davit ${name}`);
  });
});

describe('exit codes', () => {
  test('2 for wrong usage', async () => {
    for (const args of [
      ['nonsense'],
      ['status', '--nope'],
      ['approve', 'table/3'],
      ['retry', 'table/3', 'unit', '--all'],
      ['retry', 'table/3', '--all', '--comment', 'why'],
      ['start', 'table', '--again', 'table/3'],
      ['start', '--again', 'table/3', '--var', 'A=1'],
      ['worker', '--arch', 'mips'],
      ['worker'],
    ])
      expect((await run(args)).exit).toBe(2);
    expect((await run(['up', '--once'])).exit).toBe(2);
    expect((await run(['run', '--var', 'no value'])).exit).toBe(2);
  });
  test('a command does not use the channel of its process: otherwise a test process would end while it waits', async () => {
    const channel = process.channel ?? expect.fail('tests run in processes of their own');
    const unref = vi.spyOn(channel, 'unref');
    expect((await run(['worker'])).exit).toBe(2);
    expect(unref).not.toHaveBeenCalled();
    unref.mockRestore();
  });
  test('3 if nothing runs, with the remedy', async () => {
    const { exit, err } = await run(['pipelines']);
    expect(exit).toBe(3);
    expect(err).toMatch(
      /davit is not running on this machine.*\[local\/not-up\]\n {2}Start it with `davit up`/,
    );
  });
  test('3 if the server does not answer', async () => {
    const { exit, err } = await run(['pipelines'], {
      DAVIT_SERVER: 'http://127.0.0.1:9',
      DAVIT_TOKEN: 'x'.repeat(40),
    });
    expect(exit).toBe(3);
    expect(err).toContain('[cli/no-server]');
    expect(err).not.toContain('xxxx');
  });
  test('3 without a token', async () => {
    const { exit, err } = await run(['pipelines'], { DAVIT_SERVER: 'http://127.0.0.1:9' });
    expect([exit, err]).toEqual([3, expect.stringContaining('[cli/no-token]')]);
  });
  test('2 if there is no pipeline file', async () => {
    expect(await run(['lint'])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('[source/no-file]') as string,
    });
  });
});

describe('lint', () => {
  test('a good file', async () => {
    pipelineFile('unit:\n  image: busybox\n  script: [make]\n');
    expect(await run(['lint'])).toMatchObject({ exit: 0, out: '.gitlab-ci.yml: 1 job in 1 stage\n' });
  });
  test('every mistake with its place, as text and as JSON', async () => {
    pipelineFile(
      'unit:\n  image: busybox\n  scirpt: [true]\nother:\n  image: x\n  script: [make]\n  needs: [nobody]\n',
    );
    const text = await run(['lint']);
    expect(text.exit).toBe(2);
    expect(text.out).toContain('.gitlab-ci.yml:3:3: error:');
    expect(text.out).toContain('.gitlab-ci.yml:7:11: error:');
    const json = await run(['lint', '--json']);
    const parsed = JSON.parse(json.out) as {
      valid: boolean;
      problems: { code: string; place: { line: number } }[];
    };
    expect(json.exit).toBe(2);
    expect(parsed.valid).toBe(false);
    expect(parsed.problems.map((one) => one.place.line)).toEqual(expect.arrayContaining([3, 7]));
  });
});

describe('plan', () => {
  test('jobs with their queues, as text and as JSON', async () => {
    pipelineFile(
      'stages: [a, b]\none:\n  stage: b\n  image: x\n  arch: arm32\n  script: [make]\ntwo:\n  stage: a\n  image: x\n  script: [make]\n  when: manual\n',
    );
    const text = await run(['plan']);
    expect(text.exit).toBe(0);
    expect(text.out).toMatch(/^a +two .*manual/m);
    expect(text.out).toMatch(/^b +one .*arm32/m);
    const { jobs } = JSON.parse((await run(['plan', '--json'])).out) as {
      jobs: { key: string; queue: string }[];
    };
    expect(jobs.map((job) => [job.key, job.queue])).toContainEqual(['one', 'arm32']);
  });
  test('of named jobs only', async () => {
    pipelineFile('one:\n  image: x\n  script: [make]\ntwo:\n  image: x\n  script: [make]\n');
    const { jobs } = JSON.parse((await run(['plan', 'two', '--json'])).out) as { jobs: { key: string }[] };
    expect(jobs.map((job) => job.key)).toEqual(['two']);
  });
  test('the installation file of this machine sets variables: for rules, and protected ones by the ref', async () => {
    writeFileSync(
      join(folder, 'davit.config.yml'),
      `variables: {STAGE: live, TOKEN: {secret: "env:NOT_SET"}}\nprojects: [{name: ${basename(folder).toLowerCase()}, variables: {STAGE: try, SAFE: {value: x, protected: true}}}]`,
    );
    pipelineFile(
      ['STAGE == "try"', 'STAGE == "live"', 'SAFE', 'TOKEN']
        .map((text, at) => `j${at}: {image: x, script: x, rules: [{if: '$${text}'}]}\n`)
        .join(''),
    );
    const named = async (...args: string[]) => {
      const { out } = await run(['plan', '--json', ...args]);
      return (JSON.parse(out) as { jobs: { name: string }[] }).jobs.map((job) => job.name);
    };
    expect(await named('--ref', 'main')).toEqual(expect.arrayContaining(['j0', 'j2']));
    expect(await named('--ref', 'main')).not.toContain('j1');
    expect(await named('--ref', 'topic')).not.toContain('j2');
    expect(await named('--ref', 'topic', '--var', 'STAGE=live')).toContain('j1');
    expect(await named('--ref', 'main', '--var', 'STAGE=live')).not.toContain('j1');
  });
  test('--json has a list of jobs for any answer', async () => {
    for (const text of ['j: {image: x, script: x, rules: [{if: $NO}]}\n', 'j: {image: x, scirpt: x}\n']) {
      pipelineFile(text);
      expect(JSON.parse((await run(['plan', '--json'])).out)).toMatchObject({ jobs: [] });
    }
  });
  test('a broken file exits with 2 and prints nothing to standard output', async () => {
    pipelineFile('one: [');
    expect(await run(['plan'])).toMatchObject({ exit: 2, out: '' });
  });
});
