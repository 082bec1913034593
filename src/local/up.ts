/**
 * `davit up`: everything on one machine. Sets up what is missing, starts all processes, and keeps them
 * running until it is stopped.
 *
 * Invariants:
 * UP-1 One `up` per home folder.
 * UP-2 Everything listens on 127.0.0.1.
 * UP-3 A port that is in use is replaced by a free one; ports of an earlier start are kept if possible,
 *      because addresses are part of image names.
 * UP-4 Processes that a killed `up` left are stopped before anything is started.
 * UP-5 When it ends, all its processes have ended. Containers of jobs continue, and the next `up` resumes
 *      them.
 */
import { ensureHelperImage } from '../adapters/helper-image.ts';
import { sweepFolders } from '../adapters/temp.ts';
import type { Settings } from '../config.ts';
import { HELPER_IMAGE, LOCAL_TARGET } from '../installation.ts';
import type { Arch } from '../plan/model/ids.ts';
import type { RunFile } from '../server/api.ts';
import { TOKEN_PATH } from '../server/registry/token-path.ts';
import { ensureEngine, type LocalEngine } from './setup/docker.ts';
import { ensureEmulation, type Ability } from './setup/emulation.ts';
import { readInstallation, type FoundInstallation } from './setup/installation.ts';
import { certificateOf, ensureKeys } from './setup/keys.ts';
import { stopStaleProcesses, removeIdleNetworks } from './process/stale-processes.ts';
import { takeLock } from './process/lock.ts';
import { temporalProcess, type Addresses } from './processes.ts';
import { choosePorts, type Ports } from './process/ports.ts';
import type { Progress } from './process/progress.ts';
import { registryProcess } from './setup/registry.ts';
import { removeRunFile, writeRunFile } from './process/run-file.ts';
import { Supervisor } from './process/supervisor.ts';
import { rememberEngine } from './setup/locate-engine.ts';
import {
  ensureRegistryCertificate,
  readSharedRegistry,
  type SharedRegistry,
} from './setup/shared-registry.ts';
import { settleSwarm, type SwarmWish } from './setup/swarm.ts';
import { ensureTemporal } from './setup/temporal-binary.ts';
import { startMachine, startSeparate } from './start-davit.ts';
import { VERSION } from '../version.ts';

export interface UpOptions {
  progress: Progress;
  /** Its own workers serve these architectures alone; all that the engine can run if undefined. */
  arches?: readonly Arch[] | undefined;
  swarm: SwarmWish;
  /** A process for the server and for each worker, as an installation on several machines has them. */
  separate?: boolean;
  /** Ends the start; later `stop` does. */
  signal: AbortSignal;
}
export interface Up {
  run: RunFile;
  local: LocalEngine;
  /** Why there is no swarm for deployments, though one was wished for. */
  noSwarm?: string;
  /** Architectures that have no worker here, with the reason. */
  missing: readonly { arch: Arch; reason: string }[];
  stop(): Promise<void>;
}

/**
 * Resolves when every process is ready. Rejects with the first coded error, after stopping what it had
 * started.
 */
export async function up(settings: Settings, options: UpOptions): Promise<Up> {
  const release = await takeLock(settings.home);
  let supervisor: Supervisor | undefined;
  let tidy: (() => Promise<void>) | undefined;
  const stop = async (): Promise<void> => {
    await supervisor?.stop();
    await tidy?.();
    await removeRunFile(settings);
    await release();
  };
  try {
    const found = await readInstallation(settings);
    const { installation, registryKey } = await ensureKeys(settings);
    rememberEngine(settings);
    await stopStaleProcesses(settings);
    await sweepFolders();
    const ports = await choosePorts(settings);
    const shared = await readSharedRegistry(settings);
    if (shared) await ensureRegistryCertificate(settings, shared);
    const run = runFileOf(settings, { found, ports, shared, options });
    supervisor = new Supervisor(options.progress, () =>
      writeRunFile(settings, { ...run, processes: supervisor?.processes() ?? [] }),
    );
    const onAbort = (): void => void supervisor?.stop();
    options.signal.addEventListener('abort', onAbort, { once: true });
    const start = { settings, options, supervisor, ports, run, found, shared, installation, registryKey };
    const started = await Promise.race([startAll(start), rejectedBy(options.signal)]);
    options.signal.throwIfAborted();
    options.signal.removeEventListener('abort', onAbort);
    tidy = () => removeIdleNetworks(started.local.engine, installation);
    return { run, ...started, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A build of Temporal takes minutes and cannot be aborted, so an abort does not wait for it. */
const rejectedBy = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }),
  );

interface StartContext {
  settings: Settings;
  options: UpOptions;
  supervisor: Supervisor;
  ports: Ports;
  run: RunFile;
  found: FoundInstallation;
  /** For other machines. */
  shared: SharedRegistry | undefined;
  installation: string;
  registryKey: string;
}
const isEmbedded = ({ run, ports, shared }: Pick<StartContext, 'run' | 'ports' | 'shared'>): boolean =>
  run.registry === (shared?.host ?? loopbackRegistry(ports));
