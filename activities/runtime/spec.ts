import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import type { JobSpec } from '../../src/plan/model/spec.ts';

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
