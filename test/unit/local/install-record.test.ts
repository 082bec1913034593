import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readInstallRecord, recordInstalled } from '../../../src/local/setup/install-record.ts';

const EMPTY = { packages: [], emulation: [], swarm: false, usedSwarm: false, gateway: false };
let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-record-'));
});
afterEach(() => rmSync(home, { recursive: true }));

test('nothing was recorded', () => {
  expect(readInstallRecord({ home })).toEqual(EMPTY);
});

test('entries add up, each once, also in a home that is not there yet', () => {
  const later = { home: join(home, 'later') };
  recordInstalled(later, { packages: ['docker.io'] });
  recordInstalled(later, { packages: ['docker.io', 'qemu-user-static'], emulation: ['arm32'] });
  recordInstalled(later, { swarm: true });
  expect(readInstallRecord(later)).toEqual({
    packages: ['docker.io', 'qemu-user-static'],
    emulation: ['arm32'],
    swarm: true,
    usedSwarm: false,
    gateway: false,
  });
});

test('a record that cannot be read takes nothing back', () => {
  recordInstalled({ home }, { swarm: true });
  const path = join(home, 'installed.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('true', '"yes"'));
  expect(readInstallRecord({ home })).toEqual(EMPTY);
});
