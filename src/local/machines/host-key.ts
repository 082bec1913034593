/**
 * Which ssh host key davit trusts for a machine. It is pinned in davit's own known_hosts, and counts alone from then on.
 * A key is pinned only if a person has seen it: on this terminal, as `--host-key`, or because ssh knows it already.
 */
import { rm } from 'node:fs/promises';
import type { SshAddress } from '../../adapters/docker/connection/address.ts';
import { askHostKey, isKnownToUser } from '../../adapters/docker/connection/ask-host-key.ts';
import {
  fingerprint,
  pinnedKey,
  withPinned,
  type HostKey,
} from '../../adapters/docker/connection/host-keys.ts';
import { pinnedHosts, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { ok, type Finding } from '../doctor/check.ts';
import { readIfThere, replaceFile } from '../process/files.ts';

export interface HostKeyQuestion {
  settings: Pick<Settings, 'home'>;
  address: SshAddress;
  /** The address as it was written. */
  shown: string;
  /** `--host-key SHA256:…` */
  expected?: string | undefined;
  /** Asks a person; undefined where nobody is there. */
  confirm?: ((text: string) => Promise<boolean>) | undefined;
}
export interface HostKeyAnswer {
  key: HostKey;
  finding: Finding;
}

/** Changes nothing. Rejects with `machine/host-key` or `engine/unreachable`. */
export async function decideHostKey(question: HostKeyQuestion): Promise<HostKeyAnswer> {
  const { settings, address, shown, expected, confirm } = question;
  const pinned = await pinnedKey(pinnedHosts(settings), address);
  // ssh shows the key whose type is known, so a machine with several is asked for this one.
  const wanted = expected ?? (pinned && fingerprint(pinned));
  const key = await askHostKey(address, shown, wanted);
  const print = fingerprint(key);
  const type = key.type.replace(/^ssh-|^ecdsa-sha2-/, '').toUpperCase();
  const answer = (how: string): HostKeyAnswer => ({
    key,
    finding: ok('host key', `${type} ${print}, ${how}`),
  });
  if (expected !== undefined) {
    if (print === expected) return answer(pinned ? 'as given' : 'as given; pinned');
    throw new DavitError(
      'machine/host-key',
      `${shown} shows the ssh host key ${print} (${type}), and not ${expected}. Nothing was sent to it.`,
      { hint: howToCompare() },
    );
  }
  if (pinned && fingerprint(pinned) === print) return answer('as pinned');
  if (pinned)
    throw new DavitError(
      'machine/host-key',
      `The ssh host key of ${shown} has changed: ${fingerprint(pinned)} is pinned, and it shows ${print} (${type}). Nothing was sent to it.`,
      {
        hint: `If the machine was reinstalled: ${howToCompare()} Then add it again with --host-key and the new one. If not, something else answers in its place.`,
      },
    );
  if (await isKnownToUser(address, key)) return answer('as in your known_hosts; pinned');
  const text = `The ssh host key of ${shown} is ${type} ${print}.`;
  if (confirm && (await confirm(`${text} ${howToCompare()}\nIs it the same?`)))
    return answer('confirmed; pinned');
  throw new DavitError('machine/host-key', `${text} It is not known here. Nothing was sent to it.`, {
    hint: `${howToCompare()} Then write it behind --host-key.`,
  });
}

const howToCompare = (): string =>
  'Compare it on the machine itself: `for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done`.';

/** Returns what takes it back. */
export async function pin(
  settings: Pick<Settings, 'home'>,
  address: SshAddress,
  key: HostKey,
): Promise<() => Promise<void>> {
  const file = pinnedHosts(settings);
  const before = await readIfThere(file);
  await replaceFile(file, withPinned(before ?? '', address, key), 0o600);
  return () => (before === undefined ? rm(file, { force: true }) : replaceFile(file, before, 0o600));
}

/** Forgets the key of a machine that was removed. */
export async function unpin(settings: Pick<Settings, 'home'>, address: SshAddress): Promise<void> {
  const file = pinnedHosts(settings);
  const before = await readIfThere(file);
  if (before === undefined) return;
  await replaceFile(file, withPinned(before, address, undefined), 0o600);
}
