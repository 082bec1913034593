/**
 * The image of a job or service on the engine, by pull policy, of the right platform.
 *
 * Invariants:
 *  IMG-1 A container is created from the id and platform returned here, never from a tag: a tag may point to
 *        another image a moment later.
 *  IMG-2 An engine that keeps one image per tag (Docker's classic store) and has the tag for another platform
 *        gets the wanted image by its manifest digest. So jobs of several architectures do not take a tag
 *        from each other.
 *  IMG-3 Whether the job may have the image is decided before it is used or pulled (image-rights.ts).
 */
import type { Engine, ImageInfo, JobUse } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { ImageAsk } from '../../../src/match/image-permission.ts';
import type { Arch } from '../../../src/plan/model/ids.ts';
import { type ImageSpec, PLATFORMS, platformText } from '../../../src/plan/model/spec.ts';
import type { JobDeps } from '../context/deps.ts';
import { checkName, hasName, mayUse } from './image-rights.ts';

export interface WantedImage {
  name: string;
  platform: string;
  pullPolicy: ImageSpec['pullPolicy'];
  /** For whom: a fork's pipeline uses no credentials of the installation file. */
  ask: ImageAsk;
  /** For davit's own registry. */
  use?: JobUse;
}
interface PullRun {
  signal: AbortSignal;
  say(text: string): void;
}

/** `linux/arm/v7` if the worker's configuration says so. */
export function platformOf(deps: JobDeps, arch: Arch): string {
  const platform = PLATFORMS[arch];
  return platformText(arch === 'arm32' ? { ...platform, variant: deps.worker.config.variant } : platform);
}

/** Ids of images by name and platform, as this worker last found them. */
const seen = new WeakMap<Engine, Map<string, string>>();
/** How often a tag may be moved between a pull and the inspection of its result. */
const MAX_PULLS = 10;

/**
 * The image of that platform; create containers from its `id` and `platform`. Rejects with
 * `engine/image-missing`, `engine/image-denied`, `engine/platform`, `registry/unreachable`.
 */
export async function ensureImage(deps: JobDeps, wanted: WantedImage, run: PullRun): Promise<ImageInfo> {
  checkName(deps, wanted.name, wanted.ask);
  const key = `${wanted.name} ${wanted.platform}`;
  const ids = seen.get(deps.engine) ?? new Map<string, string>();
  seen.set(deps.engine, ids);
  const found = await find(deps, wanted, { ...run, former: ids.get(key) });
  ids.set(key, found.id);
  const uses = lastUses.get(deps.engine) ?? new Map<string, number>();
  lastUses.set(deps.engine, uses.set(found.id, performance.now()));
  return found;
}

/** Time of the last request of this worker's jobs for an image, by id. */
const lastUses = new WeakMap<Engine, Map<string, number>>();
/** After this time a job that asked for an image has its container, and the engine itself keeps the image. */
const PREPARING_MS = 15 * 60_000;

/** Ids of images from which a job of this worker may be about to create a container. */
export function usedImages(engine: Engine): ReadonlySet<string> {
  const since = performance.now() - PREPARING_MS;
  const uses = [...(lastUses.get(engine) ?? [])];
  return new Set(uses.flatMap(([id, at]) => (at > since ? [id] : [])));
}

async function find(
  deps: JobDeps,
  wanted: WantedImage,
  run: PullRun & { former?: string },
): Promise<ImageInfo> {
  const { name, platform, pullPolicy } = wanted;
  const { engine } = deps;
  const here = await onEngine(deps, wanted, run);
  const fitting = here && fits(here, platform);
  if (pullPolicy !== 'always') {
    if (fitting) return here;
    const former = run.former && (await engine.inspectImage(run.former, platform));
    if (former && fits(former, platform) && (await permitted(deps, wanted, { image: former, run })))
      return former;
    if (pullPolicy === 'never') throw notHere(deps, wanted, here);
  }
  let contended = here !== undefined && !fitting;
  for (let pulls = 1; ; pulls += 1) {
    const exact = contended ? await byManifest(deps, wanted, run) : undefined;
    if (exact) return exact;
    const pulled = await pull(deps, wanted, run);
    if (fits(pulled, platform)) return pulled;
    contended = true;
    if (pulls === MAX_PULLS)
      throw new DavitError(
        'engine/platform',
        `The image ${name} is ${platformText(pulled.platform)}; the job needs ${platform}.`,
      );
  }
}

/**
 * The image as the engine reports it, if this job may use it. A missing helper image is loaded first.
 */
async function onEngine(deps: JobDeps, wanted: WantedImage, run: PullRun): Promise<ImageInfo | undefined> {
  const { engine, facts, ensureHelper } = deps;
  const { name, platform } = wanted;
  const here = await engine.inspectImage(name, platform);
  if (here)
    return hasName(name, here) && (await permitted(deps, wanted, { image: here, run })) ? here : undefined;
  if (name !== facts.config.helper_image) return undefined;
  await ensureHelper();
  return engine.inspectImage(name, platform);
}

