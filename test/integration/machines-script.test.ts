/** deploy/machines.sh over OpenSSH's own server: what it runs on a machine, and how it calls `davit worker add`. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../../src/local/process/exec.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';
import { startSshMachine, type SshMachine } from '../support/ssh-machine.ts';

await describeWithParts('a list of machines', [sshServerPart], ([part = '']) => script(join(part, 'sshd')), {
  root: true,
});

function script(sshd: string): void {
  let board: SshMachine;
  let folder = '';
  beforeAll(async () => {
    board = await startSshMachine(sshd);
    folder = await mkdtemp(join(tmpdir(), 'davit-test-script-'));
    // A person's ssh knows the machine.
    await program('ssh', `exec /usr/bin/ssh -o UserKnownHostsFile=${board.knownHosts} "$@"`);
    await program('davit', `echo "$*" >>${folder}/calls; [ "$3" != refused ]`);
  });
  afterAll(async () => {
    await board.stop();
    await rm(folder, { recursive: true });
  });

  async function program(name: string, text: string): Promise<void> {
    await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(folder, name), 0o755);
  }

  test('each one is prepared and added; one that fails does not stop the others', async () => {
    const list = join(folder, 'list');
    const away = `${board.address}:1`;
    await writeFile(
      list,
      [
        '# ours',
        `pi4  --docker ${board.address} --arch arm64   # on the wall`,
        '',
        `away --docker ${away} --arch arm64`,
        `refused --docker ${board.address} --arch amd64`,
        'here --arch amd64 --tags gpio,bench',
      ].join('\n'),
    );
    const env = { PATH: `${folder}:${process.env.PATH}`, SSH_AUTH_SOCK: board.agent };
    const done = await runCommand('sh', [join(ROOT, 'deploy', 'machines.sh'), '--prepare', list], { env });
    expect(done.code).toBe(1);
    expect(done.stdout).toContain('pi4: has an engine\n');
    expect(done.stderr).toContain('not added: away refused\n');
    expect(await readFile(join(folder, 'calls'), 'utf8')).toBe(
      [
        `worker add pi4 --docker ${board.address} --arch arm64`,
        `worker add refused --docker ${board.address} --arch amd64`,
        'worker add here --arch amd64 --tags gpio,bench',
        '',
      ].join('\n'),
    );
  });
}
