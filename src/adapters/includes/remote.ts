/**
 * `include: remote` with its options. With `integrity`, a copy is as good as the file. With `cache`, a copy
 * up to that age is used, and an older one with a warning if the server does not respond: `cache` accepts
 * that the file may be outdated. Without either no copy is used, because a file may have been withdrawn for a
 * reason.
 */
import { createHash } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import type { IncludeAnswer, IncludeWant } from '../../plan/model/includes.ts';
import type { RemoteFiles } from '../ports.ts';

/** Copies by address. Best effort: a missing copy is fetched. */
export interface RemoteCopies {
  /** `at`: epoch ms of the fetch. */
  get(url: string): Promise<{ bytes: Uint8Array; at: number } | undefined>;
  put(url: string, bytes: Uint8Array): Promise<void>;
}
export type RemoteWant = Extract<IncludeWant, { kind: 'remote' }>;
export interface RemoteParts {
  remote: RemoteFiles;
  copies: RemoteCopies;
  now: () => number;
}

/** Rejects as `RemoteFiles.get`. */
export async function remoteAnswer(
  { url, integrity, cacheMs }: RemoteWant,
  { remote, copies, now }: RemoteParts,
  signal: AbortSignal,
): Promise<IncludeAnswer> {
  const kept = integrity !== undefined || cacheMs !== undefined ? await copies.get(url) : undefined;
  if (kept && integrity !== undefined && hashOf(kept.bytes) === integrity) return textOf(url, kept.bytes);
  const age = kept === undefined ? Number.POSITIVE_INFINITY : Math.max(0, now() - kept.at);
  if (kept && integrity === undefined && age <= (cacheMs ?? 0)) return textOf(url, kept.bytes);
  let bytes: Uint8Array;
  try {
    bytes = await remote.get(url, signal);
  } catch (error) {
    const away = error instanceof DavitError && error.code === 'include/unreachable';
    if (!away || !kept || cacheMs === undefined || integrity !== undefined) throw error;
    const warning = `${error.message} Using the copy fetched ${ageText(age)} ago.`;
    return { ...textOf(url, kept.bytes), warning };
  }
  const hash = hashOf(bytes);
  if (integrity !== undefined && hash !== integrity)
    throw new DavitError(
      'include/integrity',
      `${shown(url)} has the hash sha256-${hash}; the pipeline file requires sha256-${integrity}.`,
    );
  if (integrity !== undefined || cacheMs !== undefined) await copies.put(url, bytes);
  return textOf(url, bytes);
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

function textOf(url: string, bytes: Uint8Array): { text: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (cause) {
    throw new DavitError('include/refused', `${shown(url)} is not UTF-8 text.`, { cause });
  }
}

function ageText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Without parts that may be a token. */
function shown(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
