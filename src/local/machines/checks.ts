/** What is wrong with the engine of a machine that is to be added. Every check is one line, with a remedy if it fails. */
import { randomUUID } from 'node:crypto';
import { canRunArch } from '../../../workers/parts/arch-check.ts';
import { ensureHelperImage } from '../../adapters/helper-image.ts';
import { isLoopback } from '../../adapters/text.ts';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import type { Arch } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { WorkerPorts } from '../../wiring.ts';
import { fail, finding, ok, warn, type Finding } from '../doctor/check.ts';
import { checkRegistryFromEngine, isTooOld, versionFinding } from '../doctor/engine.ts';
import type { MachineRecord } from './record.ts';

const WAIT_MS = 30_000;
const KIB = 1024;
const GIB = 1024 ** 3;
const NO_SPACE = GIB / 2;
const LOW_SPACE = 2 * GIB;
/** Logs and deadlines become hard to read. */
const SKEW_WARN_MS = 30_000;
/** Tokens of the registry are valid for this long, and new certificates not before their time. */
const SKEW_FAIL_MS = 5 * 60_000;

/** Before anything is asked of the server: the engine itself. */
export function engineFindings(
  info: EngineInfo,
  wanted: { arches: readonly Arch[]; emulation: boolean },
): Finding[] {
  const version = versionFinding(info);
  // Known escapes are for the operator to judge, as `davit doctor` says them: they do not keep a machine away.
  const judged =
    version.verdict === 'fail' && !isTooOld(info) ? { ...version, verdict: 'warn' as const } : version;
  return [judged, ...wanted.arches.map((arch) => archFinding(info, arch, wanted.emulation))];
}

/** If a 64-bit ARM machine runs 32-bit programs at all, it runs them natively. */
const isNative = (engine: Arch, arch: Arch): boolean =>
  engine === arch || (engine === 'arm64' && arch === 'arm32');

function archFinding(info: EngineInfo, arch: Arch, emulation: boolean): Finding {
  const name = `architecture ${arch}`;
  if (isNative(info.arch, arch)) return ok(name, `native: ${info.hostName} is ${info.arch}`);
  if (emulation) return ok(name, `by emulation: ${info.hostName} is ${info.arch}`);
  return fail(
    name,
    `${info.hostName} is ${info.arch}.`,
    `Write --arch ${info.arch}, or add --emulation if that machine is to emulate ${arch}.`,
  );
}

export interface MachineChecks {
  engine: Engine;
  info: EngineInfo;
  ports: Pick<WorkerPorts, 'facts' | 'registries' | 'now'>;
  name: string;
  /** In the form of `--docker`; undefined: this machine's own engine. */
  docker: string | undefined;
  arches: readonly Arch[];
  hostId: string;
  path: readonly string[];
  /** Reported to the server in the last minute. */
  workers: readonly WorkerReport[];
  /** The machines that were added here, without this one. */
  others: readonly MachineRecord[];
  /** The same machine has been added before. */
  again: boolean;
}

/** With a worker's rights: never rejects. */
export async function machineFindings(checks: MachineChecks): Promise<Finding[]> {
  const { engine, info, ports } = checks;
  const helper = ports.facts.config.helper_image;
  const ready = await finding('helper image', async () => {
    const auth = await ports.registries.authFor(helper);
    await ensureHelperImage(engine, info, { name: helper, path: checks.path, auth });
    return ok('helper image', helper);
  });
  const there = ready.every(({ verdict }) => verdict === 'ok');
  const parts = await Promise.all([
    there ? finding('containers', () => containersFinding(engine, checks.arches, helper)) : [],
    finding('clock', () => clockFinding(engine, ports)),
    there ? finding('disk', () => diskFinding(engine, info, helper)) : [],
    registryFindings(checks),
  ]);
  return [...ready, ...parts.flat(), identityFinding(checks)];
}

async function containersFinding(engine: Engine, arches: readonly Arch[], helper: string): Promise<Finding> {
  for (const arch of arches)
    if (!(await canRunArch(engine, arch, helper)))
      return fail(
        'containers',
        `The machine cannot run programs of ${arch}.`,
        `Register emulation there (\`docker run --rm --privileged tonistiigi/binfmt --install all\`), or leave ${arch} out.`,
      );
  return ok('containers', arches.length > 0 ? `run programs of ${arches.join(', ')}` : 'can be made');
}

async function clockFinding(engine: Engine, ports: Pick<WorkerPorts, 'now'>): Promise<Finding> {
  const before = ports.now();
  const { time } = await engine.info();
  return skewFinding(time - (before + ports.now()) / 2);
}

