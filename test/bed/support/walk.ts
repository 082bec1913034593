/** Commands of docs/installation.md, typed on the head of a bed by the user whom they are written for. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { PipelineStatus } from '../../../src/plan/model/protocol.ts';
import { ROOT } from '../../support/source.ts';
import type { Bed } from './bed.ts';
import { davitEnvironment } from './installation.ts';
import { INTERNET } from './lan.ts';
import { INSIDE } from './space.ts';

const PAGE = join(ROOT, 'docs', 'installation.md');
/** A reader should need no more. */
export const MOST = 12;
export const WALK_MS = 1_800_000;
/** Whom the boards of the page have, and what is typed when ssh-copy-id asks. */
const PERSON = { name: 'pi', password: 'raspberry' };
const ASKPASS = `${INSIDE}/askpass`;
/** Programs of the head's user. */
const PROGRAMS = `${INSIDE}/bin`;

/** The lines of the first block of commands below a heading such as `## Title`, without those that only explain. */
export function commandsOf(heading: string): string[] {
  const page = readFileSync(PAGE, 'utf8');
  const from = page.indexOf(`\n${heading}\n`);
  if (from === -1) throw new Error(`docs/installation.md has no "${heading}".`);
  const block = /```sh\n([\s\S]*?)```/.exec(page.slice(from))?.[1] ?? '';
  return block
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * What the bed adds, because it lies on one machine of amd64, and because nothing in it reaches Debian's mirrors. Nothing else of
 * a command is changed.
 */
function inTheBed(command: string): string {
  if (/davit worker add/.test(command)) return `${command} --emulation`;
  if (/examples\/base/.test(command)) return `${command} --var DEBIAN_MIRROR=http://${INTERNET}/debian`;
  return command;
}

/** The boards have a user, and the head one who may use sudo and types the password when ssh asks. */
export async function addPeople(bed: Bed, boards: readonly string[]): Promise<void> {
  for (const name of boards) await bed.machine(name).addPerson(PERSON);
  const answers = `#!/bin/sh\ncase "$1" in *yes/no*) echo yes ;; *) echo ${PERSON.password} ;; esac\n`;
  await bed.head.write(ASKPASS, answers, 0o755);
  await bed.head.write(`${PROGRAMS}/sudo`, '#!/bin/sh\nexec "$@"\n', 0o755);
}

/** As a person types it in the clone. */
function type(bed: Bed, clone: string, command: string): Promise<{ code: number; said: string }> {
  const [first, ...rest] = bed.head.space.enter('env', `--chdir=${clone}`, 'sh', '-c', command);
  return new Promise((resolve, reject) => {
    const child = spawn(first, rest, {
      env: davitEnvironment({
        SSH_ASKPASS: ASKPASS,
        SSH_ASKPASS_REQUIRE: 'force',
        PATH: `${PROGRAMS}:${process.env.PATH ?? ''}`,
      }),
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

/** Types them one by one. Prints how long each takes. */
export async function walk(bed: Bed, clone: string, commands: readonly string[]): Promise<void> {
  expect(commands.length).toBeGreaterThan(5);
  expect(commands.length).toBeLessThanOrEqual(MOST);
  const began = performance.now();
  const times: string[] = [];
  for (const command of commands) {
    const from = performance.now();
    const { code, said } = await type(bed, clone, inTheBed(command));
    expect(code, `${command}\n${said}`).toBe(0);
    times.push(`${((performance.now() - from) / 1_000).toFixed(1).padStart(6)} s  ${command}`);
  }
  const all = ((performance.now() - began) / 1_000).toFixed(0);
  process.stdout.write(`${times.join('\n')}\n${commands.length} commands, ${all} s\n`);
}

/** The first pipeline of the walk was built on three machines. `asked`: before `davit`, as on the page. */
export async function expectThreeMachines(bed: Bed, clone: string, asked = ''): Promise<void> {
  const { said } = await type(bed, clone, `${asked} ./davit status base/1 --json`);
  const { jobs } = JSON.parse(said.slice(said.indexOf('{'))) as PipelineStatus;
  const hosts = jobs.filter(({ key }) => key.startsWith('build')).map(({ result }) => result?.host);
  expect(new Set(hosts).size, said).toBe(3);
}
