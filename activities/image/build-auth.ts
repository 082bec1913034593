import type { Registries, RegistryAuth, RegistryUse } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { expandLate } from '../../src/compiler/variables/expand.ts';

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

/**
 * Images of `FROM` and `COPY --from`, global `ARG`s filled in (Dockerfile reference, "Understand how ARG and
 * FROM interact").
 */
export function imagesIn(dockerfile: string, args: Readonly<Record<string, string>>): string[] {
  const values = new Map<string, string>();
  const stages = new Set<string>();
  const images: string[] = [];
  for (const line of dockerfile.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const arg = /^\s*ARG\s+([A-Za-z_][A-Za-z0-9_]*)(?:=["']?([^"'\s]*))?/i.exec(line);
    if (arg?.[1] !== undefined && images.length === 0 && stages.size === 0)
      values.set(arg[1], args[arg[1]] ?? arg[2] ?? '');
    const from = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    const name = from?.[1] ?? /^\s*COPY\s+(?:--(?!from=)\S+\s+)*--from=(\S+)/i.exec(line)?.[1];
    if (name !== undefined && !stages.has(name.toLowerCase()) && !/^\d+$/.test(name) && name !== 'scratch')
      images.push(filled(name, values));
    if (from) stages.add((from[2] ?? '').toLowerCase());
  }
  return [...new Set(images)];
}

const filled = (text: string, values: ReadonlyMap<string, string>): string =>
  expandLate(text.replace(/\$([A-Za-z_][A-Za-z0-9_]*)/g, '${$1}'), values);
