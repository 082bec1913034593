import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { platformText } from '../../src/plan/model/spec.ts';

/**
 * Whether BuildKit has to resolve the base images in their registries. In the classic store it uses the
 * engine's image of that name, even a 32-bit ARM image for a 64-bit build: a tag pulled by a job of another
 * architecture would end up in the result. So an image of the engine is used only if it has exactly the
 * build's platform. An image that was only made on this engine is in no registry; then nothing is resolved
 * there.
 */
export async function mustPullBases(
  engine: Pick<Engine, 'inspectImage'>,
  bases: readonly string[],
  platform: string,
): Promise<boolean> {
  const found = await Promise.all(bases.map((name) => inspected(engine, name, platform)));
  if (found.some((image) => image?.madeHere === true)) return false;
  return found.some((image) => !image || platformText(image.platform) !== platform);
}

async function inspected(
  engine: Pick<Engine, 'inspectImage'>,
  name: string,
  platform: string,
): ReturnType<Engine['inspectImage']> {
  try {
    return await engine.inspectImage(name, platform);
  } catch (error) {
    // The name of a stage, or an invalid name: BuildKit reports it with the line of the Dockerfile.
    if (error instanceof DavitError && error.code === 'registry/name') return undefined;
    throw error;
  }
}
