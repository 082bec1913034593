/** Containers of the helper image. */
import type { ContainerCreate } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { JobDeps } from '../context/deps.ts';

/** Creates the container; loads the image first if it was removed from the engine. */
export async function createHelper(
  deps: Pick<JobDeps, 'engine' | 'facts' | 'ensureHelper'>,
  create: Omit<ContainerCreate, 'image'>,
): Promise<void> {
  const own = { ...create, image: deps.facts.config.helper_image, noNewPrivileges: true };
  try {
    await deps.engine.createContainer(own);
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/image-missing') throw error;
    await deps.ensureHelper();
    await deps.engine.createContainer(own);
  }
}
