/**
 * Asks a machine for its ssh host key, and the user's own known_hosts for the one that it should have. By ssh itself and
 * not by ssh-keyscan, so that the user's configuration counts (names, ports, jump hosts), and the key is of the type that
 * a later connection gets. No login is tried, and nothing is sent.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DavitError } from '../../../errors.ts';
import { removeTempFolder, tempFolder } from '../../temp.ts';
import { oneLine } from '../../text.ts';
import type { SshAddress } from './address.ts';
import { fingerprint, hostAlias, hostKeysIn, type HostKey } from './host-keys.ts';
import { sshDestination } from './ssh.ts';

const WAIT_MS = 40_000;
/** In the order in which they are asked for. */
const TYPES = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512'];

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * The key that the machine shows; with `expected`, a fingerprint, that key if the machine has it among those of other
 * types. Rejects with `engine/unreachable`.
 */
export async function askHostKey(address: SshAddress, shown: string, expected?: string): Promise<HostKey> {
  const first = await askOnce(address, shown);
  if (expected === undefined || fingerprint(first) === expected) return first;
  for (const type of TYPES) {
    const other = await askOnce(address, shown, type).catch(() => undefined); // it has no key of this type
    if (other && fingerprint(other) === expected) return other;
  }
  return first;
}

async function askOnce(address: SshAddress, shown: string, type?: string): Promise<HostKey> {
  const folder = await tempFolder('hostkey');
  try {
    const file = join(folder, 'known');
    const settings = [
      'StrictHostKeyChecking=accept-new',
      `UserKnownHostsFile="${file}"`,
      'GlobalKnownHostsFile=/dev/null',
      `HostKeyAlias=${hostAlias(address)}`,
      'HashKnownHosts=no',
      'UpdateHostKeys=no',
      'CheckHostIP=no',
      'BatchMode=yes',
      'ConnectTimeout=15',
      'PreferredAuthentications=none',
      'ControlMaster=no',
      'ControlPath=none',
      'ClearAllForwardings=yes',
      ...(type === undefined ? [] : [`HostKeyAlgorithms=${type}`]),
    ];
    const options = settings.flatMap((setting) => ['-o', setting]);
    const { stderr } = await run('ssh', ['-T', ...options, ...sshDestination(address), 'true']);
    const [key] = hostKeysIn(await readFile(file, 'utf8').catch(() => '')); // it got no key: reported below
    if (key) return { type: key.type, key: key.key };
    throw new DavitError('engine/unreachable', `Cannot reach ${shown} by ssh: ${oneLine(stderr)}`, {
      hint: 'Check the name, the port, and that the machine is on and runs an ssh server.',
    });
  } finally {
    await removeTempFolder(folder);
  }
}

/** Whether the user's own known_hosts has this key of the machine: then a person has accepted it before. */
export async function isKnownToUser(address: SshAddress, { type, key }: HostKey): Promise<boolean> {
  const { stdout } = await run('ssh', ['-G', ...sshDestination(address)]);
  const setting = (name: string): string | undefined =>
    new RegExp(`^${name} (.+)$`, 'm').exec(stdout)?.[1]?.trim();
  const host = setting('hostname') ?? address.host;
  const port = Number(setting('port') ?? 22);
  const name = setting('hostkeyalias') ?? hostAlias({ host, port });
  const files = (setting('userknownhostsfile') ?? '~/.ssh/known_hosts').split(/\s+/);
  for (const file of files) {
    const path = file.replace(/^~(?=\/)/, homedir());
    const found = await run('ssh-keygen', ['-F', name, '-f', path]);
    if (hostKeysIn(found.stdout).some((one) => one.type === type && one.key === key)) return true;
  }
  return false;
}

function run(program: string, args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: WAIT_MS }, (error, stdout, stderr) => {
      const missing = error && 'code' in error && error.code === 'ENOENT';
      const code = typeof error?.code === 'number' ? error.code : error ? 1 : 0;
      resolve({ code, stdout, stderr: missing ? `${program} is not installed` : stderr });
    });
    child.stdin?.end();
  });
}
