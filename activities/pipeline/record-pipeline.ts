import type { BlobStore, RecordStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { Digest, PipelineId } from '../../src/plan/model/ids.ts';
import {
  pipelineRecordName,
  summaryOf,
  type PipelineEntry,
  type PipelineRecord,
} from '../../src/plan/model/records.ts';
import { readCompiled } from '../runtime/compiled-blobs.ts';
import { rememberFork } from '../runtime/fork-authors.ts';
import type { ControlActivities } from '../contract.ts';

export interface RecordDeps {
  blobs: BlobStore;
  records: RecordStore;
  facts: InstallationFacts;
}
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/**
 * Writes the record of a closed pipeline, as a blob and under its name. A later run of the same pipeline
 * replaces the record and keeps it: a frozen worker of an earlier run comes too late.
 */
export function makeRecordPipeline(deps: RecordDeps): ControlActivities['recordPipeline'] {
  return async ({ record }) => {
    const digest = await deps.blobs.putBytes(new TextEncoder().encode(JSON.stringify(record)));
    const entry: PipelineEntry = { record: digest, summary: summaryOf(record.status) };
    const name = pipelineRecordName(record.status.id);
    const there = await deps.records.get<PipelineEntry>(name);
    if (endOf(there) <= endOf(entry)) await deps.records.put(name, entry);
    await rememberFork(deps, record);
    return { record: digest };
  };
}

/** Epoch ms by Temporal's clock, which is the same for all runs of a pipeline. */
const endOf = (entry: PipelineEntry | undefined): number => entry?.summary.endedAt ?? 0;

/**
 * Reads a record back, with the plan it ran; limits are the current ones, because the new run happens today.
 */
export function makeLoadRecord(deps: RecordDeps): ControlActivities['loadRecord'] {
  return async (input) => {
    const bytes = await deps.blobs.getBytes(input.record, MAX_RECORD_BYTES);
    const record = parseRecord(bytes);
    if (!record.plan) return { record };
    return { record, compiled: await readCompiled(deps.blobs, record.plan, deps.facts) };
  };
}

/**
 * Includes its trigger, so that the project can start the next run without the whole record in its history.
 */
export function makeFindRecord(deps: Pick<RecordDeps, 'records' | 'blobs'>): ControlActivities['findRecord'] {
  return async ({ id }) => {
    const found = await latestRecord(deps, id);
    if (!found) return {};
    const { trigger, status, order } = found.record;
    return { record: found.digest, number: status.number, trigger, order };
  };
}

/** The latest record of a closed pipeline; undefined if there is none. */
export async function latestRecord(
  { records, blobs }: Pick<RecordDeps, 'records' | 'blobs'>,
  id: PipelineId,
): Promise<{ digest: Digest; record: PipelineRecord } | undefined> {
  const entry = await records.get<PipelineEntry>(pipelineRecordName(id));
  if (!entry) return undefined;
  const record = parseRecord(await blobs.getBytes(entry.record, MAX_RECORD_BYTES));
  return { digest: entry.record, record };
}

function parseRecord(bytes: Uint8Array): PipelineRecord {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isRecord(value)) throw new DavitError('internal/defect', 'Unsupported version of a pipeline record.');
  return value;
}
const isRecord = (value: unknown): value is PipelineRecord =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  value.version === 1 &&
  'status' in value &&
  'trigger' in value;
