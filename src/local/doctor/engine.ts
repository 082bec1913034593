/** Checks the engine of this machine. */
import { canRunArch } from '../../../workers/parts/arch-check.ts';
import { registryTrouble } from '../../../workers/parts/fleet/registry-check.ts';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import { readWorkerConfig } from '../../../workers/parts/worker-config.ts';
import type { WorkerConfig } from '../../installation.ts';
import { ownConfig } from '../processes.ts';
import { askEngine } from '../setup/docker.ts';
import { abilities } from '../setup/emulation.ts';
import { swarmObstacle } from '../setup/swarm.ts';
import { MIN_MAJOR, MIN_PODMAN } from './engine-versions.ts';
import { type Component, isOfDistribution, knownEscapes } from './known-escapes.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';
import { checkEgress } from './egress.ts';

const MIB = 1024 ** 2;
/** The rest of the memory is the machine's own. */
const USABLE = 0.8;

export interface EngineFacts {
  settings: Settings;
  helperImage: string;
  /** host:port of those that images are pulled from and pushed to; none if davit is not running. */
  registries: readonly string[];
  /** This machine has workers of a davit elsewhere. */
  isWorker: boolean;
  /** `accept_engine_versions` of this machine's worker. */
  accepted: readonly string[];
}

/** Engine, its version, its architectures, and whether it reaches the registry. Closes what it opens. */
export async function checkEngine(facts: EngineFacts): Promise<Finding[]> {
  return finding('engine', async () => {
    const { engine, info } = await askEngine(facts.settings);
    try {
      const parts = await Promise.all([
        finding('architectures', () => checkArches(engine, info, facts)),
        finding('egress of jobs', () => checkEgressWhereReady(engine, facts)),
        finding('limits of jobs', async () =>
          limitsFinding(info, await readWorkerConfig(ownConfig(facts.settings))),
        ),
        Promise.all(facts.registries.map((one) => checkRegistryFromEngine(engine, info, one))).then((all) =>
          all.flat(),
        ),
      ]);
      return [...versionFindings(info, facts.accepted), ...modeFindings(info), ...parts.flat()];
    } finally {
      await engine.close();
    }
  });
}

type Versions = Pick<
  EngineInfo,
  'kind' | 'version' | 'address' | 'cpus' | 'runtime' | 'authorizationPlugins'
>;

/** The versions of the engine and of its runtime, judged. */
export function versionFindings(info: Versions, accepted: readonly string[] = []): Finding[] {
  const { runtime } = info;
  if (runtime?.name !== 'runc') return [versionFinding(info, accepted)];
  const component = { name: 'runc', version: runtime.version } as const;
  const build = runtime.build.includes(runtime.version) ? ` (${runtime.build})` : '';
  const found = `runc ${runtime.version}${build}`;
  const escape = escapeFinding(component, { name: 'runtime', found, accepted });
  return [versionFinding(info, accepted), escape ?? ok('runtime', found)];
}

const majorOf = ({ version }: Pick<EngineInfo, 'version'>): number =>
  Number(/^(\d+)\./.exec(version)?.[1] ?? Number.NaN);

/** davit does not work with it. */
export function isTooOld(info: Pick<EngineInfo, 'kind' | 'version'>): boolean {
  const major = majorOf(info);
  return Number.isNaN(major) || major < (info.kind === 'podman' ? MIN_PODMAN : MIN_MAJOR);
}

/** `20.10.24+dfsg1`, `28.2.2`. */
export function versionFinding(info: Versions, accepted: readonly string[] = []): Finding {
  if (info.kind === 'podman') return podmanFinding(info);
  const found = `Docker ${info.version} at ${info.address}, ${info.cpus} CPUs`;
  if (isTooOld(info))
    return fail('engine', `${found}: this version is too old.`, 'Upgrade it to Docker 25.0.2 or later.');
  const component = { name: 'docker', version: info.version } as const;
  const plugins = info.authorizationPlugins;
  return escapeFinding(component, { name: 'engine', found, accepted, plugins }) ?? ok('engine', found);
}

/** Undefined: nothing is known against it. */
function escapeFinding(
  component: Component,
  what: { name: string; found: string; accepted: readonly string[]; plugins?: boolean },
): Finding | undefined {
  const known = knownEscapes(component, what);
  if (!known) return undefined;
  const { name, found, accepted } = what;
  const version = `${component.name} ${component.version}`;
  const upgrade = `Upgrade ${component.name} to ${known.upgradeTo} or later`;
  const cves = known.cves.join(', ');
  if (accepted.includes(version))
    return warn(
      name,
      `${found}: it has known container escapes (${cves}), and worker.yml accepts it.`,
      `${upgrade}, or run only trusted projects on this machine.`,
    );
  if (isOfDistribution(component.version))
    return warn(
      name,
      `${found}: a distribution's build. Its version number has known container escapes (${cves}); whether the distribution has mended them does not show in it.`,
      `Compare the package with the security tracker of the distribution, or run only trusted projects on this machine.`,
    );
  return fail(
    name,
    `${found}: it has known container escapes (${cves}).`,
    `${upgrade}. To go on with it: accept_engine_versions: ["${version}"] in the worker's configuration.`,
  );
}

