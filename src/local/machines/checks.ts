/** What is wrong with the engine of a machine that is to be added. Every check is one line, with a remedy if it fails. */
import { checkMachine } from '../../../workers/parts/fleet/machine-checks.ts';
import { ensureHelperImage } from '../../adapters/helper-image.ts';
import { isLoopback } from '../../adapters/text.ts';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import type { MachineChecks as Found, Trouble } from '../../plan/model/fleet.ts';
import type { Arch } from '../../plan/model/ids.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { WorkerPorts } from '../../wiring.ts';
import { fail, finding, ok, warn, type Finding } from '../doctor/check.ts';
import { isTooOld, versionFinding } from '../doctor/engine.ts';
import type { MachineRecord } from './record.ts';

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
  const { engine, info, ports, arches, docker } = checks;
  const { config, ownRegistry, installation } = ports.facts;
  const helperImage = config.helper_image;
  const ensureHelper = async (): Promise<void> => {
    const auth = await ports.registries.authFor(helperImage);
    await ensureHelperImage(engine, info, { name: helperImage, path: checks.path, auth });
  };
  const helper = await finding('helper image', async () => {
    await ensureHelper();
    return ok('helper image', helperImage);
  });
  const hosts = new Set([
    ...(ownRegistry ? [ownRegistry.host] : []),
    ...config.registries.filter((one) => one.default).map(({ host }) => host),
  ]);
  const apart = [...hosts].filter(
    (host) => docker?.startsWith('tcp:') && isLoopback(host.replace(/:\d+$/, '')),
  );
  const found = await checkMachine({
    ...{ engine, installation, helperImage, ensureHelper, now: ports.now },
    registries: [...hosts].filter((host) => !apart.includes(host)),
    foreign: arches.filter((arch) => arch !== info.arch),
  });
  return [
    ...helper,
    ...checkFindings(found, info, arches),
    ...apart.map(apartFinding),
    identityFinding(checks),
  ];
}

/** Pure. */
export function checkFindings(
  found: Found,
  info: Pick<EngineInfo, 'hostName'>,
  arches: readonly Arch[],
): Finding[] {
  const cannot = (found.cannotRun ?? []).join(', ');
  return [
    cannot === ''
      ? ok('containers', arches.length > 0 ? `run programs of ${arches.join(', ')}` : 'can be made')
      : fail(
          'containers',
          `The machine cannot run programs of ${cannot}.`,
          `Register emulation there (\`docker run --rm --privileged tonistiigi/binfmt --install all\`), or leave ${cannot} out.`,
        ),
    ...(found.clockOffsetMs === undefined ? [] : [skewFinding(found.clockOffsetMs)]),
    ...(found.disk ? [spaceFinding(info.hostName, found.disk.freeBytes)] : []),
    ...(found.registries ?? []).map(({ host, problem }) =>
      problem ? troubleFinding('registry', problem) : ok('registry', `reaches ${host}`),
    ),
    ...(found.troubles ?? []).map((trouble) => troubleFinding('machine', trouble)),
  ];
}

const troubleFinding = (name: string, { code, message, hint }: Trouble): Finding => ({
  ...fail(name, message, hint ?? 'Look at the log of the engine there, and run the command again.'),
  ...(code !== undefined && { code }),
});

const apartFinding = (host: string): Finding =>
  warn(
    'registry',
    `${host} is the loopback of the server's machine: this engine does not reach it, so it neither builds nor runs images of the installation.`,
    'Add the machine with ssh://, which forwards it, or give the registry a name that all engines reach (docs/installation.md, "The registry").',
  );

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

/** Pure. `free`: bytes. */
export function spaceFinding(host: string, free: number): Finding {
  const remedy = `Free space on ${host}: \`docker system df\` shows what uses it, \`docker image prune\` removes unused images.`;
  const found = `${(free / GIB).toFixed(1)} GiB free for the engine of ${host}`;
  if (free < NO_SPACE) return fail('disk', `${found}: too little to run jobs.`, remedy);
  return free < LOW_SPACE ? warn('disk', `${found}: space is low.`, remedy) : ok('disk', found);
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
