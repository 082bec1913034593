import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { quiet } from '../../support/world.ts';
import { readSettings } from '../../../src/config.ts';
import { workflowBundle } from '../../../src/temporal/bundle.ts';
import { changeSinks } from '../../../workers/parts/changes.ts';
import type { World } from '../world.ts';
import { expectThat, note, type Row } from './row.ts';

/** Every history of this run, faults included, replays: no crash has made a workflow take different steps. */
export const replay: Row = {
  row: 36,
  fault: 'workflow worker replaced; histories replay',
  moment: 'pipelines of this run',
  async run(world) {
    note(world, 36, 'replay of all histories');
    const from = world.history.now();
    const { count, broken } = await replayAll(world);
    expectThat(broken.length === 0, broken.join('; '));
    note(world, 36, `${count} histories replayed`);
    return { recoveryMs: [world.history.now() - from] };
  },
};

/** All histories that Temporal has, including open workflows; reports those that do not replay. */
export async function replayAll({ ports }: World): Promise<{ count: number; broken: string[] }> {
  quiet();
  const connection = await Connection.connect({ address: `127.0.0.1:${ports.temporal}` });
  try {
    const { workflow } = new Client({ connection, namespace: 'davit' });
    const bundle = await workflowBundle(readSettings().cache);
    const histories = workflow.list().intoHistories({ concurrency: 4 });
    const broken: string[] = [];
    let count = 0;
    for await (const one of Worker.runReplayHistories(
      { workflowBundle: bundle, sinks: changeSinks() },
      histories,
    )) {
      count += 1;
      if (one.error) broken.push(`${one.workflowId} does not replay: ${one.error.message}`);
    }
    return { count, broken };
  } finally {
    await connection.close();
  }
}
