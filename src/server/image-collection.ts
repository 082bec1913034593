/**
 * Removes images that builds handed to later jobs from davit's own registry, once their pipeline ended long ago.
 *
 * IMAGES-1 Only repositories that davit alone writes: PROJECT/pipelines/… and forks/PROJECT. One that a target pulls, by a
 *          deploy token that counts, stays whole.
 * IMAGES-2 Only tags of davit's form whose pipeline ended before `before`, as its record says. The caller's `before` is
 *          older than the oldest open pipeline, so what such a pipeline was started by has not ended before it.
 * IMAGES-3 A digest goes only if every tag of it in its repository may go, and no index that stays lists it: a registry
 *          removes all tags of a digest together.
 * IMAGES-4 Nothing of a project goes while one of its pipelines is open, new or retried; asked before each removal. From the
 *          start of a pipeline to the first push of a build it takes longer than one removal.
 */
import { parsePipelineId, pipelineId } from '../plan/model/ids.ts';
import { pipelineRecordName, type PipelineEntry } from '../plan/model/records.ts';
import type { OwnImages, TaggedImage } from '../adapters/ports.ts';
import type { ServerDeps } from './deps.ts';

export type ImageDeps = Pick<ServerDeps, 'deployTokens'> & {
  images: OwnImages;
  records: Pick<ServerDeps['records'], 'get'>;
  workflows: Pick<ServerDeps['workflows'], 'project'>;
};
const TAG = /^davit-([1-9]\d*)-/;

/** How many manifests were removed, or would be. Rejects if the registry or Temporal does not answer. */
export async function collectImages(
  deps: ImageDeps,
  { before, dryRun }: { before: number; dryRun: boolean },
): Promise<number> {
  const tokens = await deps.deployTokens.list();
  const pulled = new Set(tokens.filter((one) => one.revokedAt === undefined).map((one) => one.repository));
  let removed = 0;
  for (const { name, project, kind } of await deps.images.repositories()) {
    if (kind !== 'pipelines' || pulled.has(name)) continue;
    const isOver = async ({ tag }: TaggedImage): Promise<boolean> => {
      const id = `${project}/${TAG.exec(tag)?.[1] ?? ''}`;
      const iid = parsePipelineId(id)?.iid;
      if (iid === undefined) return false;
      const entry = await deps.records.get<PipelineEntry>(pipelineRecordName(pipelineId(project, iid)));
      return (entry?.summary.endedAt ?? Number.POSITIVE_INFINITY) < before;
    };
    for (const digest of await removable(await deps.images.tags(name), isOver)) {
      const running = (await deps.workflows.project(project))?.running ?? [];
      if (running.length > 0) break;
      if (!dryRun) await deps.images.remove(name, digest);
      removed += 1;
    }
  }
  return removed;
}

/** IMAGES-3. */
async function removable(
  tags: readonly TaggedImage[],
  isOver: (one: TaggedImage) => Promise<boolean>,
): Promise<Set<string>> {
  const go = new Set<string>();
  const stay = new Set<string>();
  for (const one of tags)
    if (await isOver(one)) go.add(one.digest);
    else for (const digest of [one.digest, ...one.lists]) stay.add(digest);
  return new Set([...go].filter((digest) => !stay.has(digest)));
}
