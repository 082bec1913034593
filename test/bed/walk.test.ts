/**
 * The walk of docs/installation.md from nothing to a fleet: its commands are read from the page, counted, and run one by
 * one on a bed, by the user whom they are written for.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { basePackagesPart } from '../parts/bed.ts';
import { findPart } from '../parts/part.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';
import { startBed, type Bed } from './support/bed.ts';
import { davitEnvironment } from './support/installation.ts';
import { INTERNET } from './support/lan.ts';
import { INSIDE } from './support/space.ts';

const PAGE = join(ROOT, 'docs', 'installation.md');
const MOST = 12;
const WALK_MS = 1_800_000;
/** Whom the boards of the page have, and what is typed when ssh-copy-id asks. */
const PERSON = { name: 'pi', password: 'raspberry' };
const ASKPASS = `${INSIDE}/askpass`;

/** The lines of the first block of commands below a heading, without those that only explain. */
function commandsOf(page: string, heading: string): string[] {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`));
  const block = /```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  return block
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

const commands = commandsOf(readFileSync(PAGE, 'utf8'), 'From nothing to a fleet');

/**
 * What the bed adds, because it lies on one machine of amd64, and because nothing in it reaches Debian's mirrors. Nothing else of
 * a command is changed.
 */
function inTheBed(command: string): string {
  if (/davit worker add/.test(command)) return `${command} --emulation`;
  if (/examples\/base/.test(command)) return `${command} --var DEBIAN_MIRROR=http://${INTERNET}/debian`;
  return command;
}

await describeWithParts('from nothing to a fleet', [sshServerPart, basePackagesPart], suite, { root: true });

function suite(): void {
  let bed: Bed;
  beforeAll(async () => {
    bed = await startBed({ machines: ['head', 'board64', 'board32'], bare: true });
    await bed.lan.serve((await findPart(basePackagesPart)) ?? '');
    for (const name of ['board64', 'board32']) await bed.machine(name).addPerson(PERSON);
    const answers = `#!/bin/sh\ncase "$1" in *yes/no*) echo yes ;; *) echo ${PERSON.password} ;; esac\n`;
    await bed.head.write(ASKPASS, answers, 0o755);
  });
  afterAll(() => bed?.stop());

  /** As a person types it in the clone. */
  function type(command: string): Promise<{ code: number; said: string }> {
    const [first, ...rest] = bed.head.space.enter('env', `--chdir=${ROOT}`, 'sh', '-c', command);
    return new Promise((resolve, reject) => {
      const child = spawn(first, rest, {
        env: davitEnvironment({ SSH_ASKPASS: ASKPASS, SSH_ASKPASS_REQUIRE: 'force' }),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? -1, said }));
    });
  }

  test(
    `${commands.length} commands lead to a pipeline on three machines`,
    async () => {
      expect(commands.length).toBeGreaterThan(5);
      expect(commands.length).toBeLessThanOrEqual(MOST);
      const began = performance.now();
      const times: string[] = [];
      for (const command of commands) {
        const from = performance.now();
        const { code, said } = await type(inTheBed(command));
        expect(code, `${command}\n${said}`).toBe(0);
        times.push(`${((performance.now() - from) / 1_000).toFixed(1).padStart(6)} s  ${command}`);
      }
      const all = ((performance.now() - began) / 1_000).toFixed(0);
      process.stdout.write(`${times.join('\n')}\n${commands.length} commands, ${all} s\n`);
      const { said } = await type('./davit status base/1 --json');
      const { jobs } = JSON.parse(said.slice(said.indexOf('{'))) as PipelineStatus;
      const hosts = jobs.filter(({ key }) => key.startsWith('build')).map(({ result }) => result?.host);
      expect(new Set(hosts).size).toBe(3);
    },
    WALK_MS,
  );
}
