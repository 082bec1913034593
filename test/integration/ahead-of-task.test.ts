/**
 * A query that has waited for a dead worker reaches a live one with events that no workflow task has
 * processed yet. The history that this worker writes must replay.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { msToTs } from '@temporalio/common/lib/time.js';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkWorkflows } from '../../src/local/doctor/workflows.ts';
import { INTERCEPTORS } from '../../src/temporal/bundle.ts';
import { startTemporal, type TestTemporal } from '../support/temporal.ts';
import { quiet, until } from '../support/world.ts';

quiet();
/** How long a query, and then a task, wait for the dying worker; longer than the timer runs. */
const STICKY_MS = 3_000;
const TIMER_MS = 2_000;
/** temporal.api.enums.v1: TaskQueueKind, CommandType */
const [STICKY, START_TIMER] = [2, 3];
/** Temporal refuses a shorter poll. */
const POLL_MS = 3_000;
let temporal: TestTemporal;
let bundles: { guarded: { code: string }; bare: { code: string } };
beforeAll(async () => {
  temporal = await startTemporal();
  bundles = { guarded: await bundle(INTERCEPTORS), bare: await bundle([]) };
}, 60_000);
afterAll(() => temporal.close());

/** Takes tasks like a worker, and dies when the test says so. */
class Mortal {
  readonly queue = randomUUID();
  readonly #sticky = { name: `mortal/${randomUUID()}`, kind: STICKY, normalName: this.queue };

  /** The first task of `first`. Its own queue is polled before, so that Temporal considers it alive. */
  async startsTheTimer(): Promise<void> {
    const [task] = await Promise.all([this.#poll({ name: this.queue }), this.takesATask()]);
    await temporal.client.workflowService.respondWorkflowTaskCompleted({
      namespace: temporal.namespace,
      taskToken: task?.taskToken,
      stickyAttributes: { workerTaskQueue: this.#sticky, scheduleToStartTimeout: msToTs(STICKY_MS) },
      commands: [
        {
          commandType: START_TIMER,
          startTimerCommandAttributes: { timerId: '1', startToFireTimeout: msToTs(TIMER_MS) },
        },
      ],
    });
  }

  /** Takes a task and does not complete it: the task is lost. */
  async takesATask(): Promise<void> {
    await this.#poll(this.#sticky).catch(() => undefined); // there was none
  }

  #poll(taskQueue: { name: string; kind?: number; normalName?: string }) {
    const { client, namespace } = temporal;
    return client.withDeadline(Date.now() + POLL_MS, () =>
      client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue, identity: 'mortal' }),
    );
  }
}

async function withWorker(queue: string, of: keyof typeof bundles, work: () => Promise<void>): Promise<void> {
  const connection = await NativeConnection.connect({ address: temporal.address });
  const { namespace } = temporal;
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: queue,
    workflowBundle: bundles[of],
  });
  await worker.runUntil(work);
  await connection.close();
}

const bundle = (workflowInterceptorModules: string[]): Promise<{ code: string }> =>
  bundleWorkflowCode({
    workflowsPath: join(import.meta.dirname, '..', 'fixtures', 'workflows', 'first.ts'),
    workflowInterceptorModules,
    logger: new DefaultLogger('WARN'),
  });

async function begun(): Promise<{ handle: WorkflowHandle; mortal: Mortal; asked: Promise<unknown> }> {
  const mortal = new Mortal();
  const handle = await temporal.client.workflow.start('first', {
    taskQueue: mortal.queue,
    workflowId: mortal.queue,
    workflowTaskTimeout: '5s',
  });
  await mortal.startsTheTimer();
  // Waits for the dying worker, until Temporal gives it to another one.
  return { handle, mortal, asked: handle.query('came') };
}

async function goesOn(handle: WorkflowHandle): Promise<unknown> {
  await handle.signal('signal');
  await handle.signal('end');
  return handle.result();
}

const replay = async (handle: WorkflowHandle): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle: bundles.guarded }, await handle.fetchHistory());

test('events that arrive while a query waits are left to their workflow task', async () => {
  const { handle, mortal, asked } = await begun();
  await withWorker(mortal.queue, 'guarded', async () => {
    expect(await asked).toBe('timer');
    expect(await goesOn(handle)).toBe('timer');
  });
  await replay(handle);
}, 60_000);

test('so are the events of a task that was lost with its worker', async () => {
  const { handle, mortal, asked } = await begun();
  // The query, and the task of the timer.
  await mortal.takesATask();
  await mortal.takesATask();
  await withWorker(mortal.queue, 'guarded', async () => {
    expect(await asked).toBe('timer');
    expect(await goesOn(handle)).toBe('timer');
  });
  await replay(handle);
}, 60_000);

test('a query of a workflow that was closed with such events is answered: it gets no more tasks', async () => {
  const queue = randomUUID();
  const handle = await temporal.client.workflow.start('first', { taskQueue: queue, workflowId: queue });
  await withWorker(queue, 'guarded', async () => expect(await handle.query('came')).toBe('nothing'));
  await handle.signal('signal');
  await handle.terminate();
  await withWorker(queue, 'guarded', async () => expect(await handle.query('came')).toBe('signal'));
}, 60_000);

// If this replays one day, the SDK handles the case itself, and the interceptor can be removed.
test('only the SDK writes the commands that it does not replay', async () => {
  const { handle, mortal, asked } = await begun();
  await withWorker(mortal.queue, 'bare', async () => {
    expect(await asked).toBe('timer');
    expect(await goesOn(handle)).toBe('timer');
  });
  await expect(replay(handle)).rejects.toThrow('TMPRL1100');
}, 60_000);

test('doctor reports a stuck workflow and the reason', async () => {
  const queue = randomUUID();
  const { workflow } = temporal.client;
  const handle = await workflow.start('unknown', { taskQueue: queue, workflowId: 'project/stuck' });
  await withWorker(queue, 'guarded', async () => {
    const found = await until('it was tried often', async () => {
      const findings = await checkWorkflows(temporal.client, undefined);
      return findings.find(({ verdict }) => verdict === 'fail');
    });
    expect(found).toMatchObject({
      name: 'workflow project/stuck',
      remedy: expect.stringContaining('davit.log'),
    });
    expect(found.found).toMatch(/^Stuck: its next task has failed \d times \(.*'unknown'/);
  });
  await handle.terminate();
  const [first, ...others] = await checkWorkflows(temporal.client, undefined);
  expect(first).toMatchObject({ name: 'workflows', verdict: 'ok' });
  expect(others.map(({ name, found }) => [name, found])).toEqual([
    ["Temporal's UI", expect.stringContaining('`temporal_ui`')],
    ['waits for a person', '0 pipelines'],
    ['waits for a worker', '0 pipelines'],
    ['stands still', '0 pipelines'],
  ]);
}, 60_000);
