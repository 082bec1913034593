/**
 * With its identity in Temporal a restarted worker distinguishes the activities of its previous process from those of
 * another live worker, on the same engine or the same machine.
 */
import { hostname } from 'node:os';
import { readIdentity, writeIdentity, type IdentityParts } from '../../src/plan/model/worker-identity.ts';
import { isAlive } from '../../src/utils/is-alive.ts';

export interface WorkerIdentity {
  hostId: string;
  arches: readonly string[];
  /** Name of its own token, if it has one: the server gives it tokens of attempts by it. */
  worker?: string | undefined;
}

export const identityText = ({ hostId, arches, worker }: WorkerIdentity): string =>
  writeIdentity({ hostId, arches, hostName: hostname(), pid: process.pid, worker });

/** Same engine or target, and same architectures. The token may be another one since. */
function sameWorker(self: WorkerIdentity, identity: string): IdentityParts | undefined {
  const other = readIdentity(identity);
  const arches = [...self.arches].sort().join('+');
  return other?.hostId === self.hostId && other.arches.join('+') === arches ? other : undefined;
}

/**
 * True for a previous process of this worker on this machine. False for another live process: after a reboot
 * the number may belong to another program, and then the heartbeat timeout handles it.
 */
export function isFormerSelf(self: WorkerIdentity, identity: string): boolean {
  const other = sameWorker(self, identity);
  if (other?.hostName !== hostname()) return false;
  return other.pid === process.pid || !isAlive(other.pid);
}

/**
 * With another machine's name: either a recreated container, so the worker is dead, or a second live worker
 * of the engine.
 */
export function isElsewhere(self: WorkerIdentity, identity: string): boolean {
  const other = sameWorker(self, identity);
  return other !== undefined && other.hostName !== hostname();
}
