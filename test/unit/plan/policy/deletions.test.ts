import { describe, expect, test } from 'vitest';
import {
  emptyMemory,
  headOf,
  knownTrigger,
  pushedHead,
  rememberHead,
  rememberKey,
} from '../../../../src/plan/policy/memory.ts';
import {
  applyDeletions,
  MAX_REPEATED,
  rememberDeletion,
  rememberRepeated,
} from '../../../../src/plan/policy/deletions.ts';
import type { ProjectMemory } from '../../../../src/plan/model/project-memory.ts';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import { triggerOf } from '../../../support/plans.ts';
import { pushOf as push, startedBy as started } from '../../../support/project-memory.ts';

describe('a deleted ref', () => {
  const main = { refKind: 'branch' as const, ref: 'main' };
  const tag = (sha: string, object: string, delivery: string) =>
    triggerOf('p', {
      key: `push:refs/tags/v1:0:${object}`,
      sha,
      before: '0',
      deliveryId: delivery,
      ref: 'v1',
      refKind: 'tag',
      source: 'tag',
    });

  test('is forgotten, so that the same event is asked about', () => {
    const memory = started(push('b', 'a', 'd1'));
    rememberDeletion(memory, { ...main, before: 'b' });
    expect([headOf(memory, main), pushedHead(memory, main)]).toEqual([undefined, undefined]);
    expect(knownTrigger(memory, push('b', 'a', 'd1'), 'arrives')).toBe('repeated');
    expect(knownTrigger(memory, push('b', 'a', 'd2'), 'arrives')).toBe('ask');
  });
  test('is forgotten where the forge does not say what it pointed at', () => {
    const memory = started(push('b', 'a', 'd1'));
    rememberDeletion(memory, main);
    expect([headOf(memory, main), pushedHead(memory, main)]).toEqual([undefined, undefined]);
  });
  test('is not forgotten if it has moved since', () => {
    const memory = started(push('b', 'a', 'd1'), push('c', '0', 'd2'));
    rememberDeletion(memory, { ...main, before: 'b' });
    expect(headOf(memory, main)?.sha).toBe('c');
    expect(pushedHead(memory, main)?.sha).toBe('c');
  });
  test('keeps the head that a person has run from a working tree', () => {
    const memory = started(push('b', 'a', 'd1'), { ...push('d', 'b', 'run'), source: 'cli' });
    rememberDeletion(memory, { ...main, before: 'b' });
    expect([headOf(memory, main)?.sha, pushedHead(memory, main)]).toEqual(['d', undefined]);
  });
  test('is an annotated tag whose object the event names', () => {
    const memory = started(tag('b', 'object-1', 'd1'));
    rememberDeletion(memory, { refKind: 'tag', ref: 'v1', before: 'object-0' });
    expect(headOf(memory, { refKind: 'tag', ref: 'v1' })?.sha).toBe('b');
    rememberDeletion(memory, { refKind: 'tag', ref: 'v1', before: 'object-1' });
    expect(headOf(memory, { refKind: 'tag', ref: 'v1' })).toBeUndefined();
    expect(knownTrigger(memory, tag('b', 'object-1', 'd2'), 'arrives')).toBe('ask');
  });
  test('is forgotten after the push that arrived before the deletion', () => {
    const memory = emptyMemory();
    memory.queue.push(push('b', 'a', 'd1'));
    rememberDeletion(memory, { ...main, before: 'b' });
    memory.queue.shift();
    rememberKey(memory, { key: push('b', 'a', 'd1').key, state: 'started', pipeline: 'p/1' }, 'd1');
    rememberHead(memory, push('b', 'a', 'd1'), 'p/1');
    applyDeletions(memory, 'another key');
    expect(headOf(memory, main)?.sha).toBe('b');
    applyDeletions(memory, push('b', 'a', 'd1').key);
    expect([headOf(memory, main), memory.deletions]).toEqual([undefined, []]);
  });
});

