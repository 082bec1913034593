import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../../../src/config.ts';
import { backup } from '../../../../src/local/backup/backup.ts';
import { FORMAT, MANIFEST } from '../../../../src/local/backup/manifest.ts';
import { adopt, restore } from '../../../../src/local/backup/restore.ts';
import { temporalDatabase } from '../../../../src/local/setup/temporal-database.ts';

const NOW = Date.parse('2026-05-04T03:00:00Z');
const HOUR_MS = 3_600_000;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const blob = (text: string): string => `data/blobs/sha256/${sha256(text).slice(0, 2)}/${sha256(text)}`;

let root = '';
let settings: Settings;
const at = (name: string): string => join(settings.home, name);
const file = (): string => join(root, 'backup.tgz');
function write(name: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text, { mode });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'davit-backup-unit-'));
  settings = { ...readSettings({}), home: join(root, 'home') };
  write('keys/installation-id', 'an-installation\n');
  write('keys/cli-token', 'secret');
  write('ca/ca.crt', 'public', 0o644);
  write('data/records/projects/table~.json', '{}');
  write(blob('content'), 'content');
  write('data/numbers/iid-table/head', '{"next":52,"last":{"claim":"c","first":51,"count":1}}');
  write('data/numbers/jobs/head', '{"next":900}');
  write('data/numbers/tree-7/head', '{"next":3}');
  write('registry/docker/registry/v2/repositories/table/_uploads/x/data', 'half');
  write('registry/docker/registry/v2/repositories/table/_manifests/tags/1/current/link', 'sha256:…');
  write('log/davit.log', 'a log');
  write('run.json', '{}');
  write('up.lock', '1');
  write('installed.json', '{}');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const save = (images = true) => backup(settings, { to: file(), images, now: NOW });
/** Moves the home away and brings it back. */
function bringBack(more: { now?: number; after?: number } = {}) {
  rmSync(settings.home, { recursive: true });
  return restore(settings, { from: file(), now: NOW, ...more });
}
const nextOf = (name: string): unknown => JSON.parse(readFileSync(at(`data/numbers/${name}/head`), 'utf8'));

describe('a backup', () => {
  test('has what belongs to the installation, and nothing of this machine or of running processes', async () => {
    const { manifest, damaged } = await save();
    expect(damaged).toEqual([]);
    expect(Object.keys(manifest.files).toSorted()).toEqual(
      [
        ...['ca/ca.crt', 'keys/cli-token', 'keys/installation-id', blob('content')],
        'data/records/projects/table~.json',
        ...['iid-table', 'jobs', 'tree-7'].map((name) => `data/numbers/${name}/head`),
        'registry/docker/registry/v2/repositories/table/_manifests/tags/1/current/link',
      ].toSorted(),
    );
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(root).toSorted()).toEqual(['backup.tgz', 'home']);
  });

  test('leaves images out on request, and gets a name in a folder', async () => {
    const { file: path, manifest } = await backup(settings, { to: root, images: false, now: NOW });
    expect(path).toBe(join(root, 'davit-2026-05-04T030000Z.tgz'));
    expect(Object.keys(manifest.files).some((name) => name.startsWith('registry/'))).toBe(false);
  });

  test('copies a database that is being written, as of one moment', async () => {
    const database = new DatabaseSync(temporalDatabase(settings.home));
    database.exec('PRAGMA journal_mode=WAL; CREATE TABLE one (value); INSERT INTO one VALUES (1)');
    database.exec('BEGIN IMMEDIATE; INSERT INTO one VALUES (2)');
    await save();
    database.exec('COMMIT');
    database.close();
    await bringBack();
    const copy = new DatabaseSync(temporalDatabase(settings.home), { readOnly: true });
    expect(copy.prepare('SELECT value FROM one').all()).toEqual([{ value: 1 }]);
    copy.close();
  });

  test('names a blob whose content is not what it was', async () => {
    write(blob('content'), 'another');
    expect((await save()).damaged).toEqual([blob('content')]);
  });

  test('is refused without an installation, and inside of the home', async () => {
    await expect(backup(settings, { to: at('x.tgz'), images: true, now: NOW })).rejects.toMatchObject({
      code: 'usage/invalid',
    });
    rmSync(settings.home, { recursive: true });
    await expect(save()).rejects.toMatchObject({ code: 'local/home' });
  });
});

