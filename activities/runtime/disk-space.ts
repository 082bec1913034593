/**
 * What a machine's full disk makes of a job: davit removes there what is its own and not needed, and says
 * what to do.
 */
import type { Engine, ListedImage, WorkflowLookup } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { parsePipelineId, pipelineWorkflowId } from '../../src/plan/model/ids.ts';

/** What a collection has removed of one engine. */
export interface FreedSpace {
  /** Runs whose containers, volumes and networks went. */
  runs: number;
  /** Tags of images that davit had built. */
  images: string[];
  /** Of BuildKit's cache, where the worker's file allows it. */
  cacheBytes: number;
}
/** Rejects with `engine/*` when the engine does not answer. */
export type FreeDiskSpace = () => Promise<FreedSpace>;

export interface Machine {
  hostName: string;
  freeDiskSpace: FreeDiskSpace;
}

/**
 * The error as it is; one that says that the engine's disk is full after room was made there, with the
 * machine's name and what was done. The workflow tries once more.
 */
export async function retryHintAfterGc(
  error: unknown,
  { hostName, freeDiskSpace }: Machine,
): Promise<unknown> {
  if (!(error instanceof DavitError) || error.code !== 'engine/no-space') return error;
  // An engine with a full disk may fail at this too; the first error counts.
  const room = await freeDiskSpace().catch(() => undefined);
  return new DavitError(
    'engine/no-space',
    `The disk of the container engine on ${hostName} is full: ${error.message} ${freedSpaceText(room)}`,
    { hint: error.hint, cause: error },
  );
}

/** For a person: what was removed. */
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

/** Tags that only davit makes: `build-cache.ts`, and the tag of a build until it is pushed. */
const OWN_TAG =
  /:(?:cache-(?:arm32|arm64|amd64)(?:-unprotected)?|davit-\d+-[a-z0-9-]+-(?:arm32|arm64|amd64))$/;
const URL_LABEL = 'org.opencontainers.image.url';
export interface OwnImage {
  tag: string;
  id: string;
  /** Workflow of the pipeline that built it. */
  workflowId: string;
}

/** Images of this installation's builds, by tag and by the address of their pipeline. Pure. */
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

/** Removes those of them whose pipeline is over. Returns their tags; one that is in use stays. */
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
      // In use, or the engine's trouble with it: the others may still go.
    }
  }
  return removed;
}

/**
 * An engine whose disk has no byte left forgets the tag, fails to write that down and leaves the image: it
 * goes by its id then, which needs no room. Not so where another tag names it: that one would go with it.
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
