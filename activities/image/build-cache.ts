import type { Engine, RegistryAuth } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { BuildSpec } from '../../src/plan/model/spec.ts';
import type { AttemptLog } from '../runtime/log/plain-log.ts';

export interface CacheTags {
  /** Images whose layers may be taken, best first. */
  read: string[];
  /** Where this build's own cache goes; undefined: nowhere. */
  write?: string;
  /** Local name under which the engine keeps this architecture's newest image. */
  local: string;
}

/**
 * A cache tag an architecture: three architectures on one engine must never share one. Protected refs read
 * and write a tag of their own, so that no one else's branch puts a layer into what they ship; a fork writes
 * none.
 */
export function cacheTags(spec: BuildSpec): CacheTags {
  const own = `${spec.repository}:cache-${spec.arch}`;
  const open = `${own}-unprotected`;
  const local = spec.protectedRef ? own : open;
  if (spec.cacheFrom === 'none') return { read: [], local };
  if (spec.protectedRef) return { read: [own], write: own, local };
  return { read: [open, own], write: spec.fork ? undefined : open, local };
}

/**
 * Pushes the cache tag, and leaves one image of this repository and architecture on the engine: the one just
 * built, under the cache's name. Without this every build would leave an image behind forever. Best effort:
 * returns warnings, never fails a build.
 */
export async function keepOneLocally(
  engine: Engine,
  what: {
    spec: BuildSpec;
    cache: CacheTags;
    tag: string;
    auth?: RegistryAuth;
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
      // An image in use, a cache that cannot be written: the build itself is good.
      const text = error instanceof DavitError ? error.message : 'failed';
      warnings.push(`${name}: ${text}`);
      what.log.line(`${name}: ${text}`);
    }
  };
  const before = await engine.inspectImage(cache.local);
  await trying('cache tag', () => engine.tagImage(tag, cache.local));
  const write = cache.write;
  if (write !== undefined)
    await trying('cache', () =>
      engine.push(write, { auth: what.auth, signal: what.signal, onLog: () => undefined }),
    );
  await trying('local tag', () => engine.removeImage(tag));
  const after = await engine.inspectImage(cache.local);
  if (before && after && before.id !== after.id)
    for (const digest of before.repoDigests.filter((one) => one.startsWith(`${spec.repository}@`)))
      await trying('old image', () => removeUnused(engine, digest));
  if (before && after && before.id !== after.id)
    await trying('old image', () => removeUnnamed(engine, before.id));
  return warnings;
}

/** In Podman an image that loses its tag loses its digests too; nobody else would take it away. */
async function removeUnnamed(engine: Engine, id: string): Promise<void> {
  if ((await engine.info()).kind !== 'podman') return;
  const left = await engine.inspectImage(id);
  if (left && left.repoDigests.length === 0) await removeUnused(engine, id);
}

/** What a container still runs stays: a later build takes it away. */
async function removeUnused(engine: Engine, image: string): Promise<void> {
  try {
    await engine.removeImage(image);
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/in-use') throw error;
  }
}
