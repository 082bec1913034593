import { describe, expect, test } from 'vitest';
import {
  emptyMemory,
  MAX_KEYS,
  newerThan,
  isWanted,
  knownTrigger,
  deliveryWaits,
  rememberKey,
  rememberLate,
  superseded,
  waitingSince,
} from '../../../../src/plan/policy/memory.ts';
import type { RunningPipeline } from '../../../../src/plan/model/project-memory.ts';
import { triggerOf } from '../../../support/plans.ts';
import { pushOf as push, startedBy as started } from '../../../support/project-memory.ts';

describe('an event', () => {
  test('is new once', () => {
    const memory = emptyMemory();
    expect(knownTrigger(memory, push('b', 'a', 'd1'), 'arrives')).toBe('new');
    rememberKey(memory, { key: push('b', 'a', 'd1').key, state: 'queued' }, 'd1');
    expect(knownTrigger(memory, push('b', 'a', 'd2'), 'arrives')).toBe('repeated');
    expect(knownTrigger(memory, push('b', 'a', 'd1'), 'begins')).toBe('new');
  });
  test('that is delivered again is dropped', () => {
    expect(knownTrigger(started(push('b', 'a', 'd1')), push('b', 'a', 'd1'), 'arrives')).toBe('repeated');
  });
  test('of a known key by another delivery is dropped while the head is that commit', () => {
    expect(knownTrigger(started(push('b', 'a', 'd1')), push('b', 'a', 'd2'), 'arrives')).toBe('repeated');
  });
  test('of a known key by another delivery is asked about when the head has moved since', () => {
    const memory = started(push('b', 'a', 'd1'), push('c', 'b', 'd2'));
    expect(knownTrigger(memory, push('b', 'a', 'd3'), 'arrives')).toBe('ask');
  });
  test('of CLI or API with a known request id is always dropped', () => {
    const memory = emptyMemory();
    const request = triggerOf('p', { source: 'cli', key: 'request:1', deliveryId: 'x' });
    rememberKey(memory, { key: request.key, state: 'started' }, 'x');
    expect(knownTrigger(memory, { ...request, deliveryId: 'y' }, 'arrives')).toBe('repeated');
  });
  test('of an older commit is wanted if it is pushed back, or if a person asks for it', () => {
    const memory = started(push('c', 'b', 'd2'));
    expect(isWanted(memory, push('b', 'a', 'late'))).toBe(false);
    expect(isWanted(memory, push('b', 'c', 'forced'))).toBe(true);
    expect(isWanted(memory, { ...push('b', 'a', 'run'), source: 'cli' })).toBe(true);
  });
  test('of a commit below one that was only run from a working tree is wanted', () => {
    const memory = started(push('b', 'a', 'd1'), { ...push('d', 'c', 'run'), source: 'cli' });
    expect(isWanted(memory, push('c', 'b', 'd2'))).toBe(true);
  });
  test('that arrives after the one that followed it is late', () => {
    const memory = started(push('c', 'b', 'd2'));
    expect(newerThan(memory, push('b', 'a', 'd1'))?.pipeline).toBe('p/1');
    expect(newerThan(memory, push('d', 'c', 'd3'))).toBeUndefined();
  });
});

test('pushes that arrive in the wrong order are sorted by when they were made, however many', () => {
  const memory = started(push('x', 'w', 'd0'), push('d', 'c', 'd1'));
  const late = [push('c', 'b', 'd2'), push('b', 'a', 'd3')].map((trigger) => {
    const newer = newerThan(memory, trigger);
    rememberLate(memory, trigger);
    return newer;
  });
  expect(late.map((newer) => newer?.pipeline)).toEqual(['p/2', 'p/2']);
  const [first = 0, second = 0] = late.map((newer) => newer?.order ?? 0);
  expect([1 < second, second < first, first < 2]).toEqual([true, true, true]);
});

test('memory is bounded, and the oldest key goes first', () => {
  const memory = emptyMemory();
  for (let at = 0; at <= MAX_KEYS; at += 1) rememberKey(memory, { key: `k${at}`, state: 'started' }, 'd');
  expect(memory.keys).toHaveLength(MAX_KEYS);
  expect(memory.keys[0]?.key).toBe('k1');
});

test('a push supersedes running pushes of its branch, and nothing else', () => {
  const run = (iid: number, more: Partial<RunningPipeline> = {}): RunningPipeline => ({
    id: `p/${iid}`,
    runId: 'r',
    ref: 'main',
    refKind: 'branch',
    source: 'push',
    iid,
    ...more,
  });
  const memory = {
    ...emptyMemory(),
    running: [
      run(1),
      run(2, { ref: 'other' }),
      run(3, { source: 'cli' }),
      run(4, { refKind: 'tag', source: 'tag' }),
    ],
  };
  expect(superseded(memory, triggerOf('p')).map((other) => other.id)).toEqual(['p/1']);
  for (const source of ['cli', 'api', 'web', 'schedule', 'tag'] as const)
    expect(superseded(memory, triggerOf('p', { source }))).toEqual([]);
});

test('the longest waiting trigger is known, wherever in the queue it is', () => {
  const memory = emptyMemory();
  expect(waitingSince(memory)).toBeNull();
  for (const receivedAt of [70, 30, 50]) memory.queue.push(triggerOf('p', { receivedAt }));
  expect(waitingSince(memory)).toBe(30);
});

test('a delivery of the same ref that waits is decided before what the reconciler found', () => {
  const reconciled = { ref: 'refs/heads/main', after: 'b' };
  const found = { ...push('b', 'a', 'reconcile:1'), reconciled };
  const waits = (other: object): boolean =>
    deliveryWaits({ ...emptyMemory(), queue: [found, { ...push('c', 'b', 'd1'), ...other }] }, found);
  expect(waits({})).toBe(true);
  expect(waits({ ref: 'dev' })).toBe(false);
  expect(waits({ source: 'api' })).toBe(false);
  expect(waits({ reconciled })).toBe(false);
});
