/** BuildKit's cache of one engine: how large it is, and removing what was not used for longest. It names no owner. */
import { z } from 'zod';
import { path, type EngineApi } from './api.ts';
import { checked } from './checked.ts';

/** `keep-storage` has another name since (Docker 28). */
const RESERVED_API = '1.48';
/** The engine's other kinds can be left out since (Docker 23). */
const TYPES_API = '1.42';
const UNNAMED = JSON.stringify({ dangling: ['true'] });

const pruned = z.object({ SpaceReclaimed: z.number().nullish() });
const usage = z.object({
  BuildCache: z
    .array(z.object({ Size: z.number(), InUse: z.boolean(), Shared: z.boolean().nullish() }))
    .nullish(),
  /** Since API 1.52. */
  BuildCacheUsage: z.object({ TotalSize: z.number(), Reclaimable: z.number().nullish() }).nullish(),
});

/** `1.9` is older than `1.41`. */
const isSince = (api: string, first: string): boolean =>
  Number(api.split('.')[1] ?? 0) >= Number(first.split('.')[1] ?? 0);

export async function pruneBuildCache(api: EngineApi, keepBytes?: number): Promise<number> {
  const action = 'remove the build cache';
  const { podman, api: version } = await api.traits();
  const keep = isSince(version, RESERVED_API) ? 'reserved-space' : 'keep-storage';
  const query = { all: '1', ...(keepBytes !== undefined && { [keep]: String(keepBytes) }) };
  // Podman keeps the results of build steps as images without a name.
  const response = podman
    ? await api.json({ method: 'POST', path: path`/images/prune`, query: { filters: UNNAMED }, action })
    : await api.json({ method: 'POST', path: path`/build/prune`, query, action });
  return checked(pruned, response, action).SpaceReclaimed ?? 0;
}

export async function buildCache(
  api: EngineApi,
  signal: AbortSignal,
): Promise<{ bytes: number; unusedBytes: number } | undefined> {
  const action = 'measure the build cache';
  const { podman, api: version } = await api.traits();
  if (podman) return undefined;
  const query = { ...(isSince(version, TYPES_API) && { type: 'build-cache' }) };
  const response = await api.json({ method: 'GET', path: path`/system/df`, query, signal, action });
  const { BuildCache: records, BuildCacheUsage: sums } = checked(usage, response, action);
  if (sums) return { bytes: sums.TotalSize, unusedBytes: sums.Reclaimable ?? 0 };
  // Shared ones are layers of images too, and not freed with the cache.
  const own = (records ?? []).filter(({ Shared: shared }) => shared !== true);
  const bytesOf = (some: typeof own): number => some.reduce((all, { Size: size }) => all + size, 0);
  return { bytes: bytesOf(own), unusedBytes: bytesOf(own.filter(({ InUse: used }) => !used)) };
}
