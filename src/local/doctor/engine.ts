/** What the engine of this machine can do for davit. */
import { canRunArch } from '../../../workers/parts/arch-check.ts';
import type { Engine, EngineInfo } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import { askEngine } from '../setup/docker.ts';
import { abilities } from '../setup/emulation.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';

/** BuildKit without a client's help, and API 1.41, which davit's calls are written for. */
const OLDEST_MAJOR = 20;
/** The first line of releases with fixes for the container escapes of 2024 (runc CVE-2024-21626, CVE-2024-24557). */
const PATCHED_MAJOR = 25;
const PING_MS = 20_000;

export interface EngineFacts {
  settings: Settings;
  helperImage: string;
  /** host:port that images are pushed to; undefined while nothing runs. */
  registry?: string;
}

/** Engine, its version, its architectures, and whether it reaches the registry. Closes what it opens. */
export async function checkEngine(facts: EngineFacts): Promise<Finding[]> {
  return finding('engine', async () => {
    const { engine, info } = await askEngine(facts.settings);
    try {
      const parts = await Promise.all([
        finding('architectures', () => checkArches(engine, info, facts.helperImage)),
        facts.registry ? checkRegistryFromEngine(engine, facts.registry) : [],
      ]);
      return [versionFinding(info), ...modeFindings(info), ...parts.flat()];
    } finally {
      await engine.close();
    }
  });
}

/** A version string of the engine, judged: `20.10.24+dfsg1`, `28.2.2`. */
export function versionFinding(info: Pick<EngineInfo, 'version' | 'address' | 'cpus'>): Finding {
  const major = Number(/^(\d+)\./.exec(info.version)?.[1] ?? Number.NaN);
  const found = `Docker ${info.version} at ${info.address}, ${info.cpus} CPUs`;
  if (Number.isNaN(major) || major < OLDEST_MAJOR)
    return fail('engine', `${found}: too old.`, `Upgrade it to Docker ${PATCHED_MAJOR} or later.`);
  // What a distribution builds has a suffix and fixes of its own (`20.10.24+dfsg1`); what Docker builds has not.
  if (major < PATCHED_MAJOR && /^[\d.]+$/.test(info.version))
    return fail(
      'engine',
      `${found}: it has known container escapes (CVE-2024-21626).`,
      `Upgrade it to Docker ${PATCHED_MAJOR} or later.`,
    );
  if (major < PATCHED_MAJOR)
    return warn(
      'engine',
      `${found}: it works, and is older than fixes for known container escapes unless your distribution has put them in.`,
      `Run only projects that you trust on it, or upgrade to Docker ${PATCHED_MAJOR} or later.`,
    );
  return ok('engine', found);
}

/** Settings of the engine that do not go together. */
export function modeFindings(info: Pick<EngineInfo, 'liveRestore' | 'swarm'>): Finding[] {
  if (info.liveRestore && info.swarm !== 'inactive')
    return [
      fail(
        'engine mode',
        'The engine is in a swarm and has live-restore on, which Docker does not support together.',
        'Remove "live-restore" from /etc/docker/daemon.json, or leave the swarm on this machine.',
      ),
    ];
  if (info.swarm === 'worker')
    return [
      warn(
        'engine mode',
        'The engine is a worker of a swarm: deployments need a manager.',
        'Name a manager as `docker:` of the deploy target in the installation file.',
      ),
    ];
  return [];
}

async function checkArches(engine: Engine, info: EngineInfo, helperImage: string): Promise<Finding[]> {
  if (!(await engine.inspectImage(helperImage)))
    return [
      warn(
        'helper image',
        `${helperImage} is not on the engine yet.`,
        '`davit up` makes it; then look again.',
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
          'does not run on this engine.',
          `Let \`davit up\` register emulation, or add a machine: davit worker --arch ${arch} --docker ssh://USER@HOST`,
        ),
      );
  }
  return found;
}

/**
 * The engine itself must reach the registry, because it pushes and pulls. It is asked for an image that cannot be there: a
 * clear `missing` shows that the registry answered it.
 */
async function checkRegistryFromEngine(engine: Engine, registry: string): Promise<Finding[]> {
  const name = 'registry, from the engine';
  return finding(name, async () => {
    try {
      await engine.pullImage(`${registry}/davit-doctor:none`, { signal: AbortSignal.timeout(PING_MS) });
    } catch (error) {
      const reached = ['engine/image-missing', 'engine/image-denied'];
      if (!(error instanceof DavitError) || !reached.includes(error.code)) throw error;
    }
    return ok(name, `reaches ${registry}`);
  });
}
