import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Digest } from '../../src/plan/ids.ts';
import type { JobSpec } from '../../src/plan/spec.ts';
import { STORE_AWAY, throughOutage } from './outage.ts';

const FIRST_PAUSE_MS = 200;
const MAX_SPEC_BYTES = 16 * 1024 * 1024;

/**
 * The job's spec from the store, which is waited for as long as a signal is given and allows. Rejects with `blob/missing`,
 * `store/unreachable`, or `internal/defect` when it is another kind of job's.
 */
export async function readSpec<K extends JobSpec['kind']>(
  blobs: Pick<BlobStore, 'getBytes'>,
  digest: Digest,
  of: K | { kind: K; signal: AbortSignal },
): Promise<Extract<JobSpec, { kind: K }>> {
  const kind: K = typeof of === 'string' ? of : of.kind;
  const signal = typeof of === 'string' ? undefined : of.signal;
  const read = (): Promise<Uint8Array> => blobs.getBytes(digest, MAX_SPEC_BYTES);
  const bytes = await (signal
    ? throughOutage({ codes: STORE_AWAY, signal, firstMs: FIRST_PAUSE_MS }, read)
    : read());
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isSpec(value, kind))
    throw new DavitError('internal/defect', `The stored spec is not that of a ${kind} job of this version.`);
  return value;
}

/** davit wrote the blob itself and its digest holds the bytes: kind and version are what can differ. */
const isSpec = <K extends JobSpec['kind']>(value: unknown, kind: K): value is Extract<JobSpec, { kind: K }> =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  value.kind === kind &&
  'version' in value &&
  value.version === 1;
