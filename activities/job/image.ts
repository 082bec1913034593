/** The image of a job or service on the engine, by pull policy, of the right architecture. */
import type { Engine, ImageInfo } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Arch } from '../../src/plan/ids.ts';
import { type ImageSpec, PLATFORMS, platformText } from '../../src/plan/spec.ts';
import type { JobDeps } from './deps.ts';

export interface WantedImage {
  name: string;
  platform: string;
  pullPolicy: ImageSpec['pullPolicy'];
  /** Of a fork's pipeline: nobody's credentials are used for it. */
  anonymous: boolean;
}

/** `linux/arm/v7` where the worker says that its board is one. */
export function platformOf(deps: JobDeps, arch: Arch): string {
  const platform = PLATFORMS[arch];
  return platformText(arch === 'arm32' ? { ...platform, variant: deps.worker.config.variant } : platform);
}

/** Ids of images by name and platform: on one engine, jobs of several architectures take a tag from each other. */
const seen = new WeakMap<Engine, Map<string, string>>();
/** How often a tag may be taken away between a pull and the look at what it brought. */
const TRIES = 10;

/**
 * The image, of that platform; make containers by its `id`, since the tag may be another architecture's a moment later.
 * Rejects with `engine/image-missing`, `engine/image-denied`, `engine/platform`, `registry/unreachable`.
 */
export async function ensureImage(
  deps: JobDeps,
  wanted: WantedImage,
  options: { signal: AbortSignal; say(text: string): void },
): Promise<ImageInfo> {
  const key = `${wanted.name} ${wanted.platform}`;
  const ids = seen.get(deps.engine) ?? new Map<string, string>();
  seen.set(deps.engine, ids);
  const found = await find(deps, wanted, { ...options, former: ids.get(key) });
  ids.set(key, found.id);
  const uses = lastUses.get(deps.engine) ?? new Map<string, number>();
  lastUses.set(deps.engine, uses.set(found.id, performance.now()));
  return found;
}

/** When a job of this worker has last asked for an image, by id. */
const lastUses = new WeakMap<Engine, Map<string, number>>();
/** Past this a job that has asked for an image has its container, and the engine itself keeps the image. */
const PREPARING_MS = 15 * 60_000;

/** Ids of images that a job of this worker may be about to make a container of. */
export function usedImages(engine: Engine): ReadonlySet<string> {
  const since = performance.now() - PREPARING_MS;
  const uses = [...(lastUses.get(engine) ?? [])];
  return new Set(uses.flatMap(([id, at]) => (at > since ? [id] : [])));
}

async function find(
  deps: JobDeps,
  wanted: WantedImage,
  options: { signal: AbortSignal; say(text: string): void; former?: string },
): Promise<ImageInfo> {
  const { name, platform, pullPolicy } = wanted;
  if (pullPolicy !== 'always') {
    const here = await deps.engine.inspectImage(name);
    if (here && fits(here, platform)) return here;
    const former = options.former && (await deps.engine.inspectImage(options.former));
    if (former) return former;
    if (pullPolicy === 'never')
      throw new DavitError(
        here ? 'engine/platform' : 'engine/image-missing',
        here
          ? `The image ${name} on ${deps.worker.hostName} is ${platformText(here.platform)}; the job needs ${platform}.`
          : `The image ${name} is not on ${deps.worker.hostName}, and pull_policy never forbids to pull it.`,
      );
  }
  for (let tries = 1; ; tries += 1) {
    const pulled = await pull(deps, wanted, options);
    if (fits(pulled, platform)) return pulled;
    if (tries === TRIES)
      throw new DavitError(
        'engine/platform',
        `The image ${name} is ${platformText(pulled.platform)}; the job needs ${platform}.`,
      );
  }
}

async function pull(
  deps: JobDeps,
  { name, platform, pullPolicy, anonymous }: WantedImage,
  options: { signal: AbortSignal; say(text: string): void },
): Promise<ImageInfo> {
  const auth = anonymous ? undefined : await deps.registries.authFor(name);
  try {
    const image = await deps.engine.pullImage(name, { platform, auth, signal: options.signal });
    options.say(`Pulled ${name} (${Math.ceil(image.sizeBytes / 1e6)} MB)`);
    return image;
  } catch (error) {
    const here = pullPolicy === 'always' ? await deps.engine.inspectImage(name) : undefined;
    // An image that was only ever made on this engine has no registry that it could be pulled from.
    if (!here || !fits(here, platform) || here.repoDigests.length > 0) throw error;
    options.say(`${name} is in no registry; the one that is on this engine is used`);
    return here;
  }
}

/** A v6 image runs on v7; an image that names no variant is taken at its word. */
function fits(image: ImageInfo, platform: string): boolean {
  const [, architecture, variant] = platform.split('/');
  if (image.platform.architecture !== architecture) return false;
  return !(architecture === 'arm' && variant === 'v6' && image.platform.variant === 'v7');
}
