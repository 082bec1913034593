/** Which architectures an engine can run: natively, or by emulation if the operator allows that. */
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { WorkerConfig } from '../../src/installation.ts';
import type { Arch } from '../../src/plan/model/ids.ts';
import { canRunArch } from './arch-check.ts';

export interface Ability {
  hostId: string;
  hostName: string;
  /** The emulated ones among the requested architectures. */
  emulated: Arch[];
}
export interface EngineCheck {
  engine: Engine;
  arches: readonly Arch[];
  emulation: boolean;
  config: WorkerConfig;
  installation: string;
  helperImage: string;
}

/** If a 64-bit ARM machine runs 32-bit programs at all, it runs them natively. */
const isNative = (engine: Arch, arch: Arch): boolean =>
  engine === arch || (engine === 'arm64' && arch === 'arm32');

/** Rejects with `worker/arch` and a remedy. */
export async function checkEngine(wanted: EngineCheck): Promise<Ability> {
  const { engine, arches, config } = wanted;
  const [info, hostId] = await Promise.all([engine.info(), engine.hostId(wanted.installation)]);
  const emulated = arches.filter((arch) => !isNative(info.arch, arch));
  const [first] = emulated;
  if (first && !(wanted.emulation || config.emulation))
    throw new DavitError(
      'worker/arch',
      `${info.hostName} (${info.address}) is ${info.arch}; it can run ${first} only by emulation.`,
      { hint: 'Give the worker an engine of that architecture, or start it with --emulation.' },
    );
  const hardware = Object.keys(config.devices);
  if (hardware.length > 0 && emulated.length === arches.length)
    throw new DavitError(
      'worker/arch',
      `This worker would give devices (${hardware.join(', ')}) to emulated jobs; a job that asks for hardware never runs emulated.`,
      { hint: 'Take `devices` out of its configuration, or serve the architecture of the machine.' },
    );
  const checks = arches
    .filter((arch) => arch !== info.arch)
    .map(async (arch) => {
      if (await canRunArch(engine, arch, wanted.helperImage)) return;
      throw new DavitError(
        emulated.includes(arch) ? 'worker/emulation' : 'worker/arch',
        `${info.hostName} (${info.address}) is ${info.arch} and cannot run ${arch} containers.`,
      );
    });
  await Promise.all(checks);
  return { hostId, hostName: info.hostName, emulated };
}
