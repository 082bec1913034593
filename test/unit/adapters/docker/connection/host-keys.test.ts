import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  fingerprint,
  hostAlias,
  pinnedKey,
  withPinned,
} from '../../../../../src/adapters/docker/connection/host-keys.ts';

const board = { kind: 'ssh', host: 'Board.local', socket: '/s' } as const;
const [one, other] = [
  { type: 'ssh-ed25519', key: 'AAAA' },
  { type: 'ssh-rsa', key: 'BBBB' },
];

test('a machine is named as known_hosts does', () => {
  expect(hostAlias(board)).toBe('board.local');
  expect(hostAlias({ ...board, port: 22 })).toBe('board.local');
  expect(hostAlias({ host: '[FD00::1]', port: 2222 })).toBe('[fd00::1]:2222');
});

test('a fingerprint is the one that ssh-keygen prints', () => {
  const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
  expect(fingerprint({ type: 'ssh-ed25519', key })).toBe(
    'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
  );
});

test('a machine has one key, and others are left alone', async () => {
  const first = withPinned('', board, one);
  const two = withPinned(first, { ...board, port: 2222 }, one);
  const replaced = withPinned(two, board, other);
  expect(replaced).toBe('[board.local]:2222 ssh-ed25519 AAAA\nboard.local ssh-rsa BBBB\n');
  expect(withPinned(replaced, board, undefined)).toBe('[board.local]:2222 ssh-ed25519 AAAA\n');
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-keys-'));
  const file = join(folder, 'known_hosts');
  expect(await pinnedKey(file, board)).toBeUndefined();
  await writeFile(file, replaced);
  expect(await pinnedKey(file, board)).toEqual(other);
  expect(await pinnedKey(file, { ...board, host: 'elsewhere' })).toBeUndefined();
  await rm(folder, { recursive: true });
});
