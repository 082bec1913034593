import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { quiet } from '../../support/world.ts';
import { readSettings } from '../../../src/config.ts';
import { workflowBundle } from '../../../src/temporal/bundle.ts';
import { expectThat, note, type Row } from './row.ts';

/** Every history of this run, faults included, replays: no crash has made a workflow go another way. */
export const replay: Row = {
  row: 36,
  fault: 'workflow worker replaced; histories replay',
  moment: 'pipelines of this run',
  async run(world) {
    note(world, 36, 'replay of all histories');
    quiet();
    const from = world.history.now();
    const connection = await Connection.connect({ address: `127.0.0.1:${world.ports.temporal}` });
    try {
      const { workflow } = new Client({ connection, namespace: 'davit' });
      const bundle = await workflowBundle(readSettings().cache);
      const histories = workflow
        .list({ query: 'ExecutionStatus != "Running"' })
        .intoHistories({ concurrency: 4 });
      let count = 0;
      for await (const one of Worker.runReplayHistories({ workflowBundle: bundle }, histories)) {
        count += 1;
        expectThat(one.error === undefined, `${one.workflowId} does not replay: ${one.error?.message}`);
      }
      note(world, 36, `${count} histories replayed`);
    } finally {
      await connection.close();
    }
    return { recoveryMs: [world.history.now() - from] };
  },
};
