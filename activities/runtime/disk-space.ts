/**
 * Handles a full disk of a machine: davit removes its own objects that are not needed, and tells the user
 * what to do.
 */
import type { Engine, ListedImage, WorkflowLookup } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { parsePipelineId, pipelineWorkflowId } from '../../src/plan/model/ids.ts';

/** What was removed from one engine. */
export interface FreedSpace {
  /** Runs whose containers, volumes and networks were removed. */
  runs: number;
  /** Tags of images that davit had built. */
  images: string[];
  /** Bytes of BuildKit's cache, if the worker's file allows it. */
  cacheBytes: number;
}
/** Rejects with `engine/*` if the engine does not answer. */
export type FreeDiskSpace = () => Promise<FreedSpace>;

export interface Machine {
  hostName: string;
  freeDiskSpace: FreeDiskSpace;
}

/**
 * Returns the error unchanged, unless the engine's disk is full. Then it frees space, and returns an error
 * with the machine's name and what was done; the workflow retries once.
 */
export async function retryHintAfterGc(
  error: unknown,
  { hostName, freeDiskSpace }: Machine,
): Promise<unknown> {
  if (!(error instanceof DavitError) || error.code !== 'engine/no-space') return error;
  // On a full disk this may fail too; the first error is the one reported.
  const room = await freeDiskSpace().catch(() => undefined);
  return new DavitError(
    'engine/no-space',
    `The disk of the container engine on ${hostName} is full: ${error.message} ${freedSpaceText(room)}`,
    { hint: error.hint, cause: error },
  );
}

/** What was removed, for a person. */
export function freedSpaceText(room: FreedSpace | undefined): string {
  if (!room) return 'davit could not remove its own unused objects there.';
  const parts = [
    ...(room.runs > 0 ? [`objects of ${room.runs} ended ${room.runs === 1 ? 'run' : 'runs'}`] : []),
    ...(room.images.length > 0
      ? [`${room.images.length} ${room.images.length === 1 ? 'image' : 'images'} of ended pipelines`]
      : []),
    ...(room.cacheBytes > 0 ? [`${Math.ceil(room.cacheBytes / 1e6)} MB of build cache`] : []),
  ];
  if (parts.length === 0) return 'davit has nothing of its own to remove there.';
  return `davit removed its own unused objects there: ${parts.join(', ')}.`;
}

/** Tags that only davit creates: those of `build-cache.ts`, and the tag of a build until it is pushed. */
const OWN_TAG =
  /:(?:cache-(?:arm32|arm64|amd64)(?:-unprotected)?|davit-\d+-[a-z0-9-]+-(?:arm32|arm64|amd64))$/;
const URL_LABEL = 'org.opencontainers.image.url';
export interface OwnImage {
  tag: string;
  id: string;
  /** Workflow of the pipeline that built it. */
  workflowId: string;
}

/** Images of this installation's builds, by tag and workflow of their pipeline. Pure. */
export function ownImages(
  images: readonly ListedImage[],
  of: { url: string; used: ReadonlySet<string> },
): OwnImage[] {
  const pipelines = `${of.url.replace(/\/+$/, '')}/pipelines/`;
  return images.flatMap(({ id, tags, labels }) => {
    const at = labels[URL_LABEL];
    const pipeline = at?.startsWith(pipelines) ? parsePipelineId(at.slice(pipelines.length)) : undefined;
    if (!pipeline || of.used.has(id)) return [];
    const workflowId = pipelineWorkflowId(`${pipeline.slug}/${pipeline.iid}`);
    return tags.filter((tag) => OWN_TAG.test(tag)).map((tag) => ({ tag, id, workflowId }));
  });
}

/** Removes those whose pipeline is over. Returns their tags; an image in use stays. */
export async function removeOwnImages(
  engine: Engine,
  workflows: WorkflowLookup,
  images: readonly OwnImage[],
): Promise<string[]> {
  const removed: string[] = [];
  for (const image of images) {
    const over = await workflows.isClosed(image.workflowId).catch(() => false); // no answer means keep
    if (!over) continue;
    try {
      await removeImage(engine, image);
      removed.push(image.tag);
    } catch (error) {
      if (!(error instanceof DavitError)) throw error;
      // In use, or a failure of the engine: the others may still be removable.
    }
  }
  return removed;
}

/**
 * An engine whose disk is completely full removes the tag in memory, fails to write that down and keeps the
 * image. Then it is removed by its id, which needs no space, unless another tag names it: that tag would be
 * lost too.
 */
async function removeImage(engine: Engine, { tag, id }: OwnImage): Promise<void> {
  try {
    await engine.removeImage(tag);
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/no-space') throw error;
    if ((await engine.listImages()).some((image) => image.id === id)) throw error;
    await engine.removeImage(id);
  }
}
