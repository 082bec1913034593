/** Checks the machine itself: Node, disk, keys, the installation file. */
import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Settings } from '../../config.ts';
import { readInstallation } from '../setup/installation.ts';
import { findTemporal, TEMPORAL_VERSION } from '../setup/temporal-binary.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';

const LOW_BYTES = 5 * 1024 ** 3;
const NO_SPACE_BYTES = 512 * 1024 ** 2;

/** Never rejects. */
export async function checkMachine(settings: Settings, role: 'server' | 'worker'): Promise<Finding[]> {
  const parts = await Promise.all([
    finding('node', async () => ok('node', process.version)),
    finding('disk', () => checkDisk(settings)),
    // A machine of workers has a token, which the server judges, and nothing else of an installation.
    ...(role === 'worker'
      ? []
      : [
          finding('keys', () => checkKeys(settings)),
          finding('installation file', () => checkFile(settings)),
          finding('temporal program', () => checkTemporalProgram(settings)),
        ]),
  ]);
  return parts.flat();
}

async function checkDisk(settings: Settings): Promise<Finding> {
  const folder = await existing(settings.home);
  const disk = await statfs(folder);
  return diskFinding(folder, disk.bavail * disk.bsize);
}

/** `bytes`: free for this user. */
export function diskFinding(folder: string, bytes: number): Finding {
  const found = `${(bytes / 1024 ** 3).toFixed(1)} GiB free at ${folder}`;
  const remedy =
    "Free space: run `davit doctor --fix` or `docker image prune`, or delete logs of ended pipelines in `data/logs` of davit's home.";
  if (bytes < NO_SPACE_BYTES) return fail('disk', `${found}: too little to run jobs.`, remedy);
  return bytes < LOW_BYTES ? warn('disk', `${found}: space is low.`, remedy) : ok('disk', found);
}

/** The nearest existing folder: davit's home does not exist before the first start. */
async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch {
    return dirname(path) === path ? path : existing(dirname(path)); // try its parent
  }
}

async function checkKeys(settings: Settings): Promise<Finding> {
  const open: string[] = [];
  const former = existsSync(settings.workerTokenFile) ? [settings.workerTokenFile] : [];
  const own = settings.controlTokenFile === undefined ? [] : [settings.controlTokenFile];
  for (const path of [settings.keyFile, ...own, ...former, settings.tokenFile]) {
    try {
      if (((await stat(path)).mode & 0o077) !== 0) open.push(path);
    } catch {
      return warn(
        'keys',
        `${path} does not exist yet.`,
        'Run `davit up`, which creates it; with docker-compose.yml run ./compose/init.sh. A machine of workers needs DAVIT_SERVER and DAVIT_WORKER_TOKEN_FILE instead.',
      );
    }
  }
  if (open.length > 0)
    return fail('keys', `Other users can read ${open.join(', ')}.`, `Run: chmod 600 ${open.join(' ')}`);
  return ok('keys', 'readable only by their owner');
}

async function checkFile(settings: Settings): Promise<Finding> {
  const { path, installation } = await readInstallation(settings);
  if (!path) return ok('installation file', 'none, using the defaults for one machine');
  return ok('installation file', `${path}: ${installation.projects.length} projects`);
}

async function checkTemporalProgram(settings: Settings): Promise<Finding> {
  if (settings.temporalAddress)
    return ok('temporal program', `not needed: TEMPORAL_ADDRESS is ${settings.temporalAddress}`);
  const path = await findTemporal(settings);
  if (path) return ok('temporal program', `${TEMPORAL_VERSION} at ${path}`);
  return warn(
    'temporal program',
    `Temporal CLI ${TEMPORAL_VERSION} is neither on the PATH nor in the cache.`,
    'Run `davit up`, which downloads it or builds it once with Go.',
  );
}
