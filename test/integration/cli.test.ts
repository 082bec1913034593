/** The command line with everything it starts: a `davit up` of its own, real parts, helper image only. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../../src/utils/is-alive.ts';
import type { RunFile } from '../../src/server/api.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { call, davit } from '../support/cli.ts';
import { dropFirewall } from '../support/davit.ts';

let folder = '';
let env: Record<string, string> = {};
const project = (): string => join(folder, 'shop');
const run = (...args: string[]) => call(project(), args, env);
const write = (text: string): void => writeFileSync(join(project(), '.gitlab-ci.yml'), text);
const runFile = (): RunFile =>
  JSON.parse(readFileSync(join(env.DAVIT_HOME ?? '', 'run.json'), 'utf8')) as RunFile;
const json = <T>(text: string): T => JSON.parse(text) as T;
const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const until = async (what: string, check: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await delay(100);
  }
};
const job = (script: string[], more: string[] = []): string =>
  [`  image: $DAVIT_HELPER_IMAGE`, ...more, '  script:', ...script.map((line) => `    - ${line}`), ''].join(
    '\n',
  );
const SLOW = job(['echo started', 'for i in 1 2 3 4 5 6 7 8 9; do sleep 10; done']);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-cli-'));
  env = { DAVIT_HOME: join(folder, 'home') };
  mkdirSync(project());
  writeFileSync(join(project(), 'text.txt'), 'uncommitted\n');
  write(`unit:\n${job(['cat text.txt'])}`);
}, 240_000);
afterAll(async () => {
  await run('down');
  const id = readFileSync(join(env.DAVIT_HOME ?? '', 'keys', 'installation-id'), 'utf8').trim();
  for (const what of ['container', 'volume', 'network']) {
    const listed = docker(
      what,
      'ls',
      '-q',
      ...(what === 'container' ? ['-a'] : []),
      '--filter',
      `label=davit.installation=${id}`,
    );
    const names = listed.split('\n').filter((name) => name !== '');
    if (names.length > 0) docker(what, 'rm', ...(what === 'network' ? [] : ['-f']), ...names);
  }
  dropFirewall(id);
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

describe('davit run', () => {
  test('starts missing services, shows the log with the job name, and exits with the verdict', async () => {
    const { exit, out, err } = await run('run');
    expect(err).toContain('starting it in the background');
    expect(err).toContain('Pipeline shop/1');
    expect(out).toContain('unit | uncommitted\n');
    expect(out).toMatch(/unit +succeeded/);
    expect(exit).toBe(0);
  }, 240_000);

  test('passes typed inputs to the job', async () => {
    const header =
      'spec: {inputs: {who: , loud: {type: boolean, default: false}, tries: {type: number, default: 0}}}';
    const body = `"greet $[[ inputs.who ]]":\n${job(['echo "Hello $[[ inputs.who ]] $[[ inputs.loud ]]"'], ['  retry: $[[ inputs.tries ]]'])}`;
    write(`${header}\n---\n${body}`);
    const missing = await run('run');
    expect([missing.exit, missing.err]).toEqual([2, expect.stringContaining('--input who=VALUE')]);
    const { exit, out } = await run(
      'run',
      '--input',
      'who=Ada',
      '--input',
      'loud=true',
      '--input',
      'tries=1',
    );
    expect(out).toContain('greet Ada | Hello Ada true\n');
    expect(exit).toBe(0);
  }, 120_000);

  test('listens on the loopback only', () => {
    const pids = [runFile().pid, ...runFile().processes.map((one) => one.pid)];
    const listening = execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)));
    expect(listening.length).toBeGreaterThan(3);
    for (const line of listening) expect(line).toMatch(/ (127\.0\.0\.1|\[::1\]):\d+ /);
  });

  test('a failed job exits with 1; its output cannot control the terminal', async () => {
    write(`bad:\n${job([`printf '\\033]0;owned\\007\\033[2Jshown\\n'`, 'exit 7'])}`);
    const { exit, out } = await run('run');
    expect(exit).toBe(1);
    expect(out).toContain('bad | shown\n');
    expect(out).not.toContain('\u001b');
    expect(out).toMatch(/bad +failed/);
  });

  test('a reader that leaves early does not change the verdict', async () => {
    write(
      `bad:\n${job(['echo go; sleep 1; i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i + 1)); done', 'exit 3'])}`,
    );
    const called = davit(project(), ['run'], env);
    await called.shows(/bad \| go/);
    called.child.stdout?.destroy();
    expect(await called.ended).toBe(1);
    expect(called.err()).toContain('Nobody reads the output any more');
    expect((await run('logs', '1', 'unit')).exit).toBe(0);
  });

  test('a job with tags that no worker has runs here, with a warning', async () => {
    write(`tagged:\n${job(['echo "ran here"'], ['  tags: [docker-executor, Shell]'])}`);
    const { exit, out, err } = await run('run');
    expect(err).toContain('no worker has the tags docker-executor, Shell: "tagged" runs on this machine');
    expect([exit, out]).toEqual([0, expect.stringContaining('tagged | ran here\n')]);
  });

  test('a file with mistakes exits with 2, and nothing starts', async () => {
    const before = json<unknown[]>((await run('pipelines', '--json')).out).length;
    write('bad:\n  scirpt: x\n');
    const { exit, err } = await run('run');
    expect(exit).toBe(2);
    expect(err).toContain('.gitlab-ci.yml:2:3: error:');
    expect(json<unknown[]>((await run('pipelines', '--json')).out)).toHaveLength(before);
  });

  test('--json prints one document to standard output; --var and named jobs are applied', async () => {
    write(`one:\n${job(['echo "value $VALUE"'])}two:\n${job(['exit 1'])}`);
    const { exit, out, err } = await run('run', 'one', '--var', 'VALUE=a b', '--json');
    const status = json<PipelineStatus>(out);
    expect([exit, status.state, status.jobs.map((one) => one.key)]).toEqual([0, 'success', ['one']]);
    expect(err).toContain('one | value a b\n');
  });

  test('the first Ctrl-C cancels and cleans up', async () => {
    write(`slow:\n${SLOW}`);
    const called = davit(project(), ['run'], env);
    await called.shows(/slow \| started/);
    called.child.kill('SIGINT');
    expect(await called.ended).toBe(1);
    expect(called.out()).toMatch(/slow +cancelled/);
    const id = /Pipeline (shop\/\d+)/.exec(called.err())?.[1] ?? '';
    await until(
      'its container is gone',
      () => docker('ps', '-q', '--filter', `label=davit.job.pipeline=${id}`) === '',
    );
  });

  test('the second Ctrl-C leaves the pipeline running and prints how to follow it', async () => {
    // It ends slowly, so that both happen before its end.
    write(`stubborn:\n${job([`trap '' TERM`, 'echo started', 'while true; do sleep 1; done'])}`);
    const called = davit(project(), ['run'], env);
    await called.shows(/stubborn \| started/);
    called.child.kill('SIGINT');
    await called.shows(/Cancelling/);
    called.child.kill('SIGINT');
    expect(await called.ended).toBe(1);
    const id = /continues. See it with: davit status (shop\/\d+)/.exec(called.err())?.[1] ?? '';
    await until(
      'it has ended',
      async () => json<PipelineStatus>((await run('status', id, '--json')).out).state === 'canceled',
    );
  });
});

describe('decisions', () => {
  test('a gate waits, prints how to approve it, and records who did and why', async () => {
    write(`ship:\n${job(['echo shipped'], ['  gate: { expires_in: 1h }'])}`);
    const called = davit(project(), ['run'], env);
    await called.shows(/gate: davit approve (shop\/\d+) ship/);
    const id = /davit approve (shop\/\d+) ship/.exec(called.out())?.[1] ?? '';
    // Temporal lists a started workflow with a delay.
    await until('it is the newest', async () =>
      (await run('status')).out.includes(`davit approve ${id} ship`),
    );
    expect(await run('approve', id, 'nobody')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('[job/not-found]') as string,
    });
    expect(await run('approve', id, 'ship', '--comment', 'seen it')).toMatchObject({ exit: 0 });
    expect(await called.ended).toBe(0);
    expect(called.out()).toContain('ship | shipped\n');
    expect((await run('status', id)).out).toContain('"seen it"');
    expect(await run('approve', id, 'ship')).toMatchObject({ exit: 1 });
  });

  test('reject, retry, play, cancel, logs', async () => {
    write(
      `stages: [a, b]\nflaky:\n${job(['test "$CI_JOB_NAME" = never'], ['  stage: a', '  allow_failure: true'])}` +
        `tidy:\n${job(['echo tidied'], ['  stage: b', '  when: manual'])}`,
    );
    const { exit, out } = await run('run');
    expect(exit).toBe(0);
    const id = /davit play (shop\/\d+) tidy/.exec(out)?.[1] ?? '';
    expect(await run('play', id, 'tidy')).toMatchObject({ exit: 0 });
    await until('the log is there', async () => (await run('logs', id, 'tidy')).out.includes('tidied'));
    expect((await run('logs', id, 'tidy', '-f')).out).toContain('tidied\n');
    expect(await run('retry', id, 'flaky')).toMatchObject({ exit: 0 });
    await until('the second attempt', async () => {
      const status = json<PipelineStatus>((await run('status', id, '--json')).out);
      return status.jobs.some((one) => one.key === 'flaky' && one.attempt === 2 && one.phase === 'ended');
    });
    expect((await run('logs', id, 'flaky', '--attempt', '1')).exit).toBe(0);
  });
});

describe('running jobs survive', () => {
  const sleeping = async (): Promise<{ id: string; ended: Promise<number>; out(): string }> => {
    write(`long:\n${job(['echo started', 'sleep 12', 'echo done'])}`);
    const called = davit(project(), ['run'], env);
    await called.shows(/long +?\| started/);
    return { id: /Pipeline (shop\/\d+)/.exec(called.err())?.[1] ?? '', ended: called.ended, out: called.out };
  };

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    '%s of the one process: it is restarted, the script runs once, the log is complete',
    async (signal) => {
      const { ended, out } = await sleeping();
      const { processes } = runFile();
      expect(processes.map((one) => one.name).sort()).toEqual(['davit', 'registry', 'temporal']);
      const pidOf = (file: RunFile): number => file.processes.find((one) => one.name === 'davit')?.pid ?? 0;
      const first = pidOf(runFile());
      process.kill(first, signal);
      await until('it is replaced', () => pidOf(runFile()) !== first);
      expect(await ended).toBe(0);
      expect(out().match(/long \| started/g)).toHaveLength(1);
      expect(out().match(/long \| done/g)).toHaveLength(1);
    },
  );

  test('kill -9 of davit itself: the next start ends leftovers, and the job continues', async () => {
    const { id, ended } = await sleeping();
    const before = runFile();
    process.kill(before.pid, 'SIGKILL');
    await until('it is gone', () => !isAlive(before.pid));
    expect(await run('up', '--detach', '--swarm')).toMatchObject({ exit: 0 });
    for (const { pid } of before.processes) expect(isAlive(pid)).toBe(false);
    expect(runFile().server).toBe(before.server);
    expect(await ended).toBe(0);
    expect(json<PipelineStatus>((await run('status', id, '--json')).out)).toMatchObject({ state: 'success' });
  });

  test('a second up is refused, and down ends every process', async () => {
    expect(await run('up')).toMatchObject({
      exit: 2,
      err: expect.stringContaining('[local/already-up]') as string,
    });
    const { pid, processes } = runFile();
    expect(await run('down')).toMatchObject({ exit: 0 });
    for (const one of [pid, ...processes.map((each) => each.pid)]) expect(isAlive(one)).toBe(false);
    expect(await run('pipelines')).toMatchObject({ exit: 3 });
    expect((await run('down')).err).toContain('was not running');
  });

  test('a restart of everything keeps the data', async () => {
    expect(await run('up', '--detach')).toMatchObject({ exit: 0 });
    const list = json<{ id: string }[]>((await run('pipelines', '--json')).out);
    expect(list.map((one) => one.id)).toContain('shop/1');
    expect((await run('logs', 'shop/1', 'unit')).out).toContain('uncommitted');
    expect((await run('doctor')).exit).toBe(0);
  });
});
