/**
 * Removes images that builds handed to later jobs from davit's own registry, once their pipeline ended long ago.
 *
 * IMAGES-1 Only repositories that davit alone writes: PROJECT/pipelines/… and forks/PROJECT. One that a target pulls, by a
 *          deploy token that counts, stays whole. A digest that was ever deployed stays.
 * IMAGES-2 Only tags of davit's form whose pipeline ended before `before`, as its record says. The caller's `before` is
 *          older than the oldest open pipeline, so what such a pipeline was started by has not ended before it. The last
 *          success of each protected branch and tag stays, as does a pipeline whose job stops an environment that is there.
 * IMAGES-3 A digest goes only if every tag of it in its repository may go, and no index that stays lists it: a registry
 *          removes all tags of a digest together. Nothing goes from a repository with a tag that stays and leads nowhere:
 *          it may be an index.
 * IMAGES-4 Nothing of a project goes while one of its pipelines is open, new or retried, nor when a run has begun since
 *          the tags were read; both are asked before each removal. From the start of a pipeline to the first push of a
 *          build it takes longer than one removal.
 */
import { parsePipelineId, pipelineId, type ProjectSlug } from '../plan/model/ids.ts';
import { pipelineRecordName, pipelinesPrefix, type PipelineEntry } from '../plan/model/records.ts';
import { LastOfRefs } from '../plan/policy/last-of-refs.ts';
import type { OwnImages, TaggedImage } from '../adapters/ports.ts';
import type { ServerDeps } from './deps.ts';
import { stoppersOf } from './needed-pipelines.ts';

export type ImageDeps = Pick<ServerDeps, 'deployTokens'> & {
  images: OwnImages;
  records: Pick<ServerDeps['records'], 'get' | 'list'>;
  workflows: Pick<ServerDeps['workflows'], 'project' | 'list'>;
};
interface Request {
  before: number;
  dryRun: boolean;
}
const TAG = /^davit-([1-9]\d*)-/;
const ALL = Number.MAX_SAFE_INTEGER;

/** How many manifests were removed, or would be. Rejects if the registry or Temporal does not answer. */
export async function collectImages(deps: ImageDeps, request: Request): Promise<number> {
  const tokens = await deps.deployTokens.list();
  const pulled = new Set(tokens.filter((one) => one.revokedAt === undefined).map((one) => one.repository));
  const deployed = await deployedDigests(deps);
  let removed = 0;
  for (const { name, project, kind } of await deps.images.repositories()) {
    if (kind !== 'pipelines' || pulled.has(name)) continue;
    removed += await collectRepository(deps, { ...request, name, project, deployed });
  }
  return removed;
}

async function collectRepository(
  deps: ImageDeps,
  of: Request & { name: string; project: ProjectSlug; deployed: ReadonlySet<string> },
): Promise<number> {
  const { name, project, dryRun, deployed } = of;
  const run = await newestRun(deps, project);
  const isOver = await overOf(deps, of);
  let removed = 0;
  for (const digest of removable(await deps.images.tags(name), { isOver, deployed })) {
    const running = (await deps.workflows.project(project))?.running ?? [];
    if (running.length > 0 || (await newestRun(deps, project)) !== run) break;
    if (!dryRun) await deps.images.remove(name, digest);
    removed += 1;
  }
  return removed;
}

/** A retry of an ended pipeline is a run of its own. */
async function newestRun({ workflows }: ImageDeps, project: ProjectSlug): Promise<string> {
  const [newest] = await workflows.list({ project, limit: 1 });
  return newest ? `${newest.id} ${newest.startedAt}` : '';
}

/** IMAGES-2. */
async function overOf(
  deps: ImageDeps,
  { name: repository, project, before }: { name: string; project: ProjectSlug; before: number },
): Promise<(tag: string) => boolean> {
  const entries = new Map<string, PipelineEntry>();
  const last = new LastOfRefs();
  // Branches come and go, and each would keep its images for ever.
  const isProtected = repository.startsWith(`${project}/pipelines/protected`);
  for (const name of await deps.records.list(pipelinesPrefix(project), ALL)) {
    const entry = await deps.records.get<PipelineEntry>(name);
    if (!entry) continue;
    entries.set(name, entry);
    if (isProtected) last.see(entry);
  }
  const stoppers = await stoppersOf(deps, project);
  return (tag) => {
    const iid = parsePipelineId(`${project}/${TAG.exec(tag)?.[1] ?? ''}`)?.iid;
    if (iid === undefined) return false;
    const id = pipelineId(project, iid);
    const entry = entries.get(pipelineRecordName(id));
    if (!entry || stoppers.includes(id) || last.has(entry.record.slice('sha256:'.length))) return false;
    return (entry.summary.endedAt ?? Number.POSITIVE_INFINITY) < before;
  };
}

/** A target pulls them again on another machine, and a rollback or a stop years later too. */
async function deployedDigests({ records }: ImageDeps): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of await records.list('deploys', ALL)) {
    const image = (await records.get<{ image?: string }>(name))?.image ?? '';
    const at = image.lastIndexOf('@');
    if (at !== -1) found.add(image.slice(at + 1));
  }
  return found;
}

/** IMAGES-1, IMAGES-3. */
function removable(
  tags: readonly TaggedImage[],
  { isOver, deployed }: { isOver: (tag: string) => boolean; deployed: ReadonlySet<string> },
): string[] {
  const go = new Set<string>();
  const stay = new Set<string>();
  for (const { tag, digest, lists } of tags)
    if (isOver(tag) && (digest === undefined || !deployed.has(digest))) {
      if (digest !== undefined) go.add(digest);
    } else if (digest === undefined) return [];
    else for (const one of [digest, ...lists]) stay.add(one);
  return [...go].filter((digest) => !stay.has(digest));
}
