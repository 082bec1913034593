/**
 * Frees space on an engine whose disk is full: what the janitor would remove at its next round, images of
 * builds of this installation whose pipeline is over, and, if the worker's file says that the engine builds
 * for davit alone, BuildKit's cache. Never a foreign object, and nothing of an open run.
 */
import { usedImages } from '../../activities/job/container/image.ts';
import {
  type FreeDiskSpace,
  ownImages,
  removeOwnImages,
  type FreedSpace,
} from '../../activities/runtime/disk-space.ts';
import { type Janitor, sweep } from './janitor.ts';

export interface DiskSpaceOptions
  extends Pick<Janitor, 'engine' | 'installation' | 'workflows' | 'minAgeMs'> {
  /** Address of the installation's server; images have it in a label. */
  url: string;
  pruneBuildCache: boolean;
  /** Tests: shorter. */
  askAgainMs?: number;
}

/** Jobs that find a full disk concurrently wait for one collection. */
export function makeFreeDiskSpace(options: DiskSpaceOptions): FreeDiskSpace {
  let running: Promise<FreedSpace> | undefined;
  return () => {
    running ??= collect(options).finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function collect(options: DiskSpaceOptions): Promise<FreedSpace> {
  const { engine, workflows, url } = options;
  // On a full disk a removal may fail: the janitor tries again, and the others may succeed.
  const runs = await sweep({ ...options, everyMs: 0 }).catch(() => []);
  const own = ownImages(await engine.listImages(), { url, used: usedImages(engine) });
  const images = await removeOwnImages(engine, workflows, own);
  const cacheBytes = options.pruneBuildCache ? await engine.pruneBuildCache() : 0;
  return { runs: runs.length, images, cacheBytes };
}
