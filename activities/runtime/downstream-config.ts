/** The configuration that a trigger job passed to its pipeline, read from the blob store. */
import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { DownstreamConfig } from '../../src/plan/model/downstream.ts';
import type { Digest } from '../../src/plan/model/ids.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/** Rejects with `blob/missing` if the store lost it. */
export async function readDownstream(blobs: BlobStore, digest: Digest): Promise<DownstreamConfig> {
  const value: unknown = await readJson(blobs, digest);
  if (!isConfig(value))
    throw new DavitError('internal/defect', 'Unsupported version of a stored trigger configuration.');
  return value;
}
const isConfig = (value: unknown): value is DownstreamConfig =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  value.version === 1 &&
  'variables' in value;

export const readJson = async (blobs: BlobStore, digest: Digest): Promise<unknown> =>
  JSON.parse(new TextDecoder().decode(await blobs.getBytes(digest, MAX_BYTES)));
