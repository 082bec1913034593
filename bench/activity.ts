/**
 * The cost of one activity on this Temporal: schedule, dispatch, run nothing, complete, wake the workflow.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Client, Connection } from '@temporalio/client';

const COUNT = 50;

/** ms of one activity, in each of `rounds` rounds. */
export async function measureActivity(address: string, namespace: string, rounds: number): Promise<number[]> {
  // Log lines of workers would stand between the numbers.
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const taskQueue = `bench-${randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath: join(import.meta.dirname, 'noop-workflow.ts'),
    activities: { noop: () => Promise.resolve() },
  });
  const clientConnection = await Connection.connect({ address });
  const client = new Client({ connection: clientConnection, namespace });
  try {
    return await worker.runUntil(async () => {
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const start = performance.now();
        await client.workflow.execute('noops', {
          taskQueue,
          workflowId: `${taskQueue}-${round}`,
          args: [COUNT],
        });
        times.push((performance.now() - start) / COUNT);
      }
      return times;
    });
  } finally {
    await clientConnection.close();
    await connection.close();
  }
}
