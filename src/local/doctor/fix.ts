/**
 * `davit doctor --fix`: repairs what a crash can leave on this machine. Each step first finds problems and
 * then repairs them, so that `--dry-run` shows exactly what would be done. It touches only what belongs to
 * davit: files by their place and name, processes by id and start time, objects on the engine by the labels
 * of this installation and an ended run.
 */
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sweep } from '../../../workers/parts/janitor.ts';
import type { Collected } from '../../adapters/ports.ts';
import { deadFolders } from '../../adapters/temp.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { workflowLookup } from '../../temporal/calls.ts';
import { temporalSecurity } from '../../temporal/security.ts';
import { connectTemporal } from '../../temporal/client.ts';
import { askEngine, ensureEngine } from '../setup/docker.ts';
import { ensureKeys } from '../setup/keys.ts';
import { stopStaleProcesses } from '../process/stale-processes.ts';
import { lockOwner } from '../process/lock.ts';
import type { Progress } from '../process/progress.ts';
import { readRunFile } from '../process/run-file.ts';
import { messageOf } from '../../utils/message.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TEMPORAL_MS = 3_000;
/** Temporary names: `run.json.PID.HEX`, `up.lock.new.PID`, `worker-token.PID.HEX`, `BUNDLE.js.PID.TIME`. */
const PARTIAL = /\.\d+(\.[0-9a-f]{8})?$/;
/**
 * Temporary folders in the cache, of the launcher's Node and of Temporal in davit 0.1; none is in use for a
 * day.
 */
const CACHED = /^\.(temporal|node)-[A-Za-z0-9]{6}$/;
const MIB = 1_024 ** 2;

export interface Fix {
  name: string;
  /** What is wrong, and what is or would be done. */
  what: string;
  done: boolean;
  /** Why it could not be done. */
  problem?: string;
}
export interface FixOptions {
  settings: Settings;
  dryRun: boolean;
  progress: Progress;
  /** Calls the server, if one runs. */
  collect(dryRun: boolean): Promise<Collected>;
}
interface Repair {
  name: string;
  what: string;
  run(): Promise<unknown>;
}

/** Never rejects: failed checks and repairs are part of the result. */
export async function fix(options: FixOptions): Promise<Fix[]> {
  const done: Fix[] = [];
  for (const [name, look] of Object.entries(STEPS)) {
    let found: Repair[] = [];
    try {
      found = await look(options);
    } catch (error) {
      done.push({ name, what: 'could not be checked', done: false, problem: messageOf(error) });
    }
    for (const one of found) done.push(await repaired(one, options.dryRun));
  }
  return done;
}

async function repaired({ name, what, run }: Repair, dryRun: boolean): Promise<Fix> {
  if (dryRun) return { name, what, done: false };
  try {
    await run();
    return { name, what, done: true };
  } catch (error) {
    return { name, what, done: false, problem: messageOf(error) };
  }
}

/** In this order, because later steps depend on earlier ones. */
const STEPS: Record<string, (options: FixOptions) => Promise<Repair[]>> = {
  'last run': lastRun,
  'file modes': fileModes,
  'half-written files': halfWritten,
  'temporary folders': temporaryFolders,
  engine,
  'leftovers on the engine': engineLeftovers,
  blobs,
};

/** A killed davit leaves its lock, its run file, and possibly running processes. */
async function lastRun({ settings }: FixOptions): Promise<Repair[]> {
  if ((await lockOwner(settings.home)) !== undefined) return [];
  const found: Repair[] = [];
  const run = await readRunFile(settings);
  if (run)
    found.push({
      name: 'last run',
      what: `run.json belongs to a davit that has ended (process ${run.pid}): stop its processes, remove the file`,
      run: () => stopStaleProcesses(settings),
    });
  const lock = join(settings.home, 'up.lock');
  if (await isFile(lock))
    found.push({
      name: 'last run',
      what: `${lock} belongs to a davit that has ended: remove it`,
      run: () => rm(lock),
    });
  return found;
}

