import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dropRun,
  newLock,
  releaseLock,
  requestLock,
  type LockReply,
  type LockChange,
} from '../../../../src/plan/policy/grant-locks.ts';
import type { LockState, LockRelease, LockRequest } from '../../../../src/plan/model/locks.ts';

const ask = (iid: number, more: Partial<LockRequest> = {}): LockRequest => ({
  pipeline: `p/${iid}`,
  workflowId: `pipeline/p/${iid}`,
  runId: 'r',
  iid,
  job: 'deploy',
  resource: 'environment:prod',
  mode: 'unordered',
  deployment: true,
  ready: true,
  ...more,
});
const give = (iid: number, deployed = true): LockRelease => ({
  pipeline: `p/${iid}`,
  runId: 'r',
  job: 'deploy',
  resource: 'environment:prod',
  deployed,
});
/** Applies changes in order, and collects the messages. */
function play(changes: readonly ((lock: LockState) => LockChange)[]): { lock: LockState; said: string[] } {
  let lock = newLock('environment:prod');
  const replies: LockReply[] = [];
  for (const change of changes) {
    const next = change(lock);
    lock = next.lock;
    replies.push(...next.replies);
  }
  return {
    lock,
    said: replies.map(({ to, grant }) => `${to.iid} ${grant.granted ? 'granted' : grant.reason}`),
  };
}
const asks =
  (iid: number, more: Partial<LockRequest> = {}) =>
  (lock: LockState) =>
    requestLock(lock, ask(iid, more));
const gives =
  (iid: number, deployed = true) =>
  (lock: LockState) =>
    releaseLock(lock, give(iid, deployed));

describe('a lock', () => {
  test('has one holder; the next gets it when it is given back', () => {
    expect(play([asks(1), asks(2), gives(1)]).said).toEqual(['1 granted', '2 granted']);
  });
  test('lets a person deploy an older pipeline again, with a higher number', () => {
    const { said, lock } = play([asks(3), gives(3), asks(2, { asked: true }), gives(2), asks(2)]);
    expect(said).toEqual(['3 granted', '2 granted', '2 outdated']);
    expect(lock.seq).toBe(3_002);
    expect(play([asks(3), gives(3), asks(2, { asked: true }), gives(2), asks(4)]).said.at(-1)).toBe(
      '4 granted',
    );
  });
  test('refuses an older deployment once a newer one has changed the target, whenever it asked', () => {
    expect(play([asks(3), asks(2), gives(3)]).said).toEqual(['3 granted', '2 outdated']);
    expect(play([asks(3), gives(3), asks(2)]).said).toEqual(['3 granted', '2 outdated']);
  });
  test('lets an older deployment through when the newer one changed nothing', () => {
    expect(play([asks(3), asks(2), gives(3, false)]).said).toEqual(['3 granted', '2 granted']);
  });
  test('lets the same pipeline deploy again', () => {
    expect(play([asks(3), gives(3), asks(3)]).said).toEqual(['3 granted', '3 granted']);
  });
  test('repeats its grant when the holder asks again', () => {
    const { said, lock } = play([asks(1), asks(1), asks(2), asks(2)]);
    expect(said).toEqual(['1 granted', '1 granted']);
    expect(lock.waiting).toHaveLength(1);
  });
  test('is free after its holder has closed, and counts what that may have deployed', () => {
    const closed = (lock: LockState) => dropRun(lock, { workflowId: 'pipeline/p/3', runId: 'r' });
    expect(play([asks(3), asks(4), asks(2), closed]).said).toEqual(['3 granted', '2 outdated', '4 granted']);
  });
  test('does not take another run of the same pipeline for its holder', () => {
    const other = (lock: LockState) => dropRun(lock, { workflowId: 'pipeline/p/1', runId: 'other' });
    expect(play([asks(1), other]).lock.holder?.iid).toBe(1);
  });
});

describe('the process modes of a resource group', () => {
  const group = (mode: LockRequest['mode'], more: Partial<LockRequest> = {}) => ({
    mode,
    deployment: false,
    ...more,
  });
  test('unordered: first come, first served', () => {
    const mode = group('unordered');
    expect(play([asks(1, mode), asks(3, mode), asks(2, mode), gives(1), gives(3)]).said).toEqual([
      '1 granted',
      '3 granted',
      '2 granted',
    ]);
  });
  test('oldest_first: waits for the oldest, also if its turn has not come', () => {
    const mode = group('oldest_first');
    const soon = group('oldest_first', { ready: false });
    expect(play([asks(1, soon), asks(2, mode)]).said).toEqual([]);
    expect(play([asks(1, soon), asks(2, mode), asks(1, mode), gives(1)]).said).toEqual([
      '1 granted',
      '2 granted',
    ]);
    expect(play([asks(1, soon), asks(2, mode), gives(1)]).said).toEqual(['2 granted']);
  });
  test('newest_first: waits for the newest, also if its turn has not come', () => {
    const mode = group('newest_first');
    const soon = group('newest_first', { ready: false });
    expect(play([asks(3, soon), asks(2, mode)]).said).toEqual([]);
    expect(play([asks(3, soon), asks(2, mode), asks(3, mode), gives(3)]).said).toEqual([
      '3 granted',
      '2 granted',
    ]);
  });
  test('newest_ready_first: the newest of those that wait', () => {
    const mode = group('newest_ready_first');
    expect(play([asks(1, mode), asks(2, mode), asks(3, mode), gives(1), gives(3)]).said).toEqual([
      '1 granted',
      '3 granted',
      '2 granted',
    ]);
  });
});

test('any sequence of requests: one holder, rising numbers, never an older deployment over a newer one', () => {
  const actions = fc.array(
    fc.record({
      act: fc.constantFrom('ask', 'give', 'drop'),
      iid: fc.integer({ min: 1, max: 5 }),
      deployed: fc.boolean(),
      mode: fc.constantFrom<LockRequest['mode']>(
        'unordered',
        'oldest_first',
        'newest_first',
        'newest_ready_first',
      ),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(actions, (list) => {
      let lock = newLock('environment:prod');
      let seq = 0;
      let newest = 0;
      for (const { act, iid, deployed, mode } of list) {
        const held = lock.holder;
        const change =
          act === 'ask'
            ? requestLock(lock, ask(iid, { mode }))
            : act === 'give'
              ? releaseLock(lock, give(iid, deployed))
              : dropRun(lock, { workflowId: `pipeline/p/${iid}`, runId: 'r' });
        if (held?.iid === iid && (act === 'drop' || (act === 'give' && deployed)))
          newest = Math.max(newest, iid);
        const fresh = change.replies.filter(({ grant }) => grant.granted && grant.seq !== lock.granted?.seq);
        for (const { to, grant } of fresh) {
          expect(grant.seq).toBeGreaterThan(seq + (seq > 0 ? 1 : 0));
          expect(to.iid).toBeGreaterThanOrEqual(newest);
          seq = grant.seq;
        }
        expect(fresh.length).toBeLessThanOrEqual(1);
        lock = change.lock;
        expect(lock.waiting.some((other) => other.iid === lock.holder?.iid)).toBe(false);
      }
    }),
  );
});
