/**
 * A control worker process that kills itself, like a power cut, at one point of a pipeline that a job starts:
 * after the activity with the name in its argument has done its work and before it has returned.
 */
import type { ControlActivities } from '../../activities/contract.ts';
import { makeControlActivities } from '../../activities/index.ts';
import { readSettings } from '../../src/config.ts';
import { provenStart, workflowLookup } from '../../src/temporal/calls.ts';
import { connectTemporal } from '../../src/temporal/client.ts';
import { wireWorker } from '../../src/wiring.ts';
import { run } from '../../workers/control.ts';

const settings = readSettings();
const { client } = await connectTemporal({
  address: settings.temporalAddress ?? '',
  namespace: settings.temporalNamespace,
});
const ports = await wireWorker(settings);
const workflows = { ...workflowLookup(client), start: provenStart(client, ports.prover) };
const real = makeControlActivities({ ...ports, workflows });
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const dying: Record<string, Partial<ControlActivities>> = {
  startDownstream: {
    startDownstream: async (input) => {
      const answer = await real.startDownstream(input);
      die();
      return answer;
    },
  },
  claimPipeline: {
    claimPipeline: async (input) => {
      const answer = await real.claimPipeline(input);
      if (input.key.startsWith('downstream:')) die();
      return answer;
    },
  },
};
await run({
  settings,
  activities: { ...real, ...dying[process.argv[2] ?? ''] },
  onReady: () => void process.stdout.write('ready\n'),
});