const loopbackRegistry = (ports: Ports): string => `127.0.0.1:${ports.registry}`;

/**
 * Independent work starts at once; processes that use Temporal wait only for its program, whose build takes
 * minutes.
 */
async function startAll(start: StartContext): Promise<Omit<Up, 'run' | 'stop'>> {
  const { settings, options, supervisor, run, found } = start;
  const { progress } = options;
  const ownRegistry = isEmbedded(start) ? run.registry : undefined;
  const addresses: Addresses = {
    ...run,
    ownRegistry,
    port: serverPort(found, start.ports),
    installationFile: found.path,
  };
  const binary = settings.temporalAddress ? Promise.resolve('') : ensureTemporal(settings, progress);
  const engine = progress.step('engine', () => ensureEngine(settings, progress), engineText);
  const able = engine.then((local) => ensureEmulation(settings, local, progress, options.arches));
  const helper = engine.then(({ engine: own, info }) =>
    ensureHelperImage(own, info, { name: run.helperImage, path: settings.path }),
  );
  const swarm = engine.then((local) => settleSwarm(settings, local, { ...options.swarm, progress }));
  const targets = found.installation.targets.map((target) => target.name);
  // All are awaited below, some only after another: an earlier failure is not an unhandled rejection.
  for (const early of [binary, engine, able, helper, swarm]) early.catch(() => undefined);
  await Promise.all([
    startTemporal(start, binary),
    startRegistry(start, engine),
    binary.then(() => {
      const arches = Promise.all([able, helper]).then(([found]) => runnable(found, progress));
      const ownSwarm = found.ownTarget ? LOCAL_TARGET : undefined;
      const wanted = { arches, targets: swarm.then(() => targets), ...(ownSwarm && { ownSwarm }) };
      const run = options.separate ? startSeparate : startMachine;
      return run({ settings, addresses, supervisor, progress }, wanted);
    }),
  ]);
  const noSwarm = await swarm;
  return {
    local: await engine,
    missing: withoutWorker(await able),
    ...(noSwarm !== undefined && { noSwarm }),
  };
}

async function startTemporal(start: StartContext, binary: Promise<string>): Promise<void> {
  const { settings, options, supervisor, ports } = start;
  if (settings.temporalAddress)
    return options.progress.note(`Temporal: ${settings.temporalAddress} (TEMPORAL_ADDRESS)`);
  await binary;
  await supervisor.add(temporalProcess(settings, { binary, port: ports.temporal, uiPort: ports.ui }));
}

async function startRegistry(start: StartContext, engine: Promise<LocalEngine>): Promise<void> {
  const { settings, options, supervisor, ports, run, found, installation, registryKey } = start;
  if (!isEmbedded(start)) return;
  const asksForTokens = found.installation.registry_auth !== 'off';
  const auth = asksForTokens && {
    realm: `${run.server}${TOKEN_PATH}`,
    certificate: certificateOf(registryKey),
  };
  const registry = { port: ports.registry, engine, installation, ...(auth && { auth }) };
  await supervisor.add(await registryProcess(settings, registry, options.progress));
}

const serverPort = (found: FoundInstallation, ports: Ports): number =>
  found.installation.listen.port || ports.server;

function runFileOf(
  settings: Settings,
  { found, ports, shared, options }: Pick<StartContext, 'found' | 'ports' | 'shared' | 'options'>,
): RunFile {
  const registry = found.installation.registries.find((one) => one.default)?.host;
  const port = serverPort(found, ports);
  const { tls, url } = found.installation;
  // A certificate that was given may not be valid for the address of the loopback.
  const named = tls && url?.startsWith('https:') ? url.replace(/\/+$/, '') : undefined;
  return {
    pid: process.pid,
    version: VERSION,
    startedAt: Date.now(),
    server: named ?? `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    temporal: settings.temporalAddress ?? `127.0.0.1:${ports.temporal}`,
    temporalUi: settings.temporalAddress ? undefined : `http://127.0.0.1:${ports.ui}`,
    namespace: settings.temporalNamespace,
    registry: settings.registry ?? registry ?? shared?.host ?? loopbackRegistry(ports),
    helperImage: settings.helperImage ?? found.installation.helper_image ?? HELPER_IMAGE,
    ...(options.arches && { arches: [...options.arches] }),
    processes: [],
  };
}

const engineText = ({ info }: LocalEngine): string =>
  `${info.kind === 'podman' ? 'Podman' : 'Docker'} ${info.version}, ${info.arch}, ${info.cpus} CPUs`;

const withoutWorker = (arches: readonly Ability[]): Up['missing'] =>
  arches.flatMap(({ arch, how, reason = '' }) => (how === 'none' ? [{ arch, reason }] : []));

function runnable(arches: Ability[], progress: Progress): { arch: Ability['arch']; emulated: boolean }[] {
  for (const { arch, reason } of withoutWorker(arches))
    progress.note(`This machine has no worker for ${arch}: ${reason}`);
  return arches
    .filter((one) => one.how !== 'none')
    .map((one) => ({ arch: one.arch, emulated: one.how === 'emulated' }));
}
