/**
 * The control worker as its process runs it: the bundle from the cache, injected activities, a graceful end.
 */
import { spawnSync } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../src/config.ts';
import { SEARCH_ATTRIBUTES } from '../../src/plan/model/protocol.ts';
import { connectTemporal } from '../../src/temporal/client.ts';
import { signalTrigger, workflowLookup } from '../../src/temporal/calls.ts';
import { run } from '../../workers/control.ts';
import { Fakes } from '../support/fakes.ts';
import { planOf, triggerOf } from '../support/plans.ts';
import { startTemporal, type TestTemporal } from '../support/temporal.ts';
import { freePort } from '../support/port.ts';
import { quiet, until } from '../support/world.ts';

let temporal: TestTemporal;
let cache: string;
let settings: Settings;
beforeAll(async () => {
  quiet();
  temporal = await startTemporal();
  cache = await mkdtemp(join(tmpdir(), 'davit-control-'));
  settings = { ...readSettings({ HOME: cache }), cache, temporalAddress: temporal.address };
});
afterAll(async () => {
  await temporal.close();
  await rm(cache, { recursive: true });
});

describe('the namespace', () => {
  test('has the five search attributes and 30 days of retention, also with concurrent callers', async () => {
    const namespace = 'another';
    const links = await Promise.all(
      [1, 2, 3].map(() => connectTemporal({ address: temporal.address, namespace })),
    );
    const connection = links[0]?.connection;
    const described = await connection?.workflowService.describeNamespace({ namespace });
    const known = await connection?.operatorService.listSearchAttributes({ namespace });
    expect(Number(described?.config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 86_400);
    expect(Object.keys(known?.customAttributes ?? {})).toEqual(
      expect.arrayContaining(Object.values(SEARCH_ATTRIBUTES)),
    );
    for (const link of links) await link.connection.close();
  });
  test('gives up at the deadline if there is no server', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await expect(connectTemporal({ address, namespace: 'davit', deadlineMs: 300 })).rejects.toMatchObject({
      code: 'temporal/unreachable',
    });
  });
});

/** Leftovers of a fetch whose process was killed. */
async function killedWithFolder(): Promise<string> {
  const module = join(import.meta.dirname, '..', '..', 'src', 'adapters', 'temp.ts');
  const code = `const { tempFolder } = await import(${JSON.stringify(module)});
    process.stdout.write(await tempFolder('git'), () => process.kill(process.pid, 'SIGKILL'));`;
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  await access(done.stdout);
  return done.stdout;
}

describe('the control worker', () => {
  test('runs pipelines until it is stopped, and the next one continues', async () => {
    const fakes = new Fakes();
    fakes.projects.set('p', {
      plan: planOf([{ key: 'a' }, { key: 'b', stage: 'z' }]),
      limits: {},
      behaviours: { a: [{ until: 'door' }] },
    });
    const connection = await NativeConnection.connect({ address: temporal.address });
    const activities = fakes.activities();
    const others = await Promise.all(
      ['amd64', 'host-h1'].map((taskQueue) =>
        Worker.create({
          connection,
          namespace: temporal.namespace,
          taskQueue,
          activities: { ...activities },
        }),
      ),
    );
    const othersRun = Promise.all(others.map((worker) => worker.run()));
    const left = await killedWithFolder();
    const first = new AbortController();
    const firstRun = run({ settings, activities, signal: first.signal });
    await signalTrigger(temporal.client, triggerOf('p'));
    await until('a runs', async () =>
      fakes.journal('p').some((entry) => entry.job === 'a') ? true : undefined,
    );
    await expect(access(left)).rejects.toThrow('ENOENT');
    // A task that is assigned at the moment of the end is lost for its 10 s; a query that is answered shows
    // that none is assigned.
    await temporal.client.workflow.getHandle('pipeline/p/1').query('status');
    first.abort();
    await firstRun;
    const second = new AbortController();
    const secondRun = run({ settings, activities, signal: second.signal });
    fakes.open('p', 'door');
    const handle = temporal.client.workflow.getHandle('pipeline/p/1');
    expect(await handle.result()).toBe('success');
    expect(
      fakes
        .journal('p')
        .filter((entry) => entry.activity === 'runJob')
        .map((entry) => entry.job),
    ).toEqual(['a', 'b']);
    const lookup = workflowLookup(temporal.client);
    const { runId } = await handle.describe();
    expect(await lookup.isClosed('pipeline/p/1', runId)).toBe(true);
    expect(
      await lookup.isClosed(
        'project/p',
        (await temporal.client.workflow.getHandle('project/p').describe()).runId,
      ),
    ).toBe(false);
    expect(await lookup.isClosed('pipeline/p/99', runId)).toBe(true);
    second.abort();
    for (const worker of others) worker.shutdown();
    await Promise.all([secondRun, othersRun]);
    await connection.close();
  });
});
