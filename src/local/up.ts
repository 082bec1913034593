/**
 * `davit up`: everything on one machine. Sets up what is missing, starts every part, keeps them running until it is stopped.
 *
 * Invariants: U1 one `up` a home folder. U2 everything listens on 127.0.0.1. U3 a port that is taken is replaced by a free
 * one, and one that was used before is kept where it can be (addresses are part of image names). U4 what a killed `up` left
 * running is ended before anything is started. U5 when this ends, so have all its parts; containers of jobs run on, and the
 * next `up` goes on with them.
 */
import { ensureHelperImage } from '../adapters/helper-image.ts';
import { sweepFolders } from '../adapters/temp.ts';
import type { Settings } from '../config.ts';
import { HELPER_IMAGE } from '../installation.ts';
import type { RunFile } from '../server/api.ts';
import { ensureEngine, type LocalEngine } from './setup/docker.ts';
import { ensureEmulation, type Ability } from './setup/emulation.ts';
import { readInstallation, type FoundInstallation } from './setup/installation.ts';
import { ensureKeys } from './setup/keys.ts';
import { endLeftovers, removeIdleNetworks } from './process/stale-processes.ts';
import { takeLock } from './process/lock.ts';
import { temporalPart, type Addresses } from './processes.ts';
import { choosePorts, type Ports } from './process/ports.ts';
import type { Progress } from './process/progress.ts';
import { registryPart } from './setup/registry.ts';
import { removeRunFile, writeRunFile } from './process/run-file.ts';
import { Supervisor } from './process/supervisor.ts';
import { ensureSwarm } from './setup/swarm.ts';
import { ensureTemporal } from './setup/temporal-binary.ts';
import { startMachine, startSeparate } from './start-davit.ts';
import { VERSION } from '../version.ts';

export interface UpOptions {
  progress: Progress;
  /** Makes the engine a swarm of one node where it is none. */
  swarm: boolean;
  /** A process for the server and for each worker, as an installation on several machines has them. */
  separate?: boolean;
  /** Ends the start; later `stop` does. */
  signal: AbortSignal;
}
export interface Up {
  run: RunFile;
  local: LocalEngine;
  stop(): Promise<void>;
}

/** Resolves when every part is ready. Rejects with the first coded error, after ending what it had started. */
export async function up(settings: Settings, options: UpOptions): Promise<Up> {
  const release = await takeLock(settings.home);
  let parts: Supervisor | undefined;
  let tidy: (() => Promise<void>) | undefined;
  const stop = async (): Promise<void> => {
    await parts?.stop();
    await tidy?.();
    await removeRunFile(settings);
    await release();
  };
  try {
    const found = await readInstallation(settings);
    const { installation } = await ensureKeys(settings);
    await endLeftovers(settings);
    await sweepFolders();
    const ports = await choosePorts(settings);
    const run = runFileOf(settings, found, ports);
    parts = new Supervisor(options.progress, () =>
      writeRunFile(settings, { ...run, processes: parts?.processes() ?? [] }),
    );
    const ended = (): void => void parts?.stop();
    options.signal.addEventListener('abort', ended, { once: true });
    const start = { settings, options, parts, ports, run, found, installation };
    const local = await Promise.race([startAll(start), rejectedBy(options.signal)]);
    options.signal.throwIfAborted();
    options.signal.removeEventListener('abort', ended);
    tidy = () => removeIdleNetworks(local.engine, installation);
    return { run, local, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A build of Temporal takes minutes and cannot be asked to stop: nobody waits for it. */
const rejectedBy = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('asked to end')), { once: true }),
  );

interface Start {
  settings: Settings;
  options: UpOptions;
  parts: Supervisor;
  ports: Ports;
  run: RunFile;
  found: FoundInstallation;
  installation: string;
}

/** What does not depend on another starts at once; what talks to Temporal waits for its program alone, a build takes minutes. */
async function startAll(start: Start): Promise<LocalEngine> {
  const { settings, options, parts, run, found } = start;
  const { progress } = options;
  const addresses: Addresses = { ...run, installationFile: found.path };
  const binary = settings.temporalAddress ? Promise.resolve('') : ensureTemporal(settings, progress);
  const engine = progress.step('engine', () => ensureEngine(settings, progress), engineText);
  const able = engine.then((local) => ensureEmulation(local, progress));
  const helper = engine.then(({ engine: own, info }) =>
    ensureHelperImage(own, info, { name: run.helperImage, path: settings.path }),
  );
  const swarm = engine.then((local) => (options.swarm ? ensureSwarm(settings, local, progress) : undefined));
  const targets = found.installation.targets.map((target) => target.name);
  // Each is waited for below, some of them only after another: a failure before that is not unheard.
  for (const early of [binary, engine, able, helper, swarm]) early.catch(() => undefined);
  await Promise.all([
    startTemporal(start, binary),
    startRegistry(start, engine),
    binary.then(() => {
      const arches = Promise.all([able, helper]).then(([found]) => runnable(found, progress));
      const wanted = { arches, targets: swarm.then(() => targets) };
      const run = options.separate ? startSeparate : startMachine;
      return run({ settings, addresses, parts, progress }, wanted);
    }),
  ]);
  return engine;
}

async function startTemporal(start: Start, binary: Promise<string>): Promise<void> {
  const { settings, options, parts, ports } = start;
  if (settings.temporalAddress)
    return options.progress.note(`Temporal: ${settings.temporalAddress} (TEMPORAL_ADDRESS)`);
  await binary;
  await parts.add(temporalPart(settings, { binary, port: ports.temporal, uiPort: ports.ui }));
}

async function startRegistry(start: Start, engine: Promise<LocalEngine>): Promise<void> {
  const { settings, options, parts, ports, installation } = start;
  if (start.run.registry !== `127.0.0.1:${ports.registry}`) return;
  await parts.add(
    await registryPart(settings, { port: ports.registry, engine, installation }, options.progress),
  );
}

function runFileOf(settings: Settings, found: FoundInstallation, ports: Ports): RunFile {
  const named = found.installation.registries.find((one) => one.default)?.host;
  const port = found.installation.listen.port || ports.server;
  return {
    pid: process.pid,
    version: VERSION,
    startedAt: Date.now(),
    server: `http://127.0.0.1:${port}`,
    temporal: settings.temporalAddress ?? `127.0.0.1:${ports.temporal}`,
    temporalUi: settings.temporalAddress ? undefined : `http://127.0.0.1:${ports.ui}`,
    namespace: settings.temporalNamespace,
    registry: settings.registry ?? named ?? `127.0.0.1:${ports.registry}`,
    helperImage: settings.helperImage ?? found.installation.helper_image ?? HELPER_IMAGE,
    processes: [],
  };
}

const engineText = ({ info }: LocalEngine): string =>
  `Docker ${info.version}, ${info.arch}, ${info.cpus} CPUs`;

function runnable(arches: Ability[], progress: Progress): { arch: Ability['arch']; emulated: boolean }[] {
  for (const one of arches)
    if (one.how === 'none') progress.note(`No worker for ${one.arch} on this machine: ${one.reason ?? ''}`);
  return arches
    .filter((one) => one.how !== 'none')
    .map((one) => ({ arch: one.arch, emulated: one.how === 'emulated' }));
}
