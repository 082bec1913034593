/**
 * `davit doctor --fix`: puts right what a crash can leave on this machine. Each step first finds what is wrong and then mends it,
 * so that `--dry-run` says exactly what would be done. Only davit's own things: files by their place and name, processes by id and
 * start time, objects on the engine by the labels of this installation and a closed run.
 */
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sweep } from '../../../workers/parts/janitor.ts';
import type { Collected } from '../../adapters/ports.ts';
import { deadFolders } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { workflowLookup } from '../../temporal/calls.ts';
import { connectTemporal } from '../../temporal/client.ts';
import { askEngine, ensureEngine } from '../setup/docker.ts';
import { ensureKeys } from '../setup/keys.ts';
import { endLeftovers } from '../process/stale-processes.ts';
import { lockOwner } from '../process/lock.ts';
import type { Progress } from '../process/progress.ts';
import { readRunFile } from '../process/run-file.ts';
import { messageOf } from '../../utils/message.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TEMPORAL_MS = 3_000;
/** `run.json.PID.HEX`, `up.lock.new.PID`, `worker-token.PID.HEX`, `BUNDLE.js.PID.TIME`: written beside a file before they take its name. */
const HALF = /\.\d+(\.[0-9a-f]{8})?$/;
/** Of the launcher's Node, and of Temporal in davit 0.1: in the cache; nothing of that takes a day. */
const CACHED = /^\.(temporal|node)-[A-Za-z0-9]{6}$/;
const MIB = 1_024 ** 2;

export interface Fix {
  name: string;
  /** What was wrong, and what was or would be done. */
  what: string;
  done: boolean;
  /** Why it could not be done. */
  problem?: string;
}
export interface FixOptions {
  settings: Settings;
  dryRun: boolean;
  progress: Progress;
  /** Asks the server, where one runs. */
  collect(dryRun: boolean): Promise<Collected>;
}
interface Found {
  name: string;
  what: string;
  mend(): Promise<unknown>;
}

/** Never rejects: what cannot be looked at or mended is said so. */
export async function fix(options: FixOptions): Promise<Fix[]> {
  const done: Fix[] = [];
  for (const [name, look] of Object.entries(STEPS)) {
    let found: Found[] = [];
    try {
      found = await look(options);
    } catch (error) {
      done.push({ name, what: 'could not be looked at', done: false, problem: messageOf(error) });
    }
    for (const one of found) done.push(await mended(one, options.dryRun));
  }
  return done;
}

async function mended({ name, what, mend }: Found, dryRun: boolean): Promise<Fix> {
  if (dryRun) return { name, what, done: false };
  try {
    await mend();
    return { name, what, done: true };
  } catch (error) {
    return { name, what, done: false, problem: messageOf(error) };
  }
}

/** In the order in which one helps the next. */
const STEPS: Record<string, (options: FixOptions) => Promise<Found[]>> = {
  'last run': lastRun,
  'file modes': fileModes,
  'half-written files': halfWritten,
  'temporary folders': temporaryFolders,
  engine,
  'leftovers on the engine': engineLeftovers,
  blobs,
};

/** A davit that was killed leaves its lock, its run file, and maybe parts that run on. */
async function lastRun({ settings }: FixOptions): Promise<Found[]> {
  if ((await lockOwner(settings.home)) !== undefined) return [];
  const found: Found[] = [];
  const run = await readRunFile(settings);
  if (run)
    found.push({
      name: 'last run',
      what: `run.json is of a davit that is gone (process ${run.pid}): its parts are ended, the file is removed`,
      mend: () => endLeftovers(settings),
    });
  const lock = join(settings.home, 'up.lock');
  if (await isFile(lock))
    found.push({
      name: 'last run',
      what: `${lock} is of a davit that is gone: removed`,
      mend: () => rm(lock),
    });
  return found;
}

