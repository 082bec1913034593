/**
 * The includes of a pipeline, pinned: what they brought from elsewhere is kept under the pipeline's id before it is compiled,
 * so that a second try of this activity, and whatever else reads it later, puts the same file together, whatever has changed
 * elsewhere meanwhile.
 */
import { Context } from '@temporalio/activity';
import type { BlobStore, IncludeSession, RecordStore } from '../src/adapters/ports.ts';
import { DavitError } from '../src/errors.ts';
import { loadIncludes, type IncludeSource } from '../src/pipeline/includes.ts';
import type { CompileRequest } from '../src/pipeline/request.ts';
import type { PipelineId } from '../src/plan/ids.ts';
import type { IncludeAnswers } from '../src/plan/includes.ts';
import { includesRecordName, type IncludesRecord } from '../src/plan/records.ts';

/** Tries after which an outage elsewhere is told as a mistake, with its place; the workflow gives up two later. */
const PATIENT_TRIES = 6;
/** 150 files of 1 MiB at most, and lists of files. */
const MAX_BYTES = 256 * 1024 * 1024;

interface Deps {
  blobs: BlobStore;
  records: RecordStore;
}

/**
 * The request with all that its includes name. Rejects with `include/unreachable` while it is worth trying again; what is refused is left for the compiler to tell, with its place.
 */
export async function withIncludes(
  deps: Deps,
  id: PipelineId,
  asking: { request: CompileRequest; source: Omit<IncludeSource, 'elsewhere'>; session: IncludeSession },
): Promise<CompileRequest> {
  const { request, source, session } = asking;
  const whole: IncludeSource = { ...source, elsewhere: (wants) => session.answer(wants) };
  const pinned = await pinnedAnswers(deps, id);
  const loaded = await loadIncludes({ ...request, answers: pinned }, whole);
  const answers = loaded.answers ?? {};
  if (pinned || Object.keys(answers).length === 0) return { ...request, ...loaded };
  const refusals = Object.values(answers).flatMap((answer) => ('refused' in answer ? [answer.refused] : []));
  const outage = refusals.find((one) => one.code === 'include/unreachable');
  if (outage && Context.current().info.attempt < PATIENT_TRIES)
    throw new DavitError(outage.code, outage.message, { hint: outage.hint });
  if (refusals.length > 0) return { ...request, ...loaded };
  const kept = await pin(deps, id, answers);
  // Another try was quicker: what it has kept counts.
  return {
    ...request,
    ...(kept === answers ? loaded : await loadIncludes({ ...request, answers: kept }, whole)),
  };
}

async function pinnedAnswers({ blobs, records }: Deps, id: PipelineId): Promise<IncludeAnswers | undefined> {
  const record = await records.get<IncludesRecord>(includesRecordName(id));
  if (!record) return undefined;
  const bytes = await blobs.getBytes(record.answers, MAX_BYTES);
  // Written by `pin`, under its digest.
  return JSON.parse(new TextDecoder().decode(bytes)) as IncludeAnswers;
}

/** What is kept under the id now: these, or those of whoever was first. */
async function pin(deps: Deps, id: PipelineId, answers: IncludeAnswers): Promise<IncludeAnswers> {
  const digest = await deps.blobs.putBytes(new TextEncoder().encode(JSON.stringify(answers)));
  const mine: IncludesRecord = { answers: digest };
  const { created } = await deps.records.putIfAbsent(includesRecordName(id), mine);
  return created ? answers : ((await pinnedAnswers(deps, id)) ?? answers);
}
