/** Runs the workers of one machine that was added: for its architectures, for its deploy target, or both. */
import type { Settings } from '../../config.ts';
import { openLinks, type WorkerLinks } from '../../../workers/parts/links.ts';
import { machinePaths, readMachine, type MachineRecord } from './record.ts';

export interface MachineRun {
  settings: Settings;
  name: string;
  signal: AbortSignal;
  /** Called once all its workers take tasks. */
  onReady(): void;
  log(text: string): void;
}

/** The settings of this machine's worker: its engine, and its own token. */
export function settingsOf(settings: Settings, record: MachineRecord): Settings {
  const own = { workerTokenFile: machinePaths(settings, record.name).token, controlTokenFile: undefined };
  if (record.docker === undefined) return { ...settings, ...own };
  return { ...settings, ...own, dockerHost: record.docker, dockerCertPath: record.certPath };
}

/**
 * Resolves after the graceful end of all. Rejects with the first failure, after the others have ended. It has a connection
 * to Temporal of its own: one connection polls a queue for one worker only, and boards of one architecture share queues.
 */
export async function runMachine(run: MachineRun): Promise<void> {
  const record = await readMachine(run.settings, run.name);
  const settings = settingsOf(run.settings, record);
  const links = await openLinks(settings).catch(async (error: unknown) => {
    const { tellWithoutTemporal } = await import('../../../workers/arch.ts');
    const { arches, docker: dockerAddress } = record;
    const configFile = machinePaths(run.settings, run.name).config;
    await tellWithoutTemporal({ settings, arches, dockerAddress, configFile, signal: run.signal }, error);
    throw error;
  });
  try {
    await runWorkers(run, record, { settings, links });
  } finally {
    await links.close();
  }
}

async function runWorkers(
  run: MachineRun,
  record: MachineRecord,
  { settings, links }: { settings: Settings; links: WorkerLinks },
): Promise<void> {
  const one = new AbortController();
  const signal = AbortSignal.any([run.signal, one.signal]);
  const { arches, emulation, docker, target } = record;
  let missing = (arches.length > 0 ? 1 : 0) + (target === undefined ? 0 : 1);
  const onReady = (): void => {
    missing -= 1;
    if (missing === 0) run.onReady();
  };
  const common = { settings, links, signal, onReady, dockerAddress: docker };
  const starts: (() => Promise<void>)[] = [];
  if (arches.length > 0) {
    const configFile = machinePaths(run.settings, run.name).config;
    const { run: runArch } = await import('../../../workers/arch.ts');
    starts.push(() => runArch({ ...common, arches, emulation, configFile, log: run.log }));
  }
  if (target !== undefined) {
    const { run: runDeploy } = await import('../../../workers/deploy.ts');
    starts.push(() => runDeploy({ ...common, target }));
  }
  const ends = await Promise.allSettled(starts.map((start) => start().finally(() => one.abort())));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
