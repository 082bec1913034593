/**
 * Who a worker is in Temporal's eyes: `davit/HOSTID/ARCHES/HOSTNAME/PID`. By it a worker that starts again knows the
 * activities of its former self from those of a neighbour that is alive, on the same engine or the same machine.
 */
import { hostname } from 'node:os';

export interface WorkerIdentity {
  hostId: string;
  arches: readonly string[];
}

export const identityText = ({ hostId, arches }: WorkerIdentity): string =>
  `davit/${hostId}/${[...arches].sort().join('+')}/${hostname()}/${process.pid}`;

/**
 * True of a former run of this worker. Not of one that is another process, alive, on this machine: after a reboot such a
 * number may be somebody else's, and then the heartbeat timeout does what this would have done.
 */
export function isFormerSelf(self: WorkerIdentity, identity: string): boolean {
  const own = identityText(self).split('/');
  const other = identity.split('/');
  const sameWorker = own.length === other.length && own.slice(0, 3).join('/') === other.slice(0, 3).join('/');
  if (!sameWorker) return false;
  const pid = Number(other[4]);
  if (other[3] !== hostname() || pid === process.pid) return true;
  return !isAlive(pid);
}

/**
 * The same for a worker that has no engine of its own (control, a deploy target): there several may serve one queue on several
 * machines, so only one of this machine is known to be gone.
 */
export const isFormerHere = (self: WorkerIdentity, identity: string): boolean =>
  identity.split('/')[3] === hostname() && isFormerSelf(self, identity);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