/** How much of the machine a job may use; what is not limited gets a suggestion, an equal share for each slot. */
export function limitsFinding(
  info: Pick<EngineInfo, 'cpus' | 'memoryBytes'>,
  config: Pick<WorkerConfig, 'memory' | 'cpus' | 'pids' | 'slots'>,
): Finding {
  const set = [
    `${config.pids} processes`,
    ...(config.memory === undefined ? [] : [`${Math.round(config.memory / MIB)} MiB of memory`]),
    ...(config.cpus === undefined ? [] : [`${config.cpus} CPUs`]),
  ];
  const share = Math.floor((info.memoryBytes * USABLE) / config.slots / MIB) * MIB;
  const suggested = [
    ...(config.memory === undefined ? [`memory: ${share}`] : []),
    ...(config.cpus === undefined ? [`cpus: ${Math.max(1, Math.floor(info.cpus / config.slots))}`] : []),
  ];
  const advice =
    suggested.length === 0
      ? ''
      : `. For ${config.slots} jobs at once, worker.yml could say ${suggested.join(', ')}`;
  return ok('limits of jobs', `each container: ${set.join(', ')}${advice}`);
}

function podmanFinding(info: Pick<EngineInfo, 'kind' | 'version' | 'address' | 'cpus'>): Finding {
  const found = `Podman ${info.version} at ${info.address}, ${info.cpus} CPUs`;
  return isTooOld(info)
    ? fail('engine', `${found}: this version is too old.`, `Upgrade it to Podman ${MIN_PODMAN} or later.`)
    : ok('engine', found);
}

/** Settings of the engine that cannot be combined, and what it cannot do. */
export function modeFindings(
  info: Pick<EngineInfo, 'kind' | 'rootless' | 'liveRestore' | 'swarm'>,
): Finding[] {
  if (info.liveRestore && info.swarm !== 'inactive')
    return [
      fail(
        'engine mode',
        'The engine is in a swarm and has live-restore enabled; Docker does not support both.',
        'Remove "live-restore" from /etc/docker/daemon.json, or leave the swarm on this machine.',
      ),
    ];
  // Live-restore without a swarm is right for a machine that only runs jobs.
  const noSwarm = swarmObstacle({ ...info, liveRestore: false });
  if (noSwarm === undefined) return [];
  return [
    warn(
      'engine mode',
      `The engine cannot be a swarm: ${noSwarm}. Jobs that deploy to this machine fail.${info.kind === 'podman' ? ' Builds use no cache.' : ''}`,
      'Nothing to do without such jobs; else name a manager as `docker:` of the deploy target in the installation file.',
    ),
  ];
}

/** Without the helper image there is a finding already. */
const checkEgressWhereReady = async (
  engine: Engine,
  { settings, helperImage }: EngineFacts,
): Promise<Finding | Finding[]> =>
  (await engine.inspectImage(helperImage)) ? checkEgress(engine, settings, helperImage) : [];

async function checkArches(
  engine: Engine,
  info: EngineInfo,
  { helperImage, isWorker }: Pick<EngineFacts, 'helperImage' | 'isWorker'>,
): Promise<Finding[]> {
  if (!(await engine.inspectImage(helperImage)))
    return [
      warn(
        'helper image',
        `The engine does not have ${helperImage} yet.`,
        isWorker
          ? 'Start the worker of this machine, which brings it: davit worker --arch ARCH. Then run `davit doctor` again.'
          : 'Run `davit up`, which builds it, then run `davit doctor` again.',
      ),
    ];
  const known = await abilities(info);
  const found: Finding[] = [];
  for (const arch of ARCHES) {
    const name = `architecture ${arch}`;
    const how = known.find((one) => one.arch === arch)?.how ?? 'none';
    if (await canRunArch(engine, arch, helperImage))
      found.push(ok(name, how === 'native' ? 'runs natively' : 'runs by emulation'));
    else
      found.push(
        warn(
          name,
          'not supported by this engine.',
          `Nothing to do if no jobs of ${arch} shall run here. Else run \`davit prepare\`, which registers emulation, or add a machine: davit worker add NAME --arch ${arch} --docker ssh://USER@HOST`,
        ),
      );
  }
  return found;
}

/** The engine itself must reach the registry, because it pushes and pulls. */
export async function checkRegistryFromEngine(
  engine: Pick<Engine, 'pullImage'>,
  info: Pick<EngineInfo, 'kind' | 'hostName'>,
  registry: string,
): Promise<Finding[]> {
  const name = 'registry, from the engine';
  return finding(name, async () => {
    const trouble = await registryTrouble(engine, info, registry);
    if (!trouble) return ok(name, `reaches ${registry}`);
    const found = fail(name, trouble.message, trouble.hint ?? 'See the log of the engine.');
    return trouble.code === undefined ? found : { ...found, code: trouble.code };
  });
}