describe('a push that is delivered before the deletion that it follows', () => {
  const main = { refKind: 'branch' as const, ref: 'main', before: 'b' };
  const made = push('b', '0', 'd1');
  const again = push('b', '0', 'd2');
  const repeated = (...triggers: Trigger[]): ProjectMemory => {
    const memory = started(made);
    for (const one of triggers) rememberRepeated(memory, one);
    return memory;
  };

  test('is decided again after it, once', () => {
    const memory = repeated(again, again);
    expect(rememberDeletion(memory, { ...main, deliveryId: 'gone' })).toEqual([again]);
    expect(knownTrigger(memory, again, 'begins')).toBe('ask');
    expect(rememberDeletion(memory, main)).toEqual([]);
  });
  test('is the last of several', () => {
    expect(rememberDeletion(repeated(again, push('b', '0', 'd3')), main)).toEqual([push('b', '0', 'd3')]);
  });
  test('is decided after the push that waits before both', () => {
    const memory = emptyMemory();
    memory.queue.push(made);
    rememberKey(memory, { key: made.key, state: 'queued' }, 'd1');
    rememberRepeated(memory, again);
    expect(rememberDeletion(memory, main)).toEqual([]);
    memory.queue.shift();
    rememberKey(memory, { key: made.key, state: 'started', pipeline: 'p/1' }, 'd1');
    rememberHead(memory, made, 'p/1');
    expect(applyDeletions(memory, made.key)).toEqual([again]);
  });
  test.each([
    ['the same delivery', made],
    ['a push that continues a branch', push('b', 'a', 'd2')],
    ['a request of a person', { ...again, source: 'api' as const }],
    ['what the reconciler found', { ...again, reconciled: { ref: 'refs/heads/main', after: 'b' } }],
    ['a push of another branch', { ...again, ref: 'dev' }],
    ['a push of another commit', push('c', '0', 'd2')],
  ])('is not %s', (_, other) => {
    expect(rememberDeletion(repeated(other), main)).toEqual([]);
  });
  test('is not decided by a deletion that was seen before', () => {
    const memory = started(made);
    rememberDeletion(memory, { ...main, deliveryId: 'gone' });
    rememberHead(memory, made, 'p/2');
    rememberRepeated(memory, again);
    expect(rememberDeletion(memory, { ...main, deliveryId: 'gone' })).toEqual([]);
    expect(headOf(memory, main)?.sha).toBe('b');
  });
  test('is an annotated tag', () => {
    const tag = (deliveryId: string): Trigger =>
      triggerOf('p', {
        ...{ key: 'push:refs/tags/v1:0:object', sha: 'b', before: '0', deliveryId },
        ...{ ref: 'v1', refKind: 'tag', source: 'tag' },
      });
    const memory = started(tag('d1'));
    rememberRepeated(memory, tag('d2'));
    const gone = { refKind: 'tag' as const, ref: 'v1', before: 'object' };
    expect(rememberDeletion(memory, gone)).toEqual([tag('d2')]);
  });
  test('is not a merge request', () => {
    const memory = started(made);
    rememberRepeated(memory, { ...again, source: 'merge_request' });
    expect(memory.repeated).toBeUndefined();
  });
  test('is compared with the last deletions only', () => {
    const memory = emptyMemory();
    for (let at = 0; at < 1_000; at += 1) rememberDeletion(memory, { ...main, deliveryId: `d${at}` });
    expect(memory.deletionIds?.length).toBeLessThan(500);
    expect(memory.deletionIds?.at(-1)).toContain('d999');
  });
  test('is one of few that are kept', () => {
    const memory = emptyMemory();
    for (let at = 0; at < MAX_REPEATED + 5; at += 1) rememberRepeated(memory, { ...again, ref: `b${at}` });
    expect(memory.repeated).toHaveLength(MAX_REPEATED);
    expect(memory.repeated?.at(-1)?.ref).toBe(`b${MAX_REPEATED + 4}`);
  });
});
