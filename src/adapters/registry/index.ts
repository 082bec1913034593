/**
 * An OCI distribution client: port `Registry` for one registry. Images are named by the digest of the bytes
 * that were read, never by a header. Writing an index: every entry is first looked up in the same repository
 * (an index cannot name another's), the index is put by digest and read back, and only then do tags move, in
 * the given order.
 */
import { DavitError } from '../../errors.ts';
import type { Digest } from '../../plan/model/ids.ts';
import { platformText } from '../../plan/model/spec.ts';
import type { Registry } from '../ports.ts';
import { putArchive } from './archive.ts';
import { type Copy, copyImage } from './copy.ts';
import { RegistryHttp, type RegistryOptions } from './http.ts';
import {
  ACCEPT,
  contentBytes,
  describeManifest,
  digestOf,
  INDEX,
  indexBytes,
  indexEntries,
  isIndex,
} from './manifest.ts';
import { manifestPath, readManifest } from './read-manifest.ts';
import { parseImageName } from '../../match/image-name.ts';

export type { RegistryOptions } from './http.ts';
export { imageNameText, parseImageName, type ImageName } from '../../match/image-name.ts';

/** Throws `registry/name` if the host is invalid. */
export function registryClient(options: RegistryOptions): Registry {
  const http = new RegistryHttp(options);
  const host = options.host;
  return {
    host,
    async ping() {
      await http.ask({ method: 'GET', path: '', what: `reach the registry ${host}`, once: true });
    },
    async manifest(repository, reference) {
      const found = await readManifest(http, repository, reference);
      return found && describeManifest(found.body, found.contentType);
    },
    async has(repository, reference) {
      // Not a GET: registries count those against a limit.
      const { status } = await http.ask({
        method: 'HEAD',
        path: manifestPath(repository, reference),
        scope: `repository:${repository}:pull`,
        headers: { accept: ACCEPT },
        what: `look for ${repository} ${reference}`,
        once: true,
      });
      return status !== 404;
    },
    async index(repository, reference) {
      const found = await readManifest(http, repository, reference);
      if (!found) return undefined;
      const { digest, mediaType } = describeManifest(found.body, found.contentType);
      return isIndex(mediaType) ? { digest, entries: indexEntries(found.body) } : undefined;
    },
    putIndex: (...write) => putIndex(http, write),
    copyImage: (from, digest, to) => copyImage(http, between(http, from, to), digest),
    putArchive: (repository, tag, tar) => {
      parseImageName(`x.invalid/${repository}:${tag}`);
      return putArchive(http, { repository, tag }, tar);
    },
    async deleteManifest(repository, digest) {
      await http.ask({
        method: 'DELETE',
        path: manifestPath(repository, digest),
        scope: `repository:${repository}:delete`,
        what: `delete ${repository}@${digest}`,
      });
    },
    async imageSize(repository, digest) {
      const found = await readManifest(http, repository, digest);
      if (!found) throw missing(host, repository, digest);
      return contentBytes(found.body);
    },
  };
}

/** What a copy needs of manifests. */
const between = (http: RegistryHttp, from: string, to: string): Copy => ({
  from,
  to,
  async read(digest) {
    const found = await readManifest(http, from, digest);
    if (!found) throw missing(http.host, from, `The image ${digest}`);
    return { body: found.body, mediaType: describeManifest(found.body, found.contentType).mediaType };
  },
  put: (digest, body, mediaType) =>
    http.ask({
      method: 'PUT',
      path: manifestPath(to, digest),
      scope: `repository:${to}:pull,push`,
      headers: { 'content-type': mediaType },
      body,
      what: `write the image ${to}@${digest}`,
    }),
});

const missing = (host: string, repository: string, what: string): DavitError =>
  new DavitError('registry/missing-manifest', `${what} is not in ${host}/${repository}.`);

async function putIndex(http: RegistryHttp, write: Parameters<Registry['putIndex']>): Promise<Digest> {
  const [repository, wanted, tags, annotations] = write;
  const entries = await Promise.all(
    wanted.map(async ({ digest, platform }) => {
      const found = await readManifest(http, repository, digest);
      if (!found) throw missing(http.host, repository, `The image for ${platformText(platform)} (${digest})`);
      return { manifest: describeManifest(found.body, found.contentType), platform };
    }),
  );
  const body = indexBytes(entries, annotations);
  const digest = digestOf(body);
  const put = (reference: string) =>
    http.ask({
      method: 'PUT',
      path: manifestPath(repository, reference),
      scope: `repository:${repository}:pull,push`,
      headers: { 'content-type': INDEX },
      body,
      what: `write the index ${repository} ${reference}`,
    });
  await accepted(http, put(digest), repository);
  if (!(await readManifest(http, repository, digest)))
    throw missing(http.host, repository, `The index ${digest}`);
  for (const tag of tags) await accepted(http, put(tag), repository);
  return digest;
}

async function accepted(
  http: RegistryHttp,
  put: Promise<{ status: number }>,
  repository: string,
): Promise<void> {
  const { status } = await put;
  if (status === 404)
    throw new DavitError(
      'registry/failed',
      `The registry ${http.host} does not accept uploads to ${repository}.`,
    );
}
