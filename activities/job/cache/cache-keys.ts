/**
 * Names of the caches of one attempt: keys with their variables replaced, digests of key files, and access
 * rights.
 *
 * Invariants:
 *  CKEY-1 An unprotected ref never reads or writes caches that protected refs have written; a fork writes
 *         nothing at all.
 *  CKEY-2 The resolved names are in a label of the container, so that a later dispatch pushes under the same
 *         name. The label contains only hashes: a key may contain secrets. The spec decides whether and where
 *         the job may push; the label adds the hash of the key.
 */
import { createHash } from 'node:crypto';
import type { BlobStore } from '../../../src/adapters/ports.ts';
import { expandLate } from '../../../src/compiler/variables/expand.ts';
import type { Digest } from '../../../src/plan/model/ids.ts';
import { cacheRecordName } from '../../../src/plan/model/records.ts';
import type { CacheSpec, ScriptSpec } from '../../../src/plan/model/spec.ts';
import { selectFiles } from '../files/artifact-globs.ts';
import { sha256 } from '../../../src/utils/sha256.ts';
import { eachEntry } from '../../runtime/tar.ts';
import { inside } from '../../runtime/path-inside.ts';

export interface CacheKey {
  /** For people; not for a label. */
  shown: string;
  /** Name in the record store. */
  record: string;
}
export interface JobCache {
  spec: CacheSpec;
  own: CacheKey;
  /** Tried in this order if there is no cache under the own key. */
  fallback: CacheKey[];
  pulls: boolean;
  pushes: boolean;
  warning?: string;
}
type Of = Pick<ScriptSpec, 'caches' | 'project' | 'projectDir' | 'protectedRef' | 'fork' | 'source'>;

/** Rejects with the errors of the blob store if a key depends on files. */
export async function jobCaches(
  spec: Of,
  values: ReadonlyMap<string, string>,
  blobs: BlobStore,
): Promise<JobCache[]> {
  const caches: JobCache[] = [];
  for (const [index, cache] of (spec.caches ?? []).entries()) {
    const area = areaOf(spec, cache);
    const named = (key: string): CacheKey => ({
      shown: `${key}-${area === 'protected' ? 'protected' : 'non_protected'}`,
      record: cacheRecordName(spec.project, area, sha256(key)),
    });
    const written = expandLate(cache.key, values);
    const key = cache.keyFiles
      ? await keyOfFiles({ spec, files: cache.keyFiles, values, blobs, prefix: written, index })
      : written;
    const policy = expandLate(cache.policy, values);
    const known = policy === 'pull-push' || policy === 'pull' || policy === 'push';
    const shared = values.get('CACHE_FALLBACK_KEY');
    const fallback = [
      ...cache.fallbackKeys.map((text) => expandLate(text, values)),
      ...(shared ? [shared] : []),
    ];
    caches.push({
      spec: cache,
      own: named(key || 'default'),
      fallback: [...new Set(fallback)].filter((text) => text !== '' && text !== key).map(named),
      pulls: known && policy !== 'push',
      pushes: known && policy !== 'pull' && !spec.fork,
      ...(!known && { warning: `cache: "${policy}" is not a policy; the cache is ignored.` }),
    });
  }
  return caches;
}

const areaOf = (spec: Of, cache: CacheSpec): 'protected' | 'unprotected' =>
  spec.protectedRef && !spec.fork && !cache.unprotect ? 'protected' : 'unprotected';

interface KeyFiles {
  spec: Of;
  files: readonly string[];
  values: ReadonlyMap<string, string>;
  blobs: BlobStore;
  prefix: string;
  /** Position of the cache in its job: two caches without a prefix are different caches. */
  index: number;
}

/**
 * A changed file makes a new cache; missing files are ignored, and if all are missing the key is `default`.
 */
async function keyOfFiles({ spec, files, values, blobs, prefix, index }: KeyFiles): Promise<string> {
  const digest = await digestOfFiles(
    { blobs, source: spec.source, projectDir: spec.projectDir },
    files.map((file) => expandLate(file, values)),
  );
  const before = prefix !== '' ? prefix : index > 0 ? String(index) : undefined;
  return [...(before === undefined ? [] : [before]), digest ?? 'default'].join('-');
}

/** sha256 over names and contents of the matching source files; undefined if none matches. */
export async function digestOfFiles(
  from: { blobs: BlobStore; source: Digest; projectDir: string },
  patterns: readonly string[],
): Promise<string | undefined> {
  const selection = selectFiles(from.projectDir, patterns, []);
  const found = new Map<string, string>();
  await eachEntry(await from.blobs.getStream(from.source), async (header, content) => {
    const path = inside(header.name);
    if (header.type !== 'file' || !path || /^\.git(\/|$)/.test(path)) return;
    if (selection.chosenBy(path, false).length === 0) return;
    const hash = createHash('sha256');
    for await (const chunk of content) if (chunk instanceof Uint8Array) hash.update(chunk);
    found.set(path, hash.digest('hex'));
  });
  if (found.size === 0) return undefined;
  const all = createHash('sha256');
  for (const path of [...found.keys()].sort()) all.update(`${path}\0${found.get(path)}\n`);
  return all.digest('hex');
}

/**
 * Content of the container's label: the records that this attempt pushes to, by the position of their cache.
 */
export type PushPlan = { index: number; record: string }[];

export const pushPlan = (caches: readonly JobCache[]): PushPlan =>
  caches.flatMap(({ pushes, own }, index) => (pushes ? [{ index, record: own.record }] : []));

/**
 * What the label says, as far as the spec allows it: a container that an older worker made may have it from its
 * image.
 */
export function readPushPlan(spec: Of, text: string | undefined): PushPlan {
  if (!text || spec.fork) return [];
  const plan: unknown = JSON.parse(text);
  if (!Array.isArray(plan)) return [];
  return plan.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null || !('index' in one) || !('record' in one)) return [];
    const { index, record } = one;
    if (typeof index !== 'number' || typeof record !== 'string') return [];
    const cache = spec.caches?.[index];
    const hash = /[0-9a-f]{64}$/.exec(record)?.[0];
    const allowed =
      cache && hash !== undefined && record === cacheRecordName(spec.project, areaOf(spec, cache), hash);
    return allowed ? [{ index, record }] : [];
  });
}
