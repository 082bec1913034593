/**
 * davit's own file of ssh host keys: one line for each machine that `davit worker add` has pinned, in the format of
 * known_hosts. Not its role: hosts that only the user's own known_hosts names.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SshAddress } from './address.ts';

export interface HostKey {
  /** `ssh-ed25519` */
  type: string;
  /** As in known_hosts, base64. */
  key: string;
}

/** The host as its line in the file names it: `board`, or `[board]:2222`. Pure. */
export function hostAlias({ host, port }: Pick<SshAddress, 'host' | 'port'>): string {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return port === undefined || port === 22 ? bare : `[${bare}]:${port}`;
}

/** As `ssh-keygen -l` prints it. Pure. */
export const fingerprint = ({ key }: HostKey): string =>
  `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`;

/** Lines without a host name, options or hashes: what davit writes, and ssh for one that it accepts. Pure. */
export function hostKeysIn(text: string): ({ host: string } & HostKey)[] {
  return text.split('\n').flatMap((line) => {
    const [host = '', type = '', key = ''] = line.trim().split(/\s+/);
    return key === '' || host.startsWith('#') ? [] : [{ host, type, key }];
  });
}

/** The key of this machine; undefined if none is pinned. */
export async function pinnedKey(file: string, address: SshAddress): Promise<HostKey | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const found = hostKeysIn(text).find(({ host }) => host === hostAlias(address));
  return found && { type: found.type, key: found.key };
}

/** The text of the file with this key in place of a former one; without a key, without the machine. Pure. */
export function withPinned(text: string, address: SshAddress, key: HostKey | undefined): string {
  const alias = hostAlias(address);
  const others = text.split('\n').filter((line) => line !== '' && !line.startsWith(`${alias} `));
  const lines = key ? [...others, `${alias} ${key.type} ${key.key}`] : others;
  return lines.map((line) => `${line}\n`).join('');
}
