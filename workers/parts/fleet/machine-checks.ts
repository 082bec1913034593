/** What a worker finds out about its engine's machine. A check that fails is a trouble of the result; none takes long. */
import { randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, EngineInfo } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type {
  EngineFacts,
  MachineChecks,
  RegistryCheck,
  Space,
  Trouble,
} from '../../../src/plan/model/fleet.ts';
import type { Arch } from '../../../src/plan/model/ids.ts';
import { LABELS } from '../../../src/plan/model/labels.ts';
import { canRunArch } from '../arch-check.ts';
import { troubleOf } from './engine-watch.ts';
import { registryTrouble } from './registry-check.ts';

const CHECK_MS = 45_000;
const KIB = 1_024;

export interface CheckedMachine {
  engine: Engine;
  installation: string;
  helperImage: string;
  ensureHelper(): Promise<void>;
  /** `HOST[:PORT]` of those that jobs use. */
  registries: readonly string[];
  /** Architectures of the worker that are not the engine's own. */
  foreign: readonly Arch[];
  /** Rejects with `temporal/unreachable`. Absent where the machine has no worker yet. */
  askTemporal?(): Promise<void>;
  /** Server's clock. */
  now(): number;
}

/** Never rejects. */
export async function checkMachine(machine: CheckedMachine): Promise<MachineChecks> {
  const troubles: Trouble[] = [];
  const part = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await within(work);
    } catch (error) {
      troubles.push(troubleOf(error));
      return undefined;
    }
  };
  const clock = await part(clockOf(machine));
  const info = clock?.info;
  // One container after the other: a small board has other work.
  const disk = info && (await part(diskOf(machine)));
  const registries = info && (await part(registriesOf(machine, info)));
  const cannotRun = info && (await part(unable(machine)));
  const temp = await part(spaceOf(tmpdir()));
  if (machine.askTemporal) await part(machine.askTemporal());
  return {
    at: machine.now(),
    ...(clock && { clockOffsetMs: Math.round(clock.offsetMs) }),
    ...(disk && { disk }),
    ...(temp && { temp }),
    ...(registries && { registries }),
    ...(cannotRun && { cannotRun }),
    ...(troubles.length > 0 && { troubles: troubles.slice(0, 16) }),
  };
}

export const engineFacts = (info: EngineInfo): EngineFacts => ({
  id: info.id,
  address: info.address,
  kind: info.kind,
  version: info.version,
  api: info.api,
  store: info.store,
  os: info.os,
  arch: info.arch,
  machine: info.machine,
  runtime: info.runtime && `${info.runtime.name} ${info.runtime.version}`,
  swarm: info.swarm,
});

export async function spaceOf(folder: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** The engine says its time in the middle of the call, as far as anybody knows. */
async function clockOf({ engine, now }: CheckedMachine): Promise<{ info: EngineInfo; offsetMs: number }> {
  const before = now();
  const info = await engine.info();
  return { info, offsetMs: info.time - (before + now()) / 2 };
}

async function registriesOf(
  { engine, registries }: CheckedMachine,
  info: EngineInfo,
): Promise<RegistryCheck[]> {
  return Promise.all(
    registries.map(async (host) => {
      const problem = await registryTrouble(engine, info, host);
      return problem ? { host, problem } : { host };
    }),
  );
}

async function unable({ engine, foreign, helperImage, ensureHelper }: CheckedMachine): Promise<Arch[]> {
  if (foreign.length > 0) await ensureHelper();
  const found: Arch[] = [];
  for (const arch of foreign) if (!(await canRunArch(engine, arch, helperImage))) found.push(arch);
  return found;
}

/** The root of a container is on the file system where the engine keeps its data. */
async function diskOf({ engine, installation, helperImage, ensureHelper }: CheckedMachine): Promise<Space> {
  await ensureHelper();
  const name = `davit-disk-check-${randomUUID().slice(0, 8)}`;
  const labels = { [LABELS.installation]: installation, 'davit.kind': 'helper' };
  try {
    await engine.createContainer({
      name,
      image: helperImage,
      labels,
      entrypoint: ['/bin/sh', '-c', 'df -Pk /'],
      network: { mode: 'none' },
      noNewPrivileges: true,
      volumes: [],
      logMaxBytes: KIB * KIB,
    });
    await engine.startContainer(name);
    const signal = AbortSignal.timeout(CHECK_MS);
    await engine.waitContainer(name, signal);
    let text = '';
    for await (const { bytes } of engine.logs(name, { follow: false, signal }))
      text += Buffer.from(bytes).toString('utf8');
    return spaceIn(text);
  } finally {
    await engine.removeContainer(name);
  }
}

/** From the output of `df -Pk`. */
export function spaceIn(text: string): Space {
  const [, total, , free] = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(text) ?? [];
  if (total === undefined || free === undefined)
    throw new DavitError('engine/failed', 'The engine did not tell the size of its disk.');
  return { freeBytes: Number(free) * KIB, totalBytes: Number(total) * KIB };
}

async function within<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = delay(CHECK_MS, undefined, { signal: over.signal }).then(() => {
    throw new DavitError('engine/unreachable', 'The engine did not finish a check in time.');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => undefined); // the work has ended first
  }
}
