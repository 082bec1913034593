import type { Registries, RegistryAuth, RegistryUse } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';

/**
 * Credentials for a build, each sent only to its own registry: for the repository that is pushed to, and for
 * the base images of the Dockerfile. A name that the text does not reveal (it is composed in stages) is
 * pulled without credentials.
 */
export async function buildAuth(
  registries: Registries,
  names: readonly string[],
  use?: RegistryUse,
): Promise<Record<string, RegistryAuth>> {
  const auths: Record<string, RegistryAuth> = {};
  for (const name of names) {
    try {
      const { registry, auth } = await registries.forImage(name, { use });
      if (auth) auths[registry.host] = auth;
    } catch (error) {
      // The name of a stage, or an invalid name: BuildKit reports it with the line of the Dockerfile.
      if (!(error instanceof DavitError && error.code === 'registry/name')) throw error;
    }
  }
  return auths;
}
