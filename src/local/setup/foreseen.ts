/** Everything that a set-up would change on this machine, found out without changing anything. */
import { helperDownload } from '../../adapters/helper-image.ts';
import type { Settings } from '../../config.ts';
import { HELPER_IMAGE } from '../../installation.ts';
import type { Arch } from '../../plan/model/ids.ts';
import type { Progress } from '../process/progress.ts';
import type { Change } from './changes.ts';
import { foreseenEngine, type LocalEngine } from './docker.ts';
import { emulationChanges, engineToComeChanges } from './emulation.ts';
import { readInstallation } from './installation.ts';
import { registryChanges } from './registry.ts';
import { swarmChanges, type SwarmWish } from './swarm.ts';
import { temporalChanges } from './temporal-binary.ts';

/**
 * What `davit up` would change; an engine that only has to be started is started. Rejects with `local/no-engine`,
 * `engine/*` where there is no engine and davit may not install one.
 */
export async function foreseenChanges(
  settings: Settings,
  { swarm, progress }: { swarm: SwarmWish; progress: Progress },
): Promise<Change[]> {
  const { installation } = await readInstallation(settings);
  const engine = await foreseenEngine(settings, progress);
  const local = 'local' in engine ? engine.local : undefined;
  const first = 'change' in engine && engine.change ? [engine.change] : [];
  const ownRegistry = !settings.registry && !installation.registries.some((one) => one.default);
  const helperImage = settings.helperImage ?? installation.helper_image ?? HELPER_IMAGE;
  try {
    const parts = await Promise.all([
      local ? emulationChanges(local.info) : engineToComeChanges(hostArch()),
      settings.temporalAddress ? [] : temporalChanges(settings),
      ownRegistry ? registryChanges(settings, local) : [],
      helperChanges(settings, helperImage, local),
      swarmChanges(settings, swarm, local),
    ]);
    return [...first, ...parts.flat()];
  } finally {
    await local?.engine.close();
  }
}

async function helperChanges(settings: Settings, name: string, local?: LocalEngine): Promise<Change[]> {
  const arch = local?.info.arch ?? hostArch();
  const image = await helperDownload(local?.engine, arch, { name, path: settings.path });
  if (image === undefined) return [];
  const why = "probes, and jobs without an image. Where it cannot be pulled, busybox of Debian's packages";
  return [{ act: 'download', what: `image ${image}`, size: '1 MB', why }];
}

const hostArch = (): Arch =>
  process.arch === 'arm64' ? 'arm64' : process.arch === 'arm' ? 'arm32' : 'amd64';
