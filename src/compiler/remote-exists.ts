/** `exists: project`: the files of other projects, with the access rules of `include: project`. */
import { DavitError } from '../errors.ts';
import { includeKey, type IncludeAnswer, type IncludeWant } from '../plan/model/includes.ts';
import type { Elsewhere } from './changes-needed.ts';
import type { IncludeSource } from './includes.ts';

type Ask = IncludeSource['elsewhere'];

/**
 * By key; null for a project that this pipeline may not read, and for a ref that does not exist: a caller
 * without access must not learn which. Rejects with `include/…` when a project cannot be reached.
 */
export async function remoteFiles(
  ask: Ask,
  asked: readonly Elsewhere[],
): Promise<Record<string, string[] | null>> {
  const found: Record<string, string[] | null> = {};
  for (const one of asked) found[one.key] = await filesOf(ask, one);
  return found;
}

async function filesOf(ask: Ask, { project, ref }: Elsewhere): Promise<string[] | null> {
  const repository = { path: project };
  const commit = await answerTo(ask, { kind: 'ref', repository, ...(ref !== undefined && { ref }) });
  if (!commit || !('sha' in commit)) return null;
  const listed = await answerTo(ask, { kind: 'list', repository, sha: commit.sha });
  return listed && 'files' in listed ? listed.files : null;
}

async function answerTo(ask: Ask, want: IncludeWant): Promise<IncludeAnswer | undefined> {
  const answer = (await ask([want]))[includeKey(want)];
  if (answer && 'refused' in answer && answer.refused.outage)
    throw new DavitError(answer.refused.code, answer.refused.message, { hint: answer.refused.hint });
  return answer;
}
