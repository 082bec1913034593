import type { BlobStore, JobUse, RegistryUse } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import type { CommonSpec, JobSpec } from '../../src/plan/model/spec.ts';
import type { RunInput } from '../contract.ts';

const MAX_SPEC_BYTES = 16 * 1024 * 1024;

/**
 * The job's spec from the store. Rejects with `blob/missing`, `store/unreachable`, or `internal/defect` if it
 * belongs to another kind of job.
 */
export async function readSpec<K extends JobSpec['kind']>(
  blobs: Pick<BlobStore, 'getBytes'>,
  digest: Digest,
  kind: K,
): Promise<Extract<JobSpec, { kind: K }>> {
  const bytes = await blobs.getBytes(digest, MAX_SPEC_BYTES);
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isSpec(value, kind))
    throw new DavitError('internal/defect', `The stored spec is not that of a ${kind} job of this version.`);
  return value;
}

/** davit wrote the blob and its digest protects the bytes, so only kind and version can differ. */
const isSpec = <K extends JobSpec['kind']>(value: unknown, kind: K): value is Extract<JobSpec, { kind: K }> =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  value.kind === kind &&
  'version' in value &&
  value.version === 1;

/** For what davit or a script does for this attempt; it counts until the attempt's log is closed. */
export const useOf = (
  { project, protectedRef, fork, local }: Pick<CommonSpec, 'project' | 'protectedRef' | 'fork' | 'local'>,
  { ref: { pipeline, job, attempt }, timeoutMs }: Pick<RunInput, 'ref' | 'timeoutMs'>,
): JobUse => ({
  job: { project, protectedRef, fork, ...(local && { local }) },
  attempt: { pipeline, job, attempt },
  forMs: timeoutMs,
});

/** For davit's own work, which writes these repositories; names have their registry, and may have a tag. */
export const workOf = (
  spec: Parameters<typeof useOf>[0],
  input: Parameters<typeof useOf>[1],
  names: readonly (string | undefined)[],
): RegistryUse => ({
  ...useOf(spec, input),
  writes: [...new Set(names.flatMap((name) => (name === undefined ? [] : [name.replace(/:[^:/]*$/, '')])))],
});
