/** Real workers on a real engine that goes away and comes back, and that an operator drains. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpStores } from '../../src/adapters/http/index.ts';
import { examineFleet } from '../../src/local/doctor/fleet.ts';
import type { FleetMachine } from '../../src/server/api.ts';
import { eventually } from '../support/davit.ts';
import { EngineRelay } from '../support/engine-relay.ts';
import { HELPER } from '../support/job-bench.ts';
import { SmallDavit, type ArchProcess } from '../support/small-davit.ts';

let davit: SmallDavit;
let relay: EngineRelay;
let worker: ArchProcess;
beforeAll(async () => {
  [davit, relay] = await Promise.all([SmallDavit.start(), EngineRelay.open()]);
  worker = await davit.worker('amd64', 'tags: [board]\nslots: 2\n', { DOCKER_HOST: relay.address });
});
afterAll(async () => {
  await davit.close();
  await relay.close();
});

const FILE = `job:
  image: ${HELPER}
  tags: [board]
  script: [echo hello]
`;
const machine = async (): Promise<FleetMachine | undefined> =>
  (await davit.client.fleet()).machines.find(({ name }) => name === 'machine');
const becomes = (what: string, is: (found: FleetMachine) => boolean): Promise<FleetMachine> =>
  eventually(what, 60_000, async () => {
    const found = await machine();
    return found && is(found) ? found : undefined;
  });
const waits = (id: `${string}/${number}`): Promise<true> =>
  eventually('the job waits', 60_000, async () => {
    const [job] = (await davit.status(id))?.jobs ?? [];
    return job?.phase === 'dispatched' ? true : undefined;
  });

test('a worker tells what its machine is', async () => {
  const found = await becomes('checks', ({ report }) => report?.checks !== undefined);
  expect(found).toMatchObject({ state: 'ready', hasToken: true, report: { token: 'machine', slots: 2 } });
  const { engine, checks } = found.report ?? {};
  expect(engine).toMatchObject({ address: relay.address, kind: 'docker', arch: 'amd64' });
  expect(checks?.disk?.totalBytes).toBeGreaterThan(1e9);
  expect(Math.abs(checks?.clockOffsetMs ?? Number.NaN)).toBeLessThan(60_000);
  // Nothing listens there.
  expect(checks?.registries).toMatchObject([
    { host: '127.0.0.1:1', problem: { code: 'registry/unreachable' } },
  ]);
});

test('doctor --fleet asks every worker, and names machine, fault and remedy', async () => {
  const wrong = httpStores({ url: davit.client.url, workerToken: 'a-token-that-nobody-has-made' });
  await expect(wrong.facts()).rejects.toMatchObject({ code: 'auth/missing' });
  await wrong.close();
  const { client } = davit;
  const asked = Date.now();
  const found = await examineFleet({ fleet: client.fleet, askForChecks: client.askForChecks });
  client.close();
  expect((await machine())?.report?.checks?.at).toBeGreaterThan(asked - 1_000);
  expect(found.filter(({ verdict }) => verdict === 'fail')).toMatchObject([
    { machine: 'machine', fault: 'registry-unreachable', remedy: expect.stringContaining('ssh://') },
    { fault: 'wrong-token', found: expect.stringContaining('from 127.0.0.1') },
  ]);
});

test('a second worker of the same engine, reached in another way, is served when the first has seen its mark', async () => {
  const second = await davit.worker('amd64', 'tags: [second]\n');
  expect(second.text()).toContain('waits until other workers of its id have shown');
  expect((await davit.client.fleet()).machines.filter(({ state }) => state === 'ready')).toHaveLength(3);
  await second.end('SIGTERM');
  expect((await machine())?.report?.tags).toContain('board');
});

test('whose engine is away takes no job, and takes it when the engine is back', async () => {
  await relay.cut();
  const { report } = await becomes('away', ({ state }) => state === 'engine away');
  expect(report?.away).toMatchObject({ code: 'engine/unreachable' });
  const id = await davit.start('away', FILE);
  await waits(id);
  await relay.mend();
  const status = await davit.verdict(id, 60_000);
  expect(status.jobs).toMatchObject([{ outcome: 'succeeded', attempt: 1 }]);
  await becomes('ready', ({ state }) => state === 'ready');
  expect(worker.text()).toMatch(/takes no jobs: .*\n.*its engine is back/s);
});

test('that is drained takes no job until it is told otherwise, also after a restart', async () => {
  await davit.client.drainWorker({ name: 'machine' });
  await eventually('it heard', 60_000, () =>
    worker.text().includes('takes no further jobs') ? true : undefined,
  );
  const id = await davit.start('drained', FILE);
  await waits(id);
  await worker.end('SIGTERM');
  await becomes('gone', ({ state }) => state === 'gone');
  worker = await davit.worker('amd64', 'tags: [board]\n', { DOCKER_HOST: relay.address });
  await becomes('draining', ({ state }) => state === 'draining');
  expect((await davit.status(id))?.jobs).toMatchObject([{ phase: 'dispatched' }]);
  await davit.client.drainWorker({ name: 'machine', off: true });
  expect((await davit.verdict(id, 60_000)).jobs).toMatchObject([{ outcome: 'succeeded', attempt: 1 }]);
});
