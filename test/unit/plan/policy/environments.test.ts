import { describe, expect, test } from 'vitest';
import {
  withStopRequest,
  changeEnvironment,
  dueAt,
  MAX_ENVIRONMENTS,
  nextStop,
  stopNow,
  stopOfRef,
  stopWithPipeline,
  markStopped,
} from '../../../../src/plan/policy/environments.ts';
import type { EnvironmentChange, EnvironmentState } from '../../../../src/plan/model/environments.ts';

const release = (name: string, environment: EnvironmentChange, iid = 1) => ({
  pipeline: `table/${iid}` as const,
  runId: 'r',
  job: 'deploy',
  resource: `environment:${name}`,
  deployed: true,
  environment,
});
const start = (more: Partial<EnvironmentChange> = {}): EnvironmentChange => ({ action: 'start', ...more });
const review = changeEnvironment([], release('review', start({ autoStopInMs: 100, onStop: 'stop' })), 1_000);

describe('what a project knows of its environments', () => {
  test('a deployment sets the time to stop, another one sets it again or removes it', () => {
    expect(nextStop(review)).toBe(1_100);
    const again = changeEnvironment(review, release('review', start({ autoStopInMs: 100 }), 2), 1_050);
    expect(nextStop(again)).toBe(1_150);
    expect(again[0]).not.toHaveProperty('onStop');
    expect(nextStop(changeEnvironment(review, release('review', start(), 2), 1_050))).toBeUndefined();
  });
  test('a successful stop ends it, and a missing environment cannot be stopped', () => {
    const after = changeEnvironment(review, release('review', { action: 'stop' }), 1_200);
    expect(after).toMatchObject([{ state: 'stopped', since: 1_200 }]);
    expect(nextStop(after)).toBeUndefined();
    expect(changeEnvironment([], release('x', { action: 'stop' }), 1)).toEqual([]);
  });
  test('an environment that belongs to a pipeline is stopped with it, once', () => {
    const own = changeEnvironment(
      review,
      release('own', start({ onStop: 'stop', withPipeline: true }), 7),
      1_000,
    );
    expect(stopWithPipeline(own, 'table/1', 2_000)).toBeUndefined();
    const due = stopWithPipeline(own, 'table/7', 2_000) ?? [];
    expect(dueAt(due, 4_000).map((one) => one.name)).toEqual(['review', 'own']);
    expect(dueAt(due, 3_999).map((one) => one.name)).toEqual(['review']);
    const begun = withStopRequest(due, 'own', false, 4_000);
    expect(stopWithPipeline(begun, 'table/7', 5_000)).toBeUndefined();
    const gone = changeEnvironment(own, release('own', { action: 'stop' }, 7), 1_500);
    expect(stopWithPipeline(gone, 'table/7', 2_000)).toBeUndefined();
  });
  test('a person stops it now, a stopped one not again', () => {
    const now = stopNow(review, 'review', 'ada', 1_010);
    expect(now && dueAt(now, 1_010)).toMatchObject([{ name: 'review', stoppedBy: 'ada' }]);
    expect(stopNow(markStopped(review, 'review', 1), 'review', 'ada', 2)).toBeUndefined();
    expect(stopNow(review, 'other', 'ada', 2)).toBeUndefined();
  });
  test('what was deployed from a ref stops when the ref is gone, and nothing else', () => {
    const from = (ref: string, change: EnvironmentChange, name: string) => ({
      ...release(name, change),
      ref,
    });
    let list: EnvironmentState[] = [];
    list = changeEnvironment(list, from('branch:a', start({ onStop: 'stop' }), 'review/a'), 1_000);
    list = changeEnvironment(list, from('branch:b', start({ onStop: 'stop' }), 'review/b'), 1_000);
    list = changeEnvironment(list, from('branch:a', start(), 'without a job'), 1_000);
    list = changeEnvironment(list, from('branch:a', start({ onStop: 'stop' }), 'later'), 3_000);
    list = changeEnvironment(list, release('of an earlier version', start({ onStop: 'stop' })), 1_000);
    const gone = { refKind: 'branch', ref: 'a', at: 2_000 } as const;
    const stopping = stopOfRef(list, gone, 2_500) ?? [];
    expect(dueAt(stopping, 2_500).map((one) => one.name)).toEqual(['review/a']);
    expect(stopOfRef(list, { ...gone, refKind: 'merge_request' }, 2_500)).toBeUndefined();
    const begun = withStopRequest(stopping, 'review/a', true, 2_500);
    expect(stopOfRef(begun, gone, 2_600)).toBeUndefined();
  });
  test('an open pipeline is asked repeatedly, with growing pauses; a closed one once', () => {
    let list: EnvironmentState[] = review;
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      list = withStopRequest(list, 'review', true, 0);
      waits.push((nextStop(list) ?? 0) / 60_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(list[0]?.state).toBe('stopping');
    expect(nextStop(withStopRequest(list, 'review', false, 0))).toBeUndefined();
  });
  test('the list is bounded, and stopped environments are dropped first', () => {
    let list: EnvironmentState[] = [];
    for (let n = 0; n < MAX_ENVIRONMENTS; n += 1)
      list = changeEnvironment(list, release(`e${n}`, start()), n);
    list = changeEnvironment(list, release('e3', { action: 'stop' }), 1_000);
    list = changeEnvironment(list, release('one more', start()), 1_001);
    expect(list).toHaveLength(MAX_ENVIRONMENTS);
    expect(list.some((one) => one.name === 'e3')).toBe(false);
    list = changeEnvironment(list, release('another', start()), 1_002);
    expect(list.some((one) => one.name === 'e0')).toBe(false);
  });
});
