/**
 * Pushes an OCI archive (an image layout in a tar) as it is read: layers go from the stream to the registry, which
 * checks their digests; manifests are small, and are held. An archive may say anything, so nothing of it is believed
 * but bytes under their digest.
 */
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { type Digest, isDigest } from '../../plan/model/ids.ts';
import type { RegistryHttp } from './http.ts';
import { blobsOf, contentBytes, describeManifest, digestOf, indexEntries, isIndex } from './manifest.ts';

/** A manifest is smaller; so many bytes of them are held at most. */
const SMALL = 1024 * 1024;
const HELD = 16 * SMALL;

/** Returns what the registry has acknowledged. */
export async function putArchive(
  http: RegistryHttp,
  { repository, tag }: { repository: string; tag: string },
  tar: Readable,
): Promise<{ digest: Digest; sizeBytes: number }> {
  const held = new Map<string, Buffer>();
  const there = new Set<Digest>();
  let bytes = 0;
  const reader = extract();
  const visited = (async () => {
    for await (const entry of reader) {
      const { name, size, type } = entry.header;
      const digest = `sha256:${/^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1] ?? ''}`;
      const isSmall = type === 'file' && size <= SMALL && bytes + size <= HELD;
      if (isSmall) {
        bytes += size;
        held.set(isDigest(digest) ? digest : name, await buffer(entry));
      }
      if (type === 'file' && isDigest(digest)) {
        await putBlob(
          http,
          { repository, digest, size },
          held.get(digest) ?? Readable.from(entry, { objectMode: false }),
        );
        there.add(digest);
      }
      entry.resume();
    }
  })();
  await Promise.all([pipeline(tar, reader), visited]);
  return putManifest(http, { repository, tag, there }, held);
}

async function putBlob(
  http: RegistryHttp,
  { repository, digest, size }: { repository: string; digest: Digest; size: number },
  body: Readable | Buffer,
): Promise<void> {
  const scope = `repository:${repository}:pull,push`;
  const what = `write ${digest} to ${repository}`;
  const begun = await http.ask({ method: 'POST', path: `${repository}/blobs/uploads/`, scope, what });
  const path = http.uploadPath(begun, digest);
  const { status } = await http.upload({ method: 'PUT', path, scope, what }, body, String(size));
  if (status !== 201)
    throw new DavitError('registry/failed', `Cannot ${what}: ${http.host} responded with ${status}.`);
}

async function putManifest(
  http: RegistryHttp,
  { repository, tag, there }: { repository: string; tag: string; there: ReadonlySet<Digest> },
  held: ReadonlyMap<string, Buffer>,
): Promise<{ digest: Digest; sizeBytes: number }> {
  const unreadable = new DavitError('registry/failed', 'The archive holds no image.');
  const index = held.get('index.json') ?? held.get('./index.json');
  const named = index && indexEntries(index)[0]?.digest;
  const body = named && held.get(named);
  if (!body || digestOf(body) !== named) throw unreadable;
  const { mediaType } = describeManifest(body, '');
  if (isIndex(mediaType) || blobsOf(body).some((digest) => !there.has(digest))) throw unreadable;
  for (const reference of [named, tag])
    await http.ask({
      method: 'PUT',
      path: `${repository}/manifests/${reference}`,
      scope: `repository:${repository}:pull,push`,
      headers: { 'content-type': mediaType },
      body,
      what: `write the image ${repository} ${reference}`,
    });
  return { digest: named, sizeBytes: contentBytes(body) };
}
