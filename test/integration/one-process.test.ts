/** The one process of a machine: server and workers in it, one of them failing, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { readWorkerState, type WorkerState } from '../../src/local/machine/messages.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import { ensureKeys } from '../../src/local/setup/keys.ts';
import { eventually } from '../support/davit.ts';
import { freePort } from '../support/port.ts';
import { ROOT } from '../support/source.ts';
import { startTemporal, type TestTemporal } from '../support/temporal.ts';

const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const ENGINE = readSettings().dockerHost.replace(/^unix:\/\//, '');
const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const WAIT_MS = 60_000;

let home = '';
let temporal: TestTemporal;
let server = '';
let token = '';
let child: ChildProcess;
const states: WorkerState[] = [];
let text = '';
let engine: Server | undefined;
const socket = (): string => join(home, 'engine.sock');

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'davit-machine-'));
  temporal = await startTemporal();
  const settings = readSettings({ HOME: home, DAVIT_HOME: home });
  token = (await ensureKeys(settings)).cliToken;
  const port = await freePort();
  server = `http://127.0.0.1:${port}`;
  const args = ['--control', '--arch', ARCH, '--docker', `unix://${socket()}`, '--deploy', 'local-swarm'];
  child = spawn(process.execPath, [MAIN, 'machine', '--port', String(port), ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: home,
      CI: 'true',
      DAVIT_HOME: home,
      DAVIT_CACHE: readSettings().cache,
      TEMPORAL_ADDRESS: temporal.address,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  child.on('message', (message) => {
    const state = readWorkerState(message);
    if (state) states.push(state);
  });
});
afterAll(async () => {
  child.kill('SIGKILL');
  engine?.close();
  await temporal.close();
  rmSync(home, { recursive: true, force: true });
});

const state = (name: string, kind: WorkerState['kind']): Promise<WorkerState> =>
  eventually(`${name} ${kind}; it said: ${text}`, WAIT_MS, () =>
    states.find((one) => one.name === name && one.kind === kind),
  );
const workers = async (): Promise<WorkerReport[]> => {
  const response = await fetch(`${server}/api/v1/workers`, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as WorkerReport[];
};

test('a worker that cannot start affects nothing else, and starts by itself once it can', async () => {
  await state('control', 'ready');
  expect(await state(`worker-${ARCH}`, 'failed')).toMatchObject({ code: 'engine/unreachable' });
  expect((await fetch(`${server}/healthz`)).status).toBe(200);
  expect((await workers()).flatMap((one) => one.arches)).toEqual([]);
  engine = createServer((inner) => {
    const outer = connect(ENGINE);
    inner.on('error', () => outer.destroy()).pipe(outer);
    outer.on('error', () => inner.destroy()).pipe(inner);
  }).listen(socket());
  await state(`worker-${ARCH}`, 'ready');
  await eventually('its report', WAIT_MS, async () =>
    (await workers()).some((one) => one.arches.includes(ARCH)) ? true : undefined,
  );
  expect(child.exitCode).toBeNull();
});

test('SIGTERM ends the workers first, then the server, and the process exits with 0', async () => {
  child.kill('SIGTERM');
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(0);
  const at = (what: string): number => text.indexOf(what);
  expect(at(`worker-${ARCH} has ended`)).toBeGreaterThan(0);
  expect(at('control has ended')).toBeGreaterThan(0);
  expect(at('the server has ended')).toBeGreaterThan(
    Math.max(at(`worker-${ARCH} has ended`), at('control has ended')),
  );
  expect(text).not.toContain('internal/defect');
});