async function fileModes({ settings }: FixOptions): Promise<Repair[]> {
  const databases = (await names(settings.home)).filter((name) =>
    /^temporal-.+\.db(-wal|-shm|\.server)?$/.test(name),
  );
  const paths = [
    settings.keyFile,
    settings.workerTokenFile,
    ...(settings.controlTokenFile === undefined ? [] : [settings.controlTokenFile]),
    settings.tokenFile,
    ...databases.map((name) => join(settings.home, name)),
  ];
  const found: Repair[] = [];
  for (const path of paths) {
    if (!(await isFile(path)) || ((await lstat(path)).mode & 0o077) === 0) continue;
    found.push({
      name: 'file modes',
      what: `${path} is accessible to other users: set mode 0600`,
      run: () => chmod(path, 0o600),
    });
  }
  return found;
}

async function halfWritten({ settings }: FixOptions): Promise<Repair[]> {
  const folders = [
    settings.home,
    join(settings.home, 'keys'),
    join(settings.home, 'data', 'scratch'),
    join(settings.cache, 'bundles'),
  ];
  const found: Repair[] = [];
  for (const folder of folders)
    for (const name of await names(folder)) {
      const path = join(folder, name);
      if (!(await isFile(path))) continue;
      // The server's scratch folder contains only partial files; one that is being written is young.
      const maxAge = folder.endsWith('scratch')
        ? DAY_MS
        : PARTIAL.test(name)
          ? HOUR_MS
          : Number.POSITIVE_INFINITY;
      if ((await ageOf(path)) > maxAge)
        found.push({
          name: 'half-written files',
          what: `${path}: remove it`,
          run: () => rm(path, { force: true }),
        });
    }
  return found;
}

/** Folders of a process that was killed during a download or a build. */
async function temporaryFolders({ settings }: FixOptions): Promise<Repair[]> {
  const found = [...(await deadFolders()), ...(await deadFolders(settings.cache))];
  for (const name of await names(settings.cache)) {
    const path = join(settings.cache, name);
    if (CACHED.test(name) && (await lstat(path)).isDirectory() && (await ageOf(path)) > DAY_MS)
      found.push(path);
  }
  return found.map((path) => ({
    name: 'temporary folders',
    what: `${path}: remove it`,
    run: () => rm(path, { recursive: true, force: true }),
  }));
}

async function engine({ settings, progress }: FixOptions): Promise<Repair[]> {
  try {
    await (await askEngine(settings)).engine.close();
    return [];
  } catch (error) {
    const run = async (): Promise<void> => (await ensureEngine(settings, progress)).engine.close();
    return [{ name: 'engine', what: `${messageOf(error)} Start it.`, run }];
  }
}

/** The same cleanup as a worker's janitor, for machines without a running worker. */
async function engineLeftovers({ settings, dryRun }: FixOptions): Promise<Repair[]> {
  const run = (await lockOwner(settings.home)) === undefined ? undefined : await readRunFile(settings);
  const address = settings.temporalAddress ?? run?.temporal;
  // Without Temporal it is unknown which runs have ended: everything stays.
  if (address === undefined) return [];
  const { installation } = await ensureKeys(settings);
  const namespace = settings.temporalNamespace;
  const security = await temporalSecurity(settings);
  const temporal = await connectTemporal({ address, namespace, security, deadlineMs: TEMPORAL_MS });
  try {
    const local = await askEngine(settings);
    try {
      const workflows = workflowLookup(temporal.client);
      const age = { minAgeMs: MINUTE_MS, everyMs: MINUTE_MS };
      const runs = await sweep({ ...age, engine: local.engine, installation, workflows, dryRun });
      return runs.map((run) => ({
        name: 'leftovers on the engine',
        what: `containers, volumes and networks of run ${run}, which has ended: remove them`,
        run: async () => undefined,
      }));
    } finally {
      await local.engine.close();
    }
  } finally {
    await temporal.connection.close();
  }
}

async function blobs({ settings, collect }: FixOptions): Promise<Repair[]> {
  if (settings.serverUrl === undefined && (await lockOwner(settings.home)) === undefined) return [];
  const { blobs: count, bytes } = await collect(true);
  if (count === 0) return [];
  const what = `${count} unused blobs, ${(bytes / MIB).toFixed(1)} MiB: remove them`;
  return [{ name: 'blobs', what, run: () => collect(false) }];
}

const ageOf = async (path: string): Promise<number> => Date.now() - (await lstat(path)).mtimeMs;
const isFile = (path: string): Promise<boolean> =>
  lstat(path).then(
    (known) => known.isFile(),
    () => false, // it does not exist: nothing to repair
  );

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new DavitError('local/home', `${folder} cannot be read.`, { cause: error });
  }
}
