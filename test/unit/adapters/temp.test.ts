import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deadFolders, removeTempFolder, sweepFolders, tempFolder } from '../../../src/adapters/temp.ts';

const MODULE = join(import.meta.dirname, '..', '..', '..', 'src', 'adapters', 'temp.ts');
let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'davit-temp-'));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const there = async (): Promise<string[]> => (await readdir(parent)).sort();
/** A process with a folder of its own that contains a file. */
async function other(then = ''): Promise<{ folder: string; end(): Promise<unknown> }> {
  const code = `const { tempFolder } = await import(${JSON.stringify(MODULE)});
    const folder = await tempFolder('git', ${JSON.stringify(parent)});
    (await import('node:fs')).writeFileSync(folder + '/pack', 'x');
    console.log(folder); ${then}; setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const [said]: unknown[] = await once(child.stdout, 'data');
  return {
    folder: String(said).trim(),
    end: () => {
      child.kill('SIGKILL');
      return gone;
    },
  };
}

test("temporary folders of test runs are in the system's folder, for any project: sockets below them have short paths", () => {
  expect(tmpdir().match(/davit-t-/g)).toHaveLength(1);
});

test('the folder of a killed process is removed at once, those of running processes stay', async () => {
  const [dead, alive] = await Promise.all([other(), other()]);
  const own = await tempFolder('git', parent);
  try {
    expect(await deadFolders(parent)).toEqual([]);
    await dead.end();
    expect(await deadFolders(parent)).toEqual([dead.folder]);
    expect(await sweepFolders(parent)).toBe(1);
    expect(await there()).toEqual([basename(alive.folder), basename(own)].sort());
  } finally {
    await alive.end();
  }
  await removeTempFolder(own);
  await sweepFolders(parent);
  expect(await there()).toEqual([]);
});

test('a process that exits in the middle of work leaves no folder', async () => {
  const short = await other('setTimeout(() => process.exit(3), 10)');
  for (let tries = 0; tries < 400 && (await there()).length > 0; tries += 1) await delay(25);
  expect(await there()).toEqual([]);
  await short.end();
});

test('a reused process id, another namespace, links', async () => {
  const own = basename(await tempFolder('git', parent));
  const [, owner = ''] = /^davit-git-(.+)-[^-]+$/.exec(own) ?? [];
  const [pid = '', start = '', space = ''] = owner.split('.');
  const before = (Number.parseInt(start, 36) - 1).toString(36);
  const elsewhere = (Number.parseInt(space, 36) + 1).toString(36);
  const make = async (name: string, daysOld = 0): Promise<string> => {
    await mkdir(join(parent, name));
    const at = new Date(Date.now() - daysOld * 86_400_000 - 60_000);
    await utimes(join(parent, name), at, at);
    return name;
  };
  const gone = [
    await make(`davit-git-${pid}.${before}.${space}-AAAAAA`), // the id is this process's now
    await make(`davit-source-${pid}.${start}.${elsewhere}-AAAAAA`, 2),
    await make('davit-helper-AAAAAA', 2),
  ];
  const kept = [
    own,
    await make(`davit-source-${pid}.${start}.${elsewhere}-BBBBBB`),
    await make(`davit-ssh-${pid}.${start}.${elsewhere}-BBBBBB`, 20), // may belong to a live container
    await make('davit-helper-BBBBBB'),
    await make('davit-home-AAAAAA', 20), // not ours
    await make('notes', 20),
  ];
  await writeFile(join(parent, 'notes', 'a'), 'a');
  await symlink(join(parent, 'notes'), join(parent, `davit-git-${pid}.${before}.${space}-LINKED`));
  expect((await deadFolders(parent)).map((path) => basename(path)).sort()).toEqual(gone.sort());
  expect(await sweepFolders(parent)).toBe(3);
  expect(await there()).toEqual([...kept, `davit-git-${pid}.${before}.${space}-LINKED`].sort());
  expect(await readdir(join(parent, 'notes'))).toEqual(['a']);
  await removeTempFolder(join(parent, own));
});

test('a parent that is not there, or is a file, is told with what to do', async () => {
  await writeFile(join(parent, 'file'), '');
  for (const name of ['nowhere', 'file'])
    await expect(tempFolder('git', join(parent, name))).rejects.toMatchObject({
      code: 'local/temp',
      message: expect.stringContaining(join(parent, name)),
      hint: expect.stringContaining('TMPDIR'),
    });
});
