import type { Engine, RegistryAuth } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { BuildSpec } from '../../src/plan/model/spec.ts';
import type { AttemptLog } from '../runtime/log/plain-log.ts';

export interface CacheTags {
  /** Images whose layers may be used, best first. */
  read: string[];
  /** Where this build writes its cache; undefined: nowhere. */
  write?: string;
  /** Local name under which the engine keeps this architecture's newest image. */
  local: string;
}

/**
 * One cache tag per architecture: architectures on one engine must not share a tag. Protected refs read and
 * write their own tag, so that no unprotected branch puts a layer into their images; a fork writes no cache.
 */
export function cacheTags(spec: BuildSpec): CacheTags {
  if (spec.cache) {
    const local = `${spec.repository}:cache-${spec.arch}${spec.protectedRef ? '' : '-unprotected'}`;
    return { read: spec.cache.read, write: spec.cache.write, local };
  }
  const own = `${spec.repository}:cache-${spec.arch}`;
  const open = `${own}-unprotected`;
  const local = spec.protectedRef ? own : open;
  if (spec.cacheFrom === 'none') return { read: [], local };
  if (spec.protectedRef) return { read: [own], write: own, local };
  return { read: [open, own], write: spec.fork ? undefined : open, local };
}

/**
 * Pushes the cache tag, and keeps one image of this repository and architecture on the engine: the one just
 * built, under the cache's name. Without this every build would leave an image behind. Best effort: returns
 * warnings, never fails a build.
 */
export async function keepNewestImage(
  engine: Engine,
  what: {
    spec: BuildSpec;
    cache: CacheTags;
    tag: string;
    auths: Record<string, RegistryAuth>;
    signal: AbortSignal;
    log: AttemptLog;
  },
): Promise<string[]> {
  const { cache, tag, spec } = what;
  const warnings: string[] = [];
  const trying = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      what.signal.throwIfAborted();
      // The image is in use, or the cache cannot be written: the build itself has succeeded.
      const text = error instanceof DavitError ? error.message : 'failed';
      warnings.push(`${name}: ${text}`);
      what.log.line(`${name}: ${text}`);
    }
  };
  const before = await engine.inspectImage(cache.local);
  await trying('cache tag', () => engine.tagImage(tag, cache.local));
  const write = cache.write;
  if (write !== undefined)
    await trying('cache', () => pushCache(engine, { from: cache.local, write, ...what }));
  await trying('local tag', () => engine.removeImage(tag));
  const after = await engine.inspectImage(cache.local);
  if (before && after && before.id !== after.id)
    for (const digest of before.repoDigests.filter((one) => one.startsWith(`${spec.repository}@`)))
      await trying('old image', () => removeUnused(engine, digest));
  if (before && after && before.id !== after.id)
    await trying('old image', () => removeUnnamed(engine, before.id));
  return warnings;
}

/** A cache of another repository leaves no name on the engine: the local one is enough. */
async function pushCache(
  engine: Engine,
  {
    from,
    write,
    auths,
    signal,
  }: { from: string; write: string; auths: Record<string, RegistryAuth>; signal: AbortSignal },
): Promise<void> {
  if (write !== from) await engine.tagImage(from, write);
  try {
    await engine.push(write, { auth: authOf(auths, write), signal, onLog: () => undefined });
  } finally {
    if (write !== from) await engine.removeImage(write);
  }
}

/** Credentials of the registry that a name is of. */
export const authOf = (auths: Record<string, RegistryAuth>, name: string): RegistryAuth | undefined =>
  auths[name.split('/')[0] ?? ''];

/** In Podman an image that loses its tag loses its digests too, so nothing else would remove it. */
async function removeUnnamed(engine: Engine, id: string): Promise<void> {
  if ((await engine.info()).kind !== 'podman') return;
  const left = await engine.inspectImage(id);
  if (left && left.repoDigests.length === 0) await removeUnused(engine, id);
}

/** An image that a container still uses stays; a later build removes it. */
async function removeUnused(engine: Engine, image: string): Promise<void> {
  try {
    await engine.removeImage(image);
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/in-use') throw error;
  }
}
