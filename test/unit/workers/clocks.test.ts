import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { runTimeOf } from '../../../activities/job/container/follow.ts';
import { attemptLabels, attemptName } from '../../../activities/runtime/container-names.ts';
import { httpStores } from '../../../src/adapters/http/index.ts';
import type { ContainerState, Engine, EngineInfo } from '../../../src/adapters/ports.ts';
import { sweep } from '../../../workers/parts/janitor.ts';

const ENGINE_MS = Date.parse('2026-01-02T03:04:05Z');
const OFF_MS = 600_000;
afterEach(() => void vi.useRealTimers());

const run = { workflowId: 'pipeline/a/1', runId: 'r' };
const ref = { pipeline: 'a/1', job: 'j', attempt: 1 } as const;
const labels = attemptLabels('i', run, ref);
const name = attemptName('i', run, ref);
function engineOf(createdAt: number) {
  const removed: string[] = [];
  const engine: Partial<Engine> = {
    info: async () => ({ time: ENGINE_MS }) as EngineInfo,
    listContainers: async () => [],
    listVolumes: async () => [{ name, labels, createdAt }],
    listNetworks: async () => [],
    removeVolume: async (name) => void removed.push(name),
  };
  return { engine: engine as Engine, removed };
}

test.each([-OFF_MS, 0, OFF_MS])('a janitor whose clock is off by %i ms uses the engine’s', async (off) => {
  vi.useFakeTimers({ toFake: ['Date'], now: ENGINE_MS + off });
  const workflows = { isClosed: async () => true };
  const of = { installation: 'i', workflows, minAgeMs: 60_000, everyMs: 1, askAgainMs: 1 };
  const young = engineOf(ENGINE_MS - 59_000);
  expect(await sweep({ ...of, engine: young.engine })).toEqual([]);
  const old = engineOf(ENGINE_MS - 61_000);
  expect(await sweep({ ...of, engine: old.engine })).toEqual(['r']);
  expect([young.removed, old.removed]).toEqual([[], [name]]);
});

test.each([-OFF_MS, OFF_MS])(
  'the run time of a container is right with a clock that is off by %i ms',
  async (off) => {
    vi.useFakeTimers({ toFake: ['Date'], now: ENGINE_MS + off });
    const { engine } = engineOf(0);
    const state = { startedAt: ENGINE_MS - 5_000, finishedAt: ENGINE_MS - 2_000 };
    expect(await runTimeOf(engine, { ...state, status: 'running' } as ContainerState)).toBe(5_000);
    expect(await runTimeOf(engine, { ...state, status: 'exited' } as ContainerState)).toBe(3_000);
  },
);

test('the server’s time continues steadily while this machine’s clock jumps', async () => {
  const server = createServer((_, response) => {
    response.setHeader('date', new Date(ENGINE_MS).toUTCString());
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stores = httpStores({ url: `http://127.0.0.1:${port}`, workerToken: 'a token of the workers' });
  try {
    await stores.blobs.has(`sha256:${'0'.repeat(64)}`);
    vi.useFakeTimers({ toFake: ['Date'], now: ENGINE_MS + OFF_MS });
    const first = stores.now();
    vi.setSystemTime(ENGINE_MS - OFF_MS);
    const second = stores.now();
    expect(first).toBeGreaterThanOrEqual(ENGINE_MS);
    expect(second).toBeGreaterThanOrEqual(first);
    expect(second).toBeLessThan(ENGINE_MS + 60_000);
  } finally {
    await stores.close();
    server.closeAllConnections();
    server.close();
  }
});