/** `skewMs`: how far the machine is ahead of the server. Pure. */
export function skewFinding(skewMs: number): Finding {
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  const words = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the server`;
  const remedy = 'Set the clock of that machine: `timedatectl set-ntp true`, or install chrony.';
  if (Math.abs(skewMs) > SKEW_FAIL_MS)
    return fail('clock', `${words}: tokens and certificates are not valid there.`, remedy);
  if (Math.abs(skewMs) > SKEW_WARN_MS) return warn('clock', `${words}.`, remedy);
  return ok('clock', seconds < 2 ? 'agrees with the server' : words);
}

async function diskFinding(engine: Engine, info: EngineInfo, helper: string): Promise<Finding> {
  // A container's root is on the file system that the engine keeps images and containers on.
  const text = await outputOf(engine, helper, 'df -P -k / | tail -n 1');
  const free = Number(text.trim().split(/\s+/)[3] ?? Number.NaN) * KIB;
  return spaceFinding(info.hostName, free);
}

/** Pure. `free`: bytes. */
export function spaceFinding(host: string, free: number): Finding {
  const remedy = `Free space on ${host}: \`docker system df\` shows what uses it, \`docker image prune\` removes unused images.`;
  if (Number.isNaN(free)) return warn('disk', `${host} does not say how much space is free.`, remedy);
  const found = `${(free / GIB).toFixed(1)} GiB free for the engine of ${host}`;
  if (free < NO_SPACE) return fail('disk', `${found}: too little to run jobs.`, remedy);
  return free < LOW_SPACE ? warn('disk', `${found}: space is low.`, remedy) : ok('disk', found);
}

/** Runs a script in the helper image, without a network, and returns what it prints. */
async function outputOf(engine: Engine, image: string, script: string): Promise<string> {
  const name = `davit-machine-check-${randomUUID().slice(0, 8)}`;
  const signal = AbortSignal.timeout(WAIT_MS);
  try {
    await engine.createContainer({
      name,
      image,
      labels: { 'davit.kind': 'helper' },
      entrypoint: ['/bin/sh', '-c', script],
      network: { mode: 'none' },
      noNewPrivileges: true,
      volumes: [],
      logMaxBytes: 1024 * KIB,
    });
    await engine.startContainer(name);
    await engine.waitContainer(name, signal);
    let text = '';
    for await (const { bytes } of engine.logs(name, { follow: false, signal }))
      text += Buffer.from(bytes).toString('utf8');
    return text;
  } finally {
    await engine.removeContainer(name);
  }
}

async function registryFindings({ engine, info, ports, docker }: MachineChecks): Promise<Finding[]> {
  const { config, ownRegistry } = ports.facts;
  const hosts = new Set([
    ...(ownRegistry ? [ownRegistry.host] : []),
    ...config.registries.filter((one) => one.default).map(({ host }) => host),
  ]);
  const found = await Promise.all(
    [...hosts].map(async (host): Promise<Finding[]> => {
      const own = isLoopback(host.replace(/:\d+$/, ''));
      if (own && docker?.startsWith('tcp:'))
        return [
          warn(
            'registry',
            `${host} is the loopback of the server's machine: this engine does not reach it, so it neither builds nor runs images of the installation.`,
            'Add the machine with ssh://, which forwards it, or give the registry a name that all engines reach (docs/installation.md, "The registry").',
          ),
        ];
      const one = await checkRegistryFromEngine(engine, info, host);
      return one.map((each) => ({ ...each, name: 'registry' }));
    }),
  );
  return found.flat();
}

/** Two machines with one id would take up each other's jobs. Pure. */
export function identityFinding(
  checks: Pick<
    MachineChecks,
    'hostId' | 'info' | 'name' | 'docker' | 'workers' | 'others' | 'again' | 'arches'
  > & {
    ports: { facts: Pick<WorkerPorts['facts'], 'installation'> };
  },
): Finding {
  const { hostId, info, workers, others, again, arches } = checks;
  const name = 'identity';
  const volume = `davit-host-${checks.ports.facts.installation.slice(0, 8)}`;
  const copied = `If it is a copy (a card that was cloned after davit used it), give one of them a new id: \`docker volume rm ${volume}\` there, while no job runs.`;
  const added = others.find((one) => one.hostId === hostId);
  if (added)
    return fail(
      name,
      `${info.hostName} has the id of ${added.name} (${added.docker ?? 'this machine'}).`,
      `If it is the same machine, use its name: \`davit worker add ${added.name} …\`. ${copied}`,
    );
  const same = workers.filter((one) => one.hostId === hostId);
  const other = same.find((one) => one.hostName !== info.hostName);
  if (other)
    return fail(name, `${info.hostName} has the id of ${other.hostName}, which has a worker.`, copied);
  const shared = same.flatMap((one) => one.arches).filter((arch) => arches.includes(arch));
  if (!again && shared.length > 0)
    return fail(
      name,
      `${info.hostName} has a worker for ${[...new Set(shared)].join(', ')} already.`,
      'It is driven by another process: stop that one first, wait a minute, and add the machine again.',
    );
  return ok(name, `${info.hostName}, ${hostId.slice(0, 8)}`);
}
