/**
 * Removes blobs that nothing needs any more. Invariants:
 *  COLLECT-1 A blob that a record names stays, and all that it names in turn (records of pipelines, their
 *            plans, specs, caches). Content that is not JSON names nothing, and neither does a file of a
 *            site, whatever its text: people wrote it. An artifact past its `expiresAt` is not named, unless its
 *            pipeline is the last of its branch or tag that succeeded.
 *            With an age for sources, records of pipelines that ended before it name none, except as for artifacts.
 *  COLLECT-2 A blob that was stored, stored again, or checked by `has` after `before` stays: an open pipeline
 *            may need it, and its references are in Temporal alone. The caller knows how old the oldest open
 *            pipeline is.
 *  COLLECT-3 Data that cannot be read counts as needed, or ends the collection before anything is removed.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { Collected, CollectRequest } from '../ports.ts';
import { onDisk, systemCode } from './files.ts';
import { LastOfRefs } from './last-of-refs.ts';

/** Records, plans and specs are far smaller. */
const MAX_JSON_BYTES = 64 * 1_024 * 1_024;
const HEX = /^[0-9a-f]{64}$/;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

export const collectBlobs = (folder: string, request: CollectRequest): Promise<Collected> =>
  onDisk('the collection of blobs', async () => {
    const blobs = join(folder, 'blobs', 'sha256');
    const needed = await reachable(folder, blobs, request);
    const collected: Collected = { blobs: 0, bytes: 0, kept: 0 };
    for (const prefix of await names(blobs))
      for (const hex of await names(join(blobs, prefix))) {
        const path = join(blobs, prefix, hex);
        const { size, mtimeMs } = await stat(path);
        if (!HEX.test(hex) || needed.has(hex) || mtimeMs >= request.before) {
          collected.kept += 1;
          continue;
        }
        if (!request.dryRun) await rm(path, { force: true });
        collected.blobs += 1;
        collected.bytes += size;
      }
    return collected;
  });

/** Hex of every digest that a record leads to. */
async function reachable(
  folder: string,
  blobs: string,
  { now, sourcesBefore = Number.NEGATIVE_INFINITY, open: reopened = [] }: CollectRequest,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  /** With the sources that it names, or without. */
  const read = new Map<string, boolean>();
  const open: { hex: string; sources: boolean }[] = [];
  const jsonAt = async (hex: string): Promise<unknown> => jsonBlob(join(blobs, hex.slice(0, 2), hex));
  const take = (root: unknown, { until = now, sources }: { until?: number; sources: boolean }): void => {
    for (const { hex, keys } of digestsByKey(root, until)) {
      if (!sources && keys.some((key) => key === 'source' || key === 'sourceBlob')) continue;
      found.add(hex);
      // A file of a site may also be the plan of a pipeline: it is read once something else names it.
      if (read.get(hex) === true || read.get(hex) === sources) continue;
      read.set(hex, sources);
      open.push({ hex, sources });
    }
  };
  const records = join(folder, 'records');
  const sites = join(records, 'pages');
  const last = new LastOfRefs();
  for (const path of await filesBelow(records)) {
    const record = await recordAt(path);
    last.see(record);
    const isOver = endedBefore(record, { sourcesBefore, reopened });
    if (!path.startsWith(`${sites}${sep}`)) take(record, { sources: !isOver });
    else
      for (const index of digestsIn(record, now))
        for (const hex of [index, ...digestsIn(await jsonAt(index), now)]) found.add(hex);
  }
  for (let next = open.pop(); next; next = open.pop()) {
    const isLast = last.has(next.hex);
    take(await jsonAt(next.hex), { until: isLast ? 0 : now, sources: next.sources || isLast });
  }
  return found;
}

const ended = z.object({ record: z.string(), summary: z.object({ id: z.string(), endedAt: z.number() }) });

/** Whether it is of a pipeline that ended before, and is not open again. */
function endedBefore(
  record: unknown,
  { sourcesBefore, reopened }: { sourcesBefore: number; reopened: readonly string[] },
): boolean {
  const { data } = ended.safeParse(record);
  return data !== undefined && data.summary.endedAt < sourcesBefore && !reopened.includes(data.summary.id);
}

/** Rejects for a record that cannot be read: what it names is unknown (COLLECT-3). */
export async function recordAt(path: string): Promise<unknown> {
  const root = jsonOf(await readFile(path, 'utf8'));
  if (root === undefined) throw new DavitError('store/corrupt', `The record ${path} is not JSON.`);
  return root;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an artifact that only starts like JSON
  }
}

/** The JSON of a blob; undefined if it is not JSON. */
export const jsonBlob = async (path: string): Promise<unknown> => jsonOf(await textOf(path));

/** Empty if it does not exist, is too large, or is not text. */
async function textOf(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > MAX_JSON_BYTES) return '';
    const bytes = await readFile(path);
    const first = bytes.at(0);
    return first === 0x7b || first === 0x5b ? bytes.toString('utf8') : '';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Digests in a JSON value, with the keys that lead to each. */
export function digestsByKey(root: unknown, now = 0): { hex: string; keys: readonly string[] }[] {
  const found: { hex: string; keys: readonly string[] }[] = [];
  const open: { value: unknown; keys: readonly string[] }[] = [{ value: root, keys: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, keys } = next;
    if (typeof value === 'string') {
      const hex = DIGEST.exec(value)?.[1];
      if (hex) found.push({ hex, keys });
    } else if (Array.isArray(value)) {
      for (const one of value) open.push({ value: one, keys });
    } else if (typeof value === 'object' && value !== null) {
      if ('expiresAt' in value && typeof value.expiresAt === 'number' && 'digest' in value) {
        if (value.expiresAt < now) continue;
      }
      // One by one: there can be more than a call allows arguments, for example in the search index of a
      // site.
      for (const [key, one] of Object.entries(value)) open.push({ value: one, keys: [...keys, key] });
    }
  }
  return found;
}

/** An object whose `expiresAt` has passed names nothing. */
const digestsIn = (root: unknown, now: number): string[] => digestsByKey(root, now).map(({ hex }) => hex);

export async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entries(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

const names = async (folder: string): Promise<string[]> => (await entries(folder)).map(({ name }) => name);

export async function entries(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
