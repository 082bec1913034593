/** Reads ended pipelines as `recordPipeline` has written them. */
import type { Digest, PipelineId } from '../plan/model/ids.ts';
import type { Plan } from '../plan/model/plan.ts';
import type { JobSpec } from '../plan/model/spec.ts';
import {
  pipelineRecordName,
  type PipelineEntry,
  type PipelineRecord,
  type PipelineSummary,
} from '../plan/model/records.ts';
import type { ServerDeps } from './deps.ts';

type RecordDeps = Pick<ServerDeps, 'records' | 'blobs'>;
const MAX_BYTES = 64 * 1_024 * 1_024;

export async function recordOf(deps: RecordDeps, id: PipelineId): Promise<PipelineRecord | undefined> {
  const entry = await deps.records.get<PipelineEntry>(pipelineRecordName(id));
  if (!entry) return undefined;
  const record: unknown = await jsonOf(deps, entry.record);
  return record as PipelineRecord;
}

export const summaryOfRecord = async (
  deps: Pick<RecordDeps, 'records'>,
  id: PipelineId,
): Promise<PipelineSummary | undefined> =>
  (await deps.records.get<PipelineEntry>(pipelineRecordName(id)))?.summary;

/** The plan of the pipeline; undefined if it never had one. */
export async function planOf(deps: RecordDeps, record: PipelineRecord): Promise<Plan | undefined> {
  if (!record.plan) return undefined;
  const plan: unknown = await jsonOf(deps, record.plan);
  return plan as Plan;
}

export const jsonOf = async (deps: Pick<RecordDeps, 'blobs'>, digest: `sha256:${string}`): Promise<unknown> =>
  JSON.parse(Buffer.from(await deps.blobs.getBytes(digest, MAX_BYTES)).toString('utf8'));

/**
 * Makes the sources of a plan young, as if they had just been stored: a collection that runs now leaves them, and the
 * next one knows that the pipeline is open.
 */
export async function keepSources(deps: Pick<RecordDeps, 'blobs'>, plan: Plan): Promise<void> {
  const sources = new Set<Digest>();
  for (const { spec } of plan.jobs) {
    if (!(await deps.blobs.has(spec))) continue; // its job says so when it runs
    const { source } = (await jsonOf(deps, spec)) as Partial<JobSpec>;
    if (source !== undefined) sources.add(source);
  }
  for (const source of sources) await deps.blobs.has(source);
}
