/** Lists the workers of the installation, to plan or check a file against. */
import { setTimeout as delay } from 'node:timers/promises';
import { liveRun } from '../../local/process/run-file.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { Cli } from '../cli.ts';

const TIMEOUT_MS = 500;

/** Workers as the server reports them; undefined if there is no server, or it does not respond at once. */
export async function listWorkers(cli: Cli): Promise<WorkerReport[] | undefined> {
  if (!cli.settings.serverUrl && !(await liveRun(cli.settings))) return undefined;
  const { withServer } = await import('../connect.ts');
  const end = new AbortController();
  try {
    return await Promise.race([
      withServer(cli, (client) => client.workers()),
      delay(TIMEOUT_MS, undefined, { signal: end.signal }),
    ]);
  } catch {
    return undefined; // no token, or refused by the server: the file can be checked without it
  } finally {
    end.abort();
  }
}

/** Used without a server: assumes that this machine is the only worker. */
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
