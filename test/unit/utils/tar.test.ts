/** Names that are not UTF-8, through davit's tars and as other readers see them. */
import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { workspaceTar } from '../../../activities/job/start/workspace.ts';
import { eachEntry } from '../../../activities/runtime/tar.ts';
import { packFolder } from '../../../src/adapters/git/pack.ts';
import { rawNamesOf } from '../../../src/utils/tar.ts';

const LATIN = Buffer.from('caf\xe9.txt', 'latin1');
const LONG = Buffer.concat([Buffer.from('x'.repeat(150)), Buffer.from([0xff])]);
const FOLDER = Buffer.from('d\xe9p', 'latin1');

let root: string;
const at = (...names: (Buffer | string)[]): Buffer =>
  Buffer.concat([Buffer.from(root), ...names.flatMap((name) => [Buffer.from('/'), Buffer.from(name)])]);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'davit-test-names-'));
  mkdirSync(at('in'));
  mkdirSync(at('out'));
  mkdirSync(at('in', FOLDER));
  writeFileSync(at('in', LATIN), 'latin');
  writeFileSync(at('in', 'plain.txt'), 'plain');
  writeFileSync(at('in', LONG), '');
  writeFileSync(at('in', FOLDER, LATIN), 'y'.repeat(100_000));
  symlinkSync(LATIN, at('in', 'link'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function unpacked(tar: Buffer): Promise<void> {
  writeFileSync(at('t.tar'), tar);
  await promisify(execFile)('tar', ['-xf', 't.tar', '-C', 'out'], { cwd: root });
}
const namesIn = (...path: (Buffer | string)[]): string[] =>
  readdirSync(at(...path), { encoding: 'buffer' })
    .map((name) => name.toString('latin1'))
    .toSorted();

test('a tree keeps its names, for tar and in the workspace of a job', async () => {
  const source = await buffer(packFolder(join(root, 'in')).tar);
  await unpacked(source);
  expect(namesIn('out')).toEqual(namesIn('in'));
  const archive = workspaceTar({
    projectDir: '/builds/p',
    source: async () => Readable.from([source]),
    artifacts: [],
    files: {},
    limits: { entries: 1_000, ratio: 100 },
  });
  await unpacked(await buffer(archive));
  const project = ['out', 'builds', 'p'];
  expect(namesIn(...project)).toEqual(namesIn('in'));
  expect(readFileSync(at(...project, LATIN), 'utf8')).toBe('latin');
  expect(readFileSync(at(...project, FOLDER, LATIN), 'utf8')).toHaveLength(100_000);
  expect(readlinkSync(at(...project, 'link'), { encoding: 'buffer' })).toEqual(LATIN);
});

test('other readers of davit see a replacement character, and ordinary names have no further header', async () => {
  const names: string[] = [];
  await eachEntry(packFolder(join(root, 'in')).tar, async ({ name, pax }) => {
    names.push(name);
    expect(pax !== null).toBe(name.includes('\uFFFD') || name === 'link');
  });
  expect(names).toContain('caf\uFFFD.txt');
  expect(names).toContain('d\uFFFDp/caf\uFFFD.txt');
});

test('bytes that do not fit the name that was checked are not used', () => {
  const pax = { 'DAVIT.path': Buffer.from('../../etc/\xe9', 'latin1').toString('hex') };
  expect(rawNamesOf({ name: 'caf\uFFFD', pax })).toBeUndefined();
  expect(rawNamesOf({ name: '../../etc/\uFFFD', pax })?.name).toBeDefined();
  expect(rawNamesOf({ name: 'a', pax: { 'DAVIT.path': 'zz' } })).toBeUndefined();
  expect(rawNamesOf({ name: 'a', pax: null })).toBeUndefined();
});
