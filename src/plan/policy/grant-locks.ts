/**
 * One lock: an environment or a resource group of a project. Pure: every function returns the new lock and
 * the replies to send. The project workflow keeps the locks and sends the signals.
 *
 * LOCK-1 At most one holder.
 * LOCK-2 A deployment of a pipeline older than the last one that changed the target is refused as outdated,
 *        whenever it was requested, unless a person runs its job again: as in GitLab, that is a rollback.
 * LOCK-3 `seq` rises with every grant, even after the loss of the Temporal database: it starts at the
 *        pipeline's own number, which the records of the store never repeat. `seq + 1` belongs to the grant's
 *        rollback.
 * LOCK-4 A repeated request or release changes nothing.
 */
import type { LockGrant, LockRelease, LockRequest, LockState } from '../model/locks.ts';

export interface LockReply {
  to: LockRequest;
  grant: LockGrant;
}
export interface LockChange {
  lock: LockState;
  replies: LockReply[];
}

export const newLock = (resource: string): LockState => ({ resource, seq: 0, newest: 0, waiting: [] });
/**
 * Distance between the first grants of two pipelines: more than the attempts and rollbacks of one job need.
 */
export const SEQ_STRIDE = 1_000;

/** A job requests the lock, announces itself, or requests it after an announcement. */
export function requestLock(lock: LockState, request: LockRequest): LockChange {
  if (lock.holder && same(lock.holder, request))
    return { lock, replies: lock.granted ? [{ to: request, grant: lock.granted }] : [] };
  const index = lock.waiting.findIndex((other) => same(other, request));
  const known = lock.waiting[index];
  const waiting = [...lock.waiting];
  if (known) waiting.splice(index, 1);
  waiting.push({ ...request, ready: request.ready || (known?.ready ?? false) });
  return pump({ ...lock, waiting });
}

/** The holder is done, or a waiting job withdraws. */
export function releaseLock(lock: LockState, release: LockRelease): LockChange {
  const mine = (request: LockRequest): boolean =>
    request.job === release.job && request.pipeline === release.pipeline && request.runId === release.runId;
  const holds = lock.holder !== undefined && mine(lock.holder);
  const newest = holds && release.deployed ? Math.max(lock.newest, lock.holder?.iid ?? 0) : lock.newest;
  const next: LockState = { ...lock, newest, waiting: lock.waiting.filter((request) => !mine(request)) };
  return pump(holds ? { ...next, holder: undefined, granted: undefined } : next);
}

/**
 * A run of a pipeline has closed: all that it held or requested is free. Whether it deployed is unknown:
 * assume it did.
 */
export function dropRun(lock: LockState, run: { workflowId: string; runId: string }): LockChange {
  const mine = (request: LockRequest): boolean =>
    request.workflowId === run.workflowId && request.runId === run.runId;
  const next: LockState = { ...lock, waiting: lock.waiting.filter((request) => !mine(request)) };
  if (!lock.holder || !mine(lock.holder)) return pump(next);
  const newest = lock.holder.deployment ? Math.max(lock.newest, lock.holder.iid) : lock.newest;
  return pump({ ...next, newest, holder: undefined, granted: undefined });
}

/** Refuses outdated requests, then grants the lock to the next one if it is free. */
function pump(lock: LockState): LockChange {
  const outdated = lock.waiting.filter(
    (request) => request.deployment && !request.asked && request.iid < lock.newest,
  );
  const replies = outdated
    .filter((request) => request.ready)
    .map((to) => ({ to, grant: grantOf(to, { granted: false, reason: 'outdated', seq: lock.seq }) }));
  const waiting = lock.waiting.filter((request) => !outdated.includes(request));
  const next = lock.holder ? undefined : pick(waiting);
  if (!next) return { lock: { ...lock, waiting }, replies };
  const seq = Math.max(lock.seq + 2, Math.round(next.iid * SEQ_STRIDE));
  const granted = grantOf(next, { granted: true, seq });
  return {
    lock: { ...lock, seq, granted, holder: next, waiting: waiting.filter((request) => request !== next) },
    replies: [...replies, { to: next, grant: granted }],
  };
}

/**
 * Which request is next (GitLab, resource group process modes). unordered: first come, first served.
 * oldest_first and newest_first consider all jobs of the group that are still to come, and wait for the first
 * of them; newest_ready_first considers only jobs that wait already. Jobs of the same pipeline keep their
 * order of arrival.
 */
function pick(waiting: readonly LockRequest[]): LockRequest | undefined {
  const ready = waiting.filter((request) => request.ready);
  const first = ready[0];
  if (!first) return undefined;
  const oldest = (list: readonly LockRequest[]): number => Math.min(...list.map((request) => request.iid));
  const newest = (list: readonly LockRequest[]): number => Math.max(...list.map((request) => request.iid));
  switch (first.mode) {
    case 'unordered':
      return first;
    case 'oldest_first':
      return ready.find((request) => request.iid === oldest(waiting));
    case 'newest_first':
      return ready.find((request) => request.iid === newest(waiting));
    case 'newest_ready_first':
      return ready.find((request) => request.iid === newest(ready));
  }
}

const grantOf = (to: LockRequest, grant: Pick<LockGrant, 'granted' | 'reason' | 'seq'>): LockGrant => ({
  job: to.job,
  resource: to.resource,
  ...grant,
});
const same = (a: LockRequest, b: LockRequest): boolean =>
  a.job === b.job && a.pipeline === b.pipeline && a.runId === b.runId;
