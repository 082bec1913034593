/**
 * Manifests and indexes as bytes and as davit's types (OCI image spec, Docker Registry v2 schema 2). Pure.
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { isDigest, type Digest } from '../../plan/model/ids.ts';
import type { Platform } from '../../plan/model/outcome.ts';
import type { ManifestInfo } from '../ports.ts';
import { sha256 } from '../../utils/sha256.ts';

export const INDEX = 'application/vnd.oci.image.index.v1+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
/** Every type that davit reads. Schema 1 is left out: its digest is not the digest of its bytes. */
export const ACCEPT = [INDEX, LIST, ...MANIFESTS].join(', ');

export const isIndex = (mediaType: string): boolean => mediaType === INDEX || mediaType === LIST;
export const digestOf = (bytes: Uint8Array): Digest => `sha256:${sha256(bytes)}`;

const digest = z.string().refine(isDigest);
const descriptor = z.object({ digest, mediaType: z.string(), size: z.number().int().nonnegative() });
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const index = z.object({ manifests: z.array(descriptor.extend({ platform: platform.optional() })) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const content = z.object({
  manifests: z.array(descriptor).optional(),
  config: descriptor.optional(),
  layers: z.array(descriptor).optional(),
});
const typed = z.object({ mediaType: z.string().optional() });

const unreadable = (): DavitError =>
  new DavitError('registry/failed', 'The registry sent a manifest that cannot be read.');

function parsed<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    throw unreadable(); // the parser's message would quote the body
  }
}

/** The media type: from the document itself, else from the response's content type. */
export function describeManifest(bytes: Uint8Array, contentType: string): ManifestInfo {
  const mediaType = parsed(typed, bytes).mediaType ?? contentType;
  return { digest: digestOf(bytes), mediaType, sizeBytes: bytes.length };
}

/** Entries of an index, without attestations and platforms davit does not know. */
export function indexEntries(bytes: Uint8Array): ManifestInfo[] {
  return parsed(index, bytes).manifests.map((entry) => ({
    digest: entry.digest,
    mediaType: entry.mediaType,
    sizeBytes: entry.size,
    ...(entry.platform && { platform: knownPlatform(entry.platform) }),
  }));
}

function knownPlatform(found: z.infer<typeof platform>): Platform | undefined {
  const { os, architecture, variant } = found;
  if (os !== 'linux') return undefined;
  if (architecture === 'amd64') return { os, architecture };
  if (architecture !== 'arm' && architecture !== 'arm64') return undefined;
  const known = variant === 'v6' || variant === 'v7' || variant === 'v8';
  return { os, architecture, ...(known && { variant }) };
}

/** Bytes of config and layers; a layer that is used twice counts once. */
export function contentBytes(bytes: Uint8Array): number {
  const { config, layers } = parsed(manifest, bytes);
  const parts = new Map([config, ...layers].map((part) => [part.digest, part.size]));
  return [...parts.values()].reduce((sum, size) => sum + size, 0);
}

export interface Part {
  digest: Digest;
  size: number;
}

/** The manifests of an index, else config and layers. */
export function partsOf(bytes: Uint8Array): Part[] {
  const { manifests, config, layers = [] } = parsed(content, bytes);
  return [...(manifests ?? []), ...(config ? [config] : []), ...layers];
}

/** Digests of config and layers, each once. */
export function blobsOf(bytes: Uint8Array): Digest[] {
  const { config, layers } = parsed(manifest, bytes);
  return [...new Set([config, ...layers].map((part) => part.digest))];
}

/** The bytes of an OCI index: the same entries and annotations always give the same digest. */
export function indexBytes(
  entries: { manifest: ManifestInfo; platform: Platform }[],
  annotations: Record<string, string>,
): Buffer {
  const sorted = Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1)));
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: entries.map((entry) => ({
        mediaType: entry.manifest.mediaType,
        digest: entry.manifest.digest,
        size: entry.manifest.sizeBytes,
        platform: {
          architecture: entry.platform.architecture,
          os: entry.platform.os,
          ...(entry.platform.variant && { variant: entry.platform.variant }),
        },
      })),
      ...(Object.keys(sorted).length > 0 && { annotations: sorted }),
    }),
  );
}
