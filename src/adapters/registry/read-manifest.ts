/** Reads one manifest of a registry. */
import { DavitError } from '../../errors.ts';
import { parseImageName } from '../../match/image-name.ts';
import { isDigest } from '../../plan/model/ids.ts';
import type { RegistryHttp } from './http.ts';
import { ACCEPT, digestOf } from './manifest.ts';

/** Validated, so that the path contains nothing but a name. */
export function manifestPath(repository: string, reference: string): string {
  parseImageName(`x.invalid/${repository}${isDigest(reference) ? '@' : ':'}${reference}`);
  return `${repository}/manifests/${reference}`;
}

/**
 * Undefined if the registry does not have it. Rejects with `registry/failed` if a digest was asked for and the bytes
 * are others, and as `RegistryHttp.ask` does.
 */
export async function readManifest(
  http: RegistryHttp,
  repository: string,
  reference: string,
): Promise<{ body: Buffer; contentType: string } | undefined> {
  const answer = await http.ask({
    method: 'GET',
    path: manifestPath(repository, reference),
    scope: `repository:${repository}:pull`,
    headers: { accept: ACCEPT },
    what: `read ${repository} ${reference}`,
  });
  if (answer.status === 404) return undefined;
  if (isDigest(reference) && digestOf(answer.body) !== reference)
    throw new DavitError(
      'registry/failed',
      `The registry ${http.host} returned other bytes for ${repository}@${reference}.`,
    );
  return answer;
}