/** Asks the registry only where the image would be used as it is. */
async function permitted(
  deps: JobDeps,
  wanted: WantedImage,
  { image, run }: { image: ImageInfo; run: PullRun },
): Promise<boolean> {
  if (wanted.pullPolicy === 'always' || !fits(image, wanted.platform)) return true;
  const { allowed, note } = await mayUse(deps, wanted, image);
  if (note !== undefined) run.say(note);
  return allowed;
}

const notHere = (
  { worker }: JobDeps,
  { name, platform }: WantedImage,
  here: ImageInfo | undefined,
): DavitError =>
  here
    ? new DavitError(
        'engine/platform',
        `The image ${name} on ${worker.hostName} is ${platformText(here.platform)}; the job needs ${platform}.`,
      )
    : new DavitError(
        'engine/image-missing',
        `The image ${name} is not on ${worker.hostName} for ${platform}, and pull_policy: never forbids to pull it.`,
      );

/**
 * IMG-2. Undefined if the registry has no such platform under that name, or only the engine can reach the
 * registry.
 */
async function byManifest(deps: JobDeps, wanted: WantedImage, run: PullRun): Promise<ImageInfo | undefined> {
  const { name, platform, ask, use, pullPolicy } = wanted;
  const exact = await manifestName(deps, wanted).catch((error: unknown) => {
    if (error instanceof DavitError) return undefined; // the following pull by tag reports the problem
    throw error;
  });
  if (exact === undefined) return undefined;
  const here = await deps.engine.inspectImage(exact, platform);
  const image =
    here ?? (await pull(deps, { name: exact, platform, ask, use, pullPolicy: 'if-not-present' }, run));
  if (!fits(image, platform)) return undefined;
  if (pullPolicy === 'always' && here) run.say(`${name} is up to date (${platform})`);
  return image;
}

/** `REPOSITORY@DIGEST` of the platform's manifest in the index that the name points to now. */
async function manifestName(
  { registries }: JobDeps,
  { name, platform, ask, use }: WantedImage,
): Promise<string | undefined> {
  const { registry, repository } = await registries.forImage(name, { anonymous: ask.fork, use });
  const [bare = '', digest] = name.split('@');
  const tag = /:([^:/]+)$/.exec(bare)?.[1];
  const index = await registry.index(repository, digest ?? tag ?? 'latest');
  const entries = index?.entries ?? [];
  const entry =
    entries.find((one) => one.platform && platformText(one.platform) === platform) ??
    entries.find((one) => one.platform && runs(one.platform, platform));
  return entry && `${bare.replace(/:[^:/]+$/, '')}@${entry.digest}`;
}

async function pull(deps: JobDeps, wanted: WantedImage, run: PullRun): Promise<ImageInfo> {
  const { name, platform, pullPolicy, ask, use } = wanted;
  const auth = await deps.registries.authFor(name, { anonymous: ask.fork, use });
  try {
    const image = await deps.engine.pullImage(name, { platform, auth, signal: run.signal });
    run.say(`Pulled ${name} (${Math.ceil(image.sizeBytes / 1e6)} MB)`);
    return image;
  } catch (error) {
    const here = await deps.engine.inspectImage(name, platform);
    const madeHere = here?.madeHere === true && fits(here, platform) && hasName(name, here);
    if (madeHere && ask.fork && !(await mayUse(deps, wanted, here)).allowed)
      throw onlyHere(deps, name, error);
    // An image that was only made on this engine cannot be pulled from a registry.
    if (!madeHere || pullPolicy !== 'always') throw ask.fork ? forFork(error) : error;
    run.say(`${name} is in no registry; the image on this engine is used`);
    return here;
  }
}

/** No credentials of the installation help: a fork gets none. */
const forFork = (error: unknown): unknown =>
  error instanceof DavitError && error.code === 'engine/image-denied'
    ? new DavitError(error.code, error.message, {
        hint: 'Jobs of forks pull without credentials: use a public image. Where the image is of this installation, its project gives it to forks with images_to: [*].',
        cause: error,
      })
    : error;

const onlyHere = ({ worker }: JobDeps, name: string, cause: unknown): DavitError =>
  new DavitError(
    'engine/image-denied',
    `The image ${name} is in no registry that gives it to everybody. ${worker.hostName} has one that was made there, which jobs of forks do not get.`,
    { hint: 'Name it under fork_images in the file of the worker if everybody may have it.', cause },
  );

const fits = (image: ImageInfo, platform: string): boolean => runs(image.platform, platform);

/** A v6 image runs on v7; an image that names no variant is accepted. */
function runs(image: ImageInfo['platform'], platform: string): boolean {
  const [, architecture, variant] = platform.split('/');
  if (image.architecture !== architecture) return false;
  return !(architecture === 'arm' && variant === 'v6' && image.variant === 'v7');
}