describe('a restore', () => {
  test('brings back every file with its mode, keys closed to others', async () => {
    write('keys/open', 'left open', 0o644);
    const { manifest } = await save();
    await bringBack();
    for (const [name, { sha256: wanted }] of Object.entries(manifest.files))
      if (!name.startsWith('data/numbers/')) expect(sha256(readFileSync(at(name), 'utf8'))).toBe(wanted);
    expect(statSync(at('keys/open')).mode & 0o777).toBe(0o600);
    expect(statSync(at('ca/ca.crt')).mode & 0o777).toBe(0o644);
    expect(statSync(settings.home).mode & 0o777).toBe(0o700);
    expect(readdirSync(root).toSorted()).toEqual(['backup.tgz', 'home']);
  });

  test('begins a new epoch: pipelines and jobs go on at numbers that nobody has seen', async () => {
    await save();
    expect(await bringBack()).toMatchObject({ epoch: 1, counters: { 'iid-table': 2_001, jobs: 200_001 } });
    expect(nextOf('iid-table')).toEqual({ next: 2_001, last: { claim: 'c', first: 51, count: 1 } });
    expect(nextOf('tree-7')).toEqual({ next: 3 });
    await save();
    expect(await bringBack({ now: NOW + 30 * HOUR_MS })).toMatchObject({
      epoch: 2,
      counters: { 'iid-table': 32_001 },
    });
    expect(await adopt(settings, { backupAt: NOW, now: NOW, after: 70_500 })).toMatchObject({
      epoch: 3,
      counters: { 'iid-table': 71_001 },
    });
  });

  test('overwrites nothing', async () => {
    await save();
    await expect(restore(settings, { from: file(), now: NOW })).rejects.toMatchObject({ code: 'local/home' });
  });

  test('refuses the database of another Temporal', async () => {
    new DatabaseSync(at('temporal-0.0.1.db')).close();
    await save();
    await expect(bringBack()).rejects.toMatchObject({ code: 'local/database-version' });
  });

  test('takes no part of a backup that was cut off or changed', async () => {
    await save();
    const whole = readFileSync(file());
    const cut = whole.subarray(0, whole.length - 100);
    const plain = gunzipSync(whole);
    const changed = Buffer.from(plain);
    changed[plain.indexOf('content\0')] = 0x43;
    // The end of the archive without the manifest before it.
    const noManifest = plain.subarray(0, plain.indexOf(`${MANIFEST}\0`));
    for (const bytes of [cut, gzipSync(changed), gzipSync(noManifest), Buffer.from('no archive')]) {
      writeFileSync(file(), bytes);
      await expect(bringBack()).rejects.toMatchObject({ code: 'backup/invalid' });
      expect(readdirSync(root)).toEqual(['backup.tgz']);
      mkdirSync(settings.home);
    }
  });

  test.each([
    ['a path out of the home', { name: '../evil' }],
    ['an absolute path', { name: '/tmp/evil' }],
    ['a link', { name: 'keys/link', type: 'symlink', linkname: '/etc/passwd' } as const],
    ['a file that the manifest does not name', { name: 'keys/extra' }],
  ])('believes no archive: %s', async (_what, header) => {
    const tar = pack();
    tar.entry(header, header.name.endsWith('link') ? '' : 'evil');
    const manifest = { format: FORMAT, davit: '0', createdAt: NOW, images: false, epoch: 0, files: {} };
    tar.entry({ name: MANIFEST }, JSON.stringify(manifest));
    tar.finalize();
    writeFileSync(file(), gzipSync(await buffer(tar)));
    await expect(bringBack()).rejects.toMatchObject({ code: 'backup/invalid' });
    expect(readdirSync(root)).toEqual(['backup.tgz']);
  });
});
