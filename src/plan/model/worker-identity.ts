/**
 * A worker's identity in Temporal: `davit/HOSTID/ARCHES/HOSTNAME/PID`, and the name of its token, if that has one.
 * Temporal keeps it with each activity that the worker has taken.
 */
const PARTS = 5;

export interface IdentityParts {
  hostId: string;
  arches: readonly string[];
  hostName: string;
  pid: number;
  /** Name of the worker's own token. */
  worker?: string | undefined;
}

export function writeIdentity({ hostId, arches, hostName, pid, worker }: IdentityParts): string {
  const parts = ['davit', hostId, [...arches].sort().join('+'), hostName, String(pid)];
  return [...parts, ...(worker === undefined ? [] : [encodeURIComponent(worker)])].join('/');
}

export function readIdentity(identity: string): IdentityParts | undefined {
  const [davit, hostId, arches, hostName, pid, worker, ...more] = identity.split('/');
  if (davit !== 'davit' || hostId === undefined || arches === undefined || hostName === undefined)
    return undefined;
  if (pid === undefined || more.length > 0) return undefined;
  const named = worker === undefined ? {} : { worker: nameOf(worker) };
  return { hostId, arches: arches === '' ? [] : arches.split('+'), hostName, pid: Number(pid), ...named };
}

/** The name of the token that the worker says it has; empty: none, or not an identity of davit. */
export function workerIn(identity: string): string {
  const parts = identity.split('/');
  return parts.length > PARTS ? nameOf(parts.slice(PARTS).join('/')) : '';
}

function nameOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // not written by `writeIdentity`: it is nobody's name
  }
}
