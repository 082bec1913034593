/**
 * A worker's identity in Temporal: `davit/HOSTID/ARCHES/HOSTNAME/PID`. With it a restarted worker
 * distinguishes the activities of its previous process from those of another live worker, on the same engine
 * or the same machine.
 */
import { hostname } from 'node:os';
import { isAlive } from '../../src/utils/is-alive.ts';

export interface WorkerIdentity {
  hostId: string;
  arches: readonly string[];
}

export const identityText = ({ hostId, arches }: WorkerIdentity): string =>
  `davit/${hostId}/${[...arches].sort().join('+')}/${hostname()}/${process.pid}`;

/** Same engine or target, and same architectures. */
function isSameWorker(self: WorkerIdentity, identity: string): boolean {
  const own = identityText(self).split('/');
  const other = identity.split('/');
  return own.length === other.length && own.slice(0, 3).join('/') === other.slice(0, 3).join('/');
}

/**
 * True for a previous process of this worker on this machine. False for another live process: after a reboot
 * the number may belong to another program, and then the heartbeat timeout handles it.
 */
export function isFormerSelf(self: WorkerIdentity, identity: string): boolean {
  if (!isSameWorker(self, identity) || identity.split('/')[3] !== hostname()) return false;
  const pid = Number(identity.split('/')[4]);
  return pid === process.pid || !isAlive(pid);
}

/**
 * With another machine's name: either a recreated container, so the worker is dead, or a second live worker
 * of the engine.
 */
export const isElsewhere = (self: WorkerIdentity, identity: string): boolean =>
  isSameWorker(self, identity) && identity.split('/')[3] !== hostname();
