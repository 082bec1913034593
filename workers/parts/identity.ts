/**
 * Who a worker is in Temporal's eyes: `davit/HOSTID/ARCHES/HOSTNAME/PID`. By it a worker that starts again
 * knows the activities of its former self from those of a neighbour that is alive, on the same engine or the
 * same machine.
 */
import { hostname } from 'node:os';
import { isAlive } from '../../src/utils/is-alive.ts';

export interface WorkerIdentity {
  hostId: string;
  arches: readonly string[];
}

export const identityText = ({ hostId, arches }: WorkerIdentity): string =>
  `davit/${hostId}/${[...arches].sort().join('+')}/${hostname()}/${process.pid}`;

/** Of the same engine, or target, and the same architectures. */
function isSameWorker(self: WorkerIdentity, identity: string): boolean {
  const own = identityText(self).split('/');
  const other = identity.split('/');
  return own.length === other.length && own.slice(0, 3).join('/') === other.slice(0, 3).join('/');
}

/**
 * True of a former run of this worker on this machine. Not of one that is another process, alive: after a
 * reboot such a number may be somebody else's, and then the heartbeat timeout does what this would have done.
 */
export function isFormerSelf(self: WorkerIdentity, identity: string): boolean {
  if (!isSameWorker(self, identity) || identity.split('/')[3] !== hostname()) return false;
  const pid = Number(identity.split('/')[4]);
  return pid === process.pid || !isAlive(pid);
}

/**
 * Of another machine's name: a container that was recreated, so no one, or a second worker of one engine,
 * which is alive.
 */
export const isElsewhere = (self: WorkerIdentity, identity: string): boolean =>
  isSameWorker(self, identity) && identity.split('/')[3] !== hostname();
