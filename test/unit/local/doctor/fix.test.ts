import { chmod, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSettings } from '../../../../src/config.ts';
import { fix } from '../../../../src/local/doctor/fix.ts';
import { lineProgress } from '../../../../src/local/process/progress.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-fix-'));
  for (const folder of ['keys', 'data/scratch', 'cache/bundles'])
    await mkdir(join(home, folder), { recursive: true });
});
afterEach(() => rm(home, { recursive: true, force: true }));

const settings = () =>
  readSettings({
    DAVIT_HOME: home,
    DAVIT_CACHE: join(home, 'cache'),
    DOCKER_HOST: 'unix:///nowhere/docker.sock',
  });
const run = async (dryRun: boolean): Promise<string[]> => {
  const collect = async () => ({ blobs: 2, bytes: 1, kept: 3 });
  const progress = lineProgress(() => undefined, false);
  const fixes = await fix({ settings: settings(), dryRun, progress, collect });
  // An engine of this machine, or folders of other programs, do not matter to this test.
  return fixes
    .filter(({ name }) => name !== 'engine' && name !== 'temporary folders')
    .map(({ name, what, done }) => `${done ? 'done' : 'would'} ${name}: ${what}`);
};
async function file(name: string, hoursOld = 0): Promise<string> {
  const path = join(home, name);
  await writeFile(path, 'x', { mode: 0o600 });
  const at = new Date(Date.now() - hoursOld * 3_600_000);
  await utimes(path, at, at);
  return path;
}
const isThere = (path: string): Promise<boolean> => stat(path).then(Boolean, () => false);

test('leftovers of a crash are shown first, then removed; new, used or foreign objects stay', async () => {
  const gone = {
    pid: 999_999_999,
    version: '0',
    startedAt: 1,
    server: 'http://x',
    temporal: 'x',
    namespace: 'd',
  };
  await writeFile(
    join(home, 'run.json'),
    JSON.stringify({
      ...gone,
      registry: 'r',
      helperImage: 'h',
      processes: [{ name: 'server', pid: 999_999_998 }],
    }),
  );
  await writeFile(join(home, 'up.lock'), '999999999\nticks 1');
  const key = await file('keys/worker-token');
  await chmod(key, 0o644);
  const database = await file('temporal-1.5.1.db');
  await chmod(database, 0o640);
  const halves = [
    await file('run.json.123.0a1b2c3d', 2),
    await file('keys/cli-token.77.00112233', 2),
    await file('data/scratch/upload', 25),
    await file('cache/bundles/0a1b.js.77.1795276128298', 2),
  ];
  const kept = [
    await file('run.json.124.0a1b2c3d'),
    await file('data/scratch/young', 2),
    await file('cache/bundles/0a1b.js', 2_000),
    await file('notes.txt', 1_000),
  ];
  await symlink('/etc/hostname', join(home, 'link.1.0a1b2c3d'));
  const would = await run(true);
  expect(would).toHaveLength(8);
  for (const path of [...halves, join(home, 'run.json'), join(home, 'up.lock')])
    expect(await isThere(path), path).toBe(true);
  expect(await run(false)).toEqual(would.map((line) => line.replace('would', 'done')));
  for (const path of [...halves, join(home, 'run.json'), join(home, 'up.lock')])
    expect(await isThere(path), path).toBe(false);
  for (const path of kept) expect(await isThere(path), path).toBe(true);
  for (const path of [key, database]) expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await run(false)).toEqual([]);
});
