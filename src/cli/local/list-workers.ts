/** Which workers there are, for whoever plans or checks a file. */
import { setTimeout as delay } from 'node:timers/promises';
import { liveRun } from '../../local/process/run-file.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { Cli } from '../cli.ts';

const PATIENCE_MS = 500;

/** What the server says; undefined where none is up, or it does not answer at once. */
export async function askFleet(cli: Cli): Promise<WorkerReport[] | undefined> {
  if (!cli.settings.serverUrl && !(await liveRun(cli.settings))) return undefined;
  const { withServer } = await import('../connect.ts');
  const end = new AbortController();
  try {
    return await Promise.race([
      withServer(cli, (client) => client.workers()),
      delay(PATIENCE_MS, undefined, { signal: end.signal }),
    ]);
  } catch {
    return undefined; // no token, or a server that refuses: the file can be looked at without it
  } finally {
    end.abort();
  }
}

/** Where nobody can be asked: this machine may be all that there is. */
export const thisMachine: WorkerReport = {
  id: 'plan',
  hostId: 'plan',
  hostName: 'plan',
  arches: [...ARCHES],
  emulated: [],
  tags: [],
  targets: [],
  deviceTags: [],
  slots: 1,
  version: '',
  seenAt: 0,
};
