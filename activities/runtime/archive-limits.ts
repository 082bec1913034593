/** Limits of what an archive costs when it is unpacked, however small it is itself. */
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DavitError } from '../../src/errors.ts';
import type { Installation } from '../../src/installation.ts';

/** An archive that unpacks to less may be packed as densely as it likes. */
const FREE_BYTES = 64 * 1_024 * 1_024;

export interface ArchiveLimits {
  /** Files, links and directories. */
  entries: number;
  /** Bytes that one packed byte may become. */
  ratio: number;
}
export const archiveLimits = ({ archive_entries, archive_ratio }: Installation['limits']): ArchiveLimits => ({
  entries: archive_entries,
  ratio: archive_ratio,
});

/** `FREE_BYTES` also covers what a compressor still holds back. */
export const isTooDense = (unpacked: number, packed: number, ratio: number): boolean =>
  unpacked > FREE_BYTES + ratio * packed;

/** Passes bytes on, and fails with `error` once `tooMany` says so of their number. */
export function guard(tooMany: (bytes: number) => boolean, error: () => Error): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (tooMany(bytes)) done(error());
      else done(null, chunk);
    },
  });
}

/** What was packed; ends with `error` when that is far more than its archive. */
export function gunzipped(zipped: Readable, ratio: number, error: () => Error): Readable {
  const gunzip = createGunzip();
  const guarded = guard((unpacked) => isTooDense(unpacked, gunzip.bytesWritten, ratio), error);
  // A failure destroys `guarded` too, and its reader rejects with it.
  pipeline(zipped, gunzip, guarded).catch(() => undefined);
  return guarded;
}

/** `what`: the artifact, the cache. */
export const denseError = (what: string, ratio: number): DavitError =>
  new DavitError('archive/limit', `${what} unpacks to more than ${ratio} times its size.`);

/** Called for each entry; throws at the one that is too many. */
export function entryCounter(what: string, { entries }: ArchiveLimits): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count > entries)
      throw new DavitError('archive/limit', `${what} has more than ${entries} files and directories.`);
  };
}
