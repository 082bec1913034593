/** The embedded Temporal's file: its version, its one writer, its mode. Real processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { cachedTemporal } from '../../src/local/setup/temporal-binary.ts';
import { guardedStart, temporalDatabase } from '../../src/local/setup/temporal-database.ts';
import { temporalArguments } from '../../src/local/setup/temporal-server.ts';
import { temporalReady } from '../support/temporal-ready.ts';
import { freePort } from '../support/port.ts';

const settings = readSettings();
const binary = cachedTemporal(settings);
let home: string;
let running: ChildProcess[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-guard-'));
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map(end));
  await rm(home, { recursive: true, force: true });
});

const place = (folder = home) => ({ ...settings, home: folder });
async function start(folder = home): Promise<ChildProcess> {
  const port = await freePort();
  const args = temporalArguments({ home: folder, port, uiPort: await freePort() });
  const guarded = await guardedStart(place(folder), binary, args);
  const child = spawn(guarded.program, guarded.args, { stdio: 'ignore' });
  running.push(child);
  await temporalReady(settings, `127.0.0.1:${port}`, 30_000);
  return child;
}
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
const modes = async (): Promise<string[]> =>
  Promise.all(
    ['', '-wal', '.server'].map(async (suffix) =>
      ((await stat(`${temporalDatabase(home)}${suffix}`)).mode & 0o777).toString(8),
    ),
  );
const guard = (folder = home) => guardedStart(place(folder), binary, []);

test('only one Temporal opens the file, by any path to the home; a kill releases it; no other user reads it', async () => {
  const first = await start();
  expect(await modes()).toEqual(['600', '600', '600']);
  await expect(guard()).rejects.toMatchObject({ code: 'local/database-in-use' });
  const other = `${home}-link`;
  await symlink(home, other);
  try {
    await expect(guard(other)).rejects.toMatchObject({ code: 'local/database-in-use' });
  } finally {
    await rm(other);
  }
  await end(first);
  await chmod(temporalDatabase(home), 0o644);
  const second = await start();
  expect(await modes()).toEqual(['600', '600', '600']);
  // The file exists now and is locked too: removing the note does not allow a second writer.
  await rm(`${temporalDatabase(home)}.server`);
  await expect(guard()).rejects.toMatchObject({ code: 'local/database-in-use' });
  await end(second);
});

test('a file of another version is refused before it is opened', async () => {
  await writeFile(join(home, 'temporal-0.9.0.db'), 'of another time');
  await expect(guard()).rejects.toMatchObject({
    code: 'local/database-version',
    message: expect.stringContaining('temporal-0.9.0.db'),
  });
  await rm(join(home, 'temporal-0.9.0.db'));
  await guard();
  const note = `${temporalDatabase(home)}.server`;
  expect(JSON.parse(await readFile(note, 'utf8'))).toEqual({ server: expect.stringMatching(/^1\.\d+/) });
  await writeFile(note, '{"server":"1.20.0"}');
  await expect(guard()).rejects.toMatchObject({
    code: 'local/database-version',
    message: expect.stringContaining('belongs to Temporal server 1.20.0'),
  });
  // Truncated by a crash: it contains nothing, and is written again.
  await writeFile(note, '{"ser');
  await guard();
});
