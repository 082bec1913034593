/** `exists: project`: the files of other projects, with the access rules of `include: project`. */
import { DavitError } from '../errors.ts';
import { includeKey, type IncludeAnswer, type IncludeWant } from '../plan/model/includes.ts';
import type { Elsewhere } from './changes-needed.ts';
import type { IncludeSource } from './includes.ts';

type RequestIncludes = IncludeSource['elsewhere'];

/**
 * By key; null for a project that this pipeline may not read, and for a ref that does not exist: a caller
 * without access must not learn which. Rejects with `include/…` when a project cannot be reached.
 */
export async function remoteFiles(
  requestIncludes: RequestIncludes,
  asked: readonly Elsewhere[],
): Promise<Record<string, string[] | null>> {
  const found: Record<string, string[] | null> = {};
  for (const one of asked) found[one.key] = await filesOf(requestIncludes, one);
  return found;
}

async function filesOf(
  requestIncludes: RequestIncludes,
  { project, ref }: Elsewhere,
): Promise<string[] | null> {
  const repository = { path: project };
  const commit = await responseTo(requestIncludes, {
    kind: 'ref',
    repository,
    ...(ref !== undefined && { ref }),
  });
  if (!commit || !('sha' in commit)) return null;
  const listed = await responseTo(requestIncludes, { kind: 'list', repository, sha: commit.sha });
  return listed && 'files' in listed ? listed.files : null;
}

async function responseTo(
  requestIncludes: RequestIncludes,
  want: IncludeWant,
): Promise<IncludeAnswer | undefined> {
  const response = (await requestIncludes([want]))[includeKey(want)];
  if (response && 'refused' in response && response.refused.outage)
    throw new DavitError(response.refused.code, response.refused.message, { hint: response.refused.hint });
  return response;
}
