/**
 * How many bytes of the server's disk each project uses, and for what. A blob that several projects name counts for each of
 * them; a blob that no record names (of an open pipeline, or one that the next collection removes) is in the rest.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskUsage, ProjectUsage } from '../ports.ts';
import { digestsByKey, entries, filesBelow, jsonBlob, recordAt } from './collect.ts';
import { onDisk, systemCode } from './files.ts';

type Kind = Exclude<keyof ProjectUsage, 'project'>;

export const diskUsage = (folder: string): Promise<DiskUsage> =>
  onDisk('the usage of the disk', async () => {
    const blobs = join(folder, 'blobs', 'sha256');
    const projects = new Map<string, ProjectUsage>();
    const of = (project: string): ProjectUsage => {
      const known = projects.get(project) ?? empty(project);
      projects.set(project, known);
      return known;
    };
    for (const { name } of await entries(join(folder, 'logs')))
      for (const path of await filesBelow(join(folder, 'logs', name))) of(name).logs += await sizeOf(path);
    const named = new Set<string>();
    const paths = await filesBelow(join(folder, 'records'));
    for (const [project, records] of grouped(join(folder, 'records'), paths))
      for (const [hex, kind] of await blobsOf(records, blobs)) {
        named.add(hex);
        of(project)[kind] += await sizeOf(blobAt(blobs, hex));
      }
    let rest = 0;
    for (const path of await filesBelow(blobs)) if (!named.has(path.slice(-64))) rest += await sizeOf(path);
    return { projects: [...projects.values()].sort((a, b) => totalOf(b) - totalOf(a)), rest };
  });

export const totalOf = ({ logs, sources, artifacts, caches, others }: ProjectUsage): number =>
  logs + sources + artifacts + caches + others;

const empty = (project: string): ProjectUsage => ({
  project,
  logs: 0,
  sources: 0,
  artifacts: 0,
  caches: 0,
  others: 0,
});
const blobAt = (blobs: string, hex: string): string => join(blobs, hex.slice(0, 2), hex);

/** Records are `KIND/PROJECT/…`; others belong to no project. */
function grouped(root: string, paths: readonly string[]): Map<string, { kind: string; path: string }[]> {
  const groups = new Map<string, { kind: string; path: string }[]>();
  for (const path of paths) {
    const [kind = '', project, ...rest] = path.slice(root.length + 1).split('/');
    if (project === undefined || rest.length === 0) continue;
    groups.set(project, [...(groups.get(project) ?? []), { kind, path }]);
  }
  return groups;
}

/** All blobs that records lead to, each with what it is by the first name that it is found under. */
async function blobsOf(
  records: readonly { kind: string; path: string }[],
  blobs: string,
): Promise<Map<string, Kind>> {
  const found = new Map<string, Kind>();
  const open: string[] = [];
  const take = (root: unknown, outer?: Kind): void => {
    for (const { hex, keys } of digestsByKey(root)) {
      const kind = outer ?? kindOf(keys);
      if (found.has(hex)) continue;
      found.set(hex, kind);
      // Only davit's own documents name further blobs.
      if (kind === 'others') open.push(hex);
    }
  };
  for (const { kind, path } of records)
    take(await recordAt(path), kind === 'caches' ? 'caches' : kind === 'pages' ? 'artifacts' : undefined);
  for (let hex = open.pop(); hex !== undefined; hex = open.pop()) take(await jsonBlob(blobAt(blobs, hex)));
  return found;
}

function kindOf(keys: readonly string[]): Kind {
  if (keys.some((key) => key === 'artifacts' || key === 'reports' || key === 'artifact')) return 'artifacts';
  return keys.some((key) => key === 'source' || key === 'sourceBlob') ? 'sources' : 'others';
}

/** 0 for a file that was removed meanwhile. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
