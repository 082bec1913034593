/**
 * Copies an image to another repository of the same registry, by digest. The registry links what it has; layers
 * that it does not link go through this process, and none of them is held in memory.
 */
import { DavitError } from '../../errors.ts';
import type { Digest } from '../../plan/model/ids.ts';
import type { RegistryHttp } from './http.ts';
import { blobsOf, indexEntries, isIndex } from './manifest.ts';

export interface Copy {
  from: string;
  to: string;
  /** Reads a manifest of `from`; rejects when there is none. */
  read(digest: Digest): Promise<{ body: Buffer; mediaType: string }>;
  put(digest: Digest, body: Buffer, mediaType: string): Promise<unknown>;
}

/** All that the manifest names comes first: a registry refuses a manifest whose parts are missing. */
export async function copyImage(http: RegistryHttp, copy: Copy, digest: Digest): Promise<void> {
  const { body, mediaType } = await copy.read(digest);
  if (isIndex(mediaType)) for (const one of indexEntries(body)) await copyImage(http, copy, one.digest);
  else for (const blob of blobsOf(body)) await copyBlob(http, copy, blob);
  await copy.put(digest, body, mediaType);
}

async function copyBlob(http: RegistryHttp, { from, to }: Copy, digest: Digest): Promise<void> {
  const scope = `repository:${to}:pull,push repository:${from}:pull`;
  const what = `copy ${digest} from ${from} to ${to}`;
  const path = `${to}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`;
  const linked = await http.ask({ method: 'POST', path, scope, what });
  if (linked.status === 201) return;
  const answer = await http.relay(
    { method: 'GET', path: `${from}/blobs/${digest}`, scope: `repository:${from}:pull`, what },
    { method: 'PUT', path: http.uploadPath(linked, digest), scope, what },
  );
  if (answer.status !== 201)
    throw new DavitError('registry/failed', `Cannot ${what}: ${http.host} did not accept it.`);
}