async function fileModes({ settings }: FixOptions): Promise<Found[]> {
  const databases = (await names(settings.home)).filter((name) =>
    /^temporal-.+\.db(-wal|-shm|\.server)?$/.test(name),
  );
  const paths = [
    settings.keyFile,
    settings.workerTokenFile,
    settings.tokenFile,
    ...databases.map((name) => join(settings.home, name)),
  ];
  const found: Found[] = [];
  for (const path of paths) {
    if (!(await isFile(path)) || ((await lstat(path)).mode & 0o077) === 0) continue;
    found.push({
      name: 'file modes',
      what: `${path} is open to others: mode 0600`,
      mend: () => chmod(path, 0o600),
    });
  }
  return found;
}

async function halfWritten({ settings }: FixOptions): Promise<Found[]> {
  const folders = [
    settings.home,
    join(settings.home, 'keys'),
    join(settings.home, 'data', 'scratch'),
    join(settings.cache, 'bundles'),
  ];
  const found: Found[] = [];
  for (const folder of folders)
    for (const name of await names(folder)) {
      const path = join(folder, name);
      if (!(await isFile(path))) continue;
      // The server's scratch folder has nothing but halves; one that is written now is young.
      const half = folder.endsWith('scratch') ? DAY_MS : HALF.test(name) ? HOUR_MS : Number.POSITIVE_INFINITY;
      if ((await ageOf(path)) > half)
        found.push({
          name: 'half-written files',
          what: `${path}: removed`,
          mend: () => rm(path, { force: true }),
        });
    }
  return found;
}

/** Of a process that was killed in the middle of a fetch or a build. */
async function temporaryFolders({ settings }: FixOptions): Promise<Found[]> {
  const found = [...(await deadFolders()), ...(await deadFolders(settings.cache))];
  for (const name of await names(settings.cache)) {
    const path = join(settings.cache, name);
    if (CACHED.test(name) && (await lstat(path)).isDirectory() && (await ageOf(path)) > DAY_MS)
      found.push(path);
  }
  return found.map((path) => ({
    name: 'temporary folders',
    what: `${path}: removed`,
    mend: () => rm(path, { recursive: true, force: true }),
  }));
}

async function engine({ settings, progress }: FixOptions): Promise<Found[]> {
  try {
    await (await askEngine(settings)).engine.close();
    return [];
  } catch (error) {
    const mend = async (): Promise<void> => (await ensureEngine(settings, progress)).engine.close();
    return [{ name: 'engine', what: `${messageOf(error)} It is started.`, mend }];
  }
}

/** What the workers' janitors would take away too; here also where no worker runs. */
async function engineLeftovers({ settings, dryRun }: FixOptions): Promise<Found[]> {
  const run = (await lockOwner(settings.home)) === undefined ? undefined : await readRunFile(settings);
  const address = settings.temporalAddress ?? run?.temporal;
  // Without Temporal nobody knows which runs are over: everything stays.
  if (address === undefined) return [];
  const { installation } = await ensureKeys(settings);
  const namespace = settings.temporalNamespace;
  const temporal = await connectTemporal({ address, namespace, deadlineMs: TEMPORAL_MS });
  try {
    const local = await askEngine(settings);
    try {
      const workflows = workflowLookup(temporal.client);
      const age = { minAgeMs: MINUTE_MS, everyMs: MINUTE_MS };
      const runs = await sweep({ ...age, engine: local.engine, installation, workflows, dryRun });
      return runs.map((run) => ({
        name: 'leftovers on the engine',
        what: `containers, volumes and networks of run ${run}, which is over: removed`,
        mend: async () => undefined,
      }));
    } finally {
      await local.engine.close();
    }
  } finally {
    await temporal.connection.close();
  }
}

async function blobs({ settings, collect }: FixOptions): Promise<Found[]> {
  if (settings.serverUrl === undefined && (await lockOwner(settings.home)) === undefined) return [];
  const { blobs: count, bytes } = await collect(true);
  if (count === 0) return [];
  const what = `${count} blobs that nothing needs, ${(bytes / MIB).toFixed(1)} MiB: removed`;
  return [{ name: 'blobs', what, mend: () => collect(false) }];
}

const ageOf = async (path: string): Promise<number> => Date.now() - (await lstat(path)).mtimeMs;
const isFile = (path: string): Promise<boolean> =>
  lstat(path).then(
    (known) => known.isFile(),
    () => false, // not there: nothing to mend
  );

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new DavitError('local/home', `${folder} cannot be read.`, { cause: error });
  }
}
