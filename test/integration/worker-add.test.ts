/** `davit worker add` over ssh: what it checks, what it writes, a job on the machine, and a second run. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fingerprint } from '../../src/adapters/docker/connection/host-keys.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import type { ListedWorkerToken } from '../../src/server/api.ts';
import { call, davit as start } from '../support/cli.ts';
import { eventually, ownDavit, type Finished, type OwnDavit } from '../support/davit.ts';
import { MAIN_ENGINE } from '../support/engine.ts';
import { startBoard, type Board } from '../support/ssh-board.ts';

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
/** The machine's own worker leaves the architecture of the engine to the board. */
const OTHER = 'arm32';
const TAG = 'bench';

let davit: OwnDavit;
let board: Board;
let print = '';
let project = '';

beforeAll(async () => {
  board = await startBoard(MAIN_ENGINE.slice('unix://'.length));
  print = keyOf(board.knownHosts);
  project = mkdtempSync(join(tmpdir(), 'davit-project-'));
  writeFileSync(
    join(project, '.gitlab-ci.yml'),
    `on-board:\n  tags: [${ARCH}, ${TAG}]\n  image: $DAVIT_HELPER_IMAGE\n  script: echo on the board\n`,
  );
  davit = await ownDavit({ args: ['--arch', OTHER], arches: [OTHER] });
});
afterAll(async () => {
  await davit.stop();
  await board.stop();
  rmSync(project, { recursive: true });
});

function keyOf(knownHosts: string): string {
  const [, type = '', key = ''] = readFileSync(knownHosts, 'utf8').trim().split(' ');
  return fingerprint({ type, key });
}
const path = (name: string): string => join(davit.home, 'machines', name);
const add = (...args: string[]): Promise<Finished> => davit.cli(['worker', 'add', 'pi4', ...args]);
const tokens = (): Promise<ListedWorkerToken[]> => davit.api('/api/v1/worker-tokens');
const addBoard = (...args: string[]): Promise<Finished> =>
  add('--docker', board.address, '--arch', ARCH, ...args);

test('a host key that nobody has confirmed is refused, and nothing stays', async () => {
  const refused = await addBoard();
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain(`is RSA ${print}`);
  expect(refused.stderr).toContain('[machine/host-key]');
  expect(existsSync(path('pi4.json'))).toBe(false);
  expect(existsSync(join(davit.home, 'known_hosts'))).toBe(false);
});

test('a machine that fails a check leaves no token, no key and no file', async () => {
  const unfit = await add('--docker', board.address, '--arch', OTHER, '--host-key', print, '--emulation');
  expect(unfit.stderr).toContain('[machine/unfit]');
  expect(unfit.stdout).toMatch(/✗ identity: .+ has a worker for arm32 already/);
  expect(await tokens()).toEqual([]);
  expect(existsSync(path('pi4'))).toBe(false);
  expect(existsSync(join(davit.home, 'known_hosts'))).toBe(false);
});

test('it runs jobs from then on, and a second run changes only what it names', async () => {
  const added = await addBoard('--host-key', print, '--tags', TAG, '--slots', '2', '--json');
  expect(added).toMatchObject({ code: 0 });
  const { record, findings } = JSON.parse(added.stdout);
  expect(record).toMatchObject({ name: 'pi4', docker: board.address, arches: [ARCH], runs: 'up' });
  expect(findings.map(({ name }: { name: string }) => name)).toEqual([
    ...['host key', 'login', 'engine', `architecture ${ARCH}`, 'helper image', 'containers'],
    ...['clock', 'disk', 'registry', 'identity'],
  ]);
  expect(statSync(path('pi4/token')).mode & 0o777).toBe(0o600);
  expect(added.stdout).not.toContain(readFileSync(path('pi4/token'), 'utf8'));
  const [token] = await tokens();
  expect(token).toMatchObject({ name: 'pi4', id: record.token.id });

  const ran = await davit.cli(['run'], { cwd: project });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stdout).toContain('on the board');

  const again = await addBoard();
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain('as pinned');
  expect(again.stdout).toContain('pi4 is as it was.');
  expect(JSON.parse(readFileSync(path('pi4.json'), 'utf8'))).toEqual(record);

  const own = '# by hand\ntags: [bench]\nslots: 3 # as many as it bears\n';
  writeFileSync(path('pi4/worker.yml'), own);
  const changed = await add('--tags', 'bench,gpio', '--protected-only');
  expect(changed.stdout).toContain('pi4 has changed: token: a new one; the former is revoked; worker.yml.');
  expect(readFileSync(path('pi4/worker.yml'), 'utf8')).toBe(
    '# by hand\ntags:\n  - bench\n  - gpio\nslots: 3 # as many as it bears\nprotected_only: true\n',
  );
  expect(await tokens()).toMatchObject([{ name: 'pi4', protected_only: true }]);
  const report = await eventually('the worker with its new tags', 30_000, async () => {
    const workers = await davit.api<WorkerReport[]>('/api/v1/workers');
    return workers.find((one) => one.tags.includes('gpio'));
  });
  expect(report).toMatchObject({ arches: [ARCH], slots: 3 });
});

test('a key that changes is refused, with both fingerprints', async () => {
  const file = join(davit.home, 'known_hosts');
  writeFileSync(file, readFileSync(board.wrongHosts, 'utf8'));
  const refused = await addBoard();
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain(`${keyOf(board.wrongHosts)} is pinned, and it shows ${print}`);
  writeFileSync(file, readFileSync(board.knownHosts, 'utf8'));
});

test('a process without a server runs the machines of its own home, also those that are added meanwhile', async () => {
  const home = mkdtempSync(join(tmpdir(), 'davit-machines-'));
  const env = {
    DAVIT_HOME: home,
    DAVIT_SERVER: davit.run.server,
    DAVIT_TOKEN_FILE: join(davit.home, 'keys', 'cli-token'),
    TEMPORAL_ADDRESS: davit.run.temporal,
  };
  const service = start(project, ['worker', '--machines'], env);
  try {
    await eventually('the lock', 60_000, () => existsSync(join(home, 'machines', 'up.lock')) || undefined);
    const args = ['worker', 'add', 'far', '--docker', board.address, '--arch', 'arm64', '--emulation'];
    const added = await call(project, [...args, '--host-key', print], env);
    expect(added.out).toContain('✓ worker: takes jobs');
    expect(added.out).not.toContain('Start its worker');
    await service.shows(/far: takes jobs/);
  } finally {
    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
    rmSync(home, { recursive: true });
  }
});

test('the files are shown without a change, and a machine that is removed leaves none', async () => {
  const before = readFileSync(path('pi4.json'), 'utf8');
  const shown = await add('--slots', '5', '--systemd', '--print');
  expect(shown.stdout).toContain(`# ${path('pi4/worker.yml')}\n# by hand\n`);
  expect(shown.stdout).toContain('slots: 5 # as many as it bears');
  expect(shown.stdout).toContain(`EnvironmentFile=${davit.home}/machines/%i/environment`);
  expect(shown.stdout).not.toContain(readFileSync(path('pi4/token'), 'utf8'));
  expect(readFileSync(path('pi4.json'), 'utf8')).toBe(before);

  const removed = await davit.cli(['worker', 'remove', 'pi4']);
  expect(removed).toMatchObject({ code: 0 });
  expect(existsSync(path('pi4'))).toBe(false);
  expect(readFileSync(join(davit.home, 'known_hosts'), 'utf8')).toBe('');
  await eventually('the end of its worker', 30_000, () => board.open() === 0 || undefined);
});
