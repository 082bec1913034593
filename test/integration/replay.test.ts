/** Today's workflow code takes the steps of recorded histories; a change that does not breaks an upgrade. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { WORKFLOWS } from '../../src/plan/model/protocol.ts';
import { workflowBundle } from '../../src/temporal/bundle.ts';
import { changeSinks } from '../../workers/parts/changes.ts';
import { quiet } from '../support/world.ts';

quiet();
const folder = join(import.meta.dirname, '..', 'histories');
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

describe('a recorded history replays', () => {
  test.each(names)('%s', async (name) => {
    const history: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const [kind = ''] = name.split('-');
    const workflowId = { project: 'project/replayed', status: 'status/replayed/b/davit/push' }[kind];
    await Worker.runReplayHistory(
      { workflowBundle: await workflowBundle(readSettings().cache), sinks: changeSinks() },
      history,
      workflowId ?? 'pipeline/replayed/1',
    );
  });
  test('and every workflow has one', () => {
    for (const kind of Object.values(WORKFLOWS))
      expect(names.filter((name) => name.startsWith(kind))).not.toEqual([]);
  });
  // Left by a kill of the control worker in a soak, before queries were held back from it
  // (`workflows/interceptors.ts`).
  test('except one whose timer and signal were processed in an order that no replay reproduces', async () => {
    const text = readFileSync(join(folder, 'unreplayable', 'project-timer-and-signal.json'), 'utf8');
    await expect(
      Worker.runReplayHistory(
        { workflowBundle: await workflowBundle(readSettings().cache), sinks: changeSinks() },
        JSON.parse(text),
        'project/replayed',
      ),
    ).rejects.toThrow('TMPRL1100');
  });
  test('and one with different steps does not', async () => {
    const text = readFileSync(join(folder, 'pipeline-whole.json'), 'utf8').replaceAll(
      '"runJob"',
      '"otherJob"',
    );
    await expect(
      Worker.runReplayHistory(
        { workflowBundle: await workflowBundle(readSettings().cache), sinks: changeSinks() },
        JSON.parse(text),
        'pipeline/replayed/1',
      ),
    ).rejects.toThrow();
  });
});
