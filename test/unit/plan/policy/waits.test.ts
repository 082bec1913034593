import { describe, expect, test } from 'vitest';
import type { JobPhase } from '../../../../src/plan/model/protocol.ts';
import { SEARCHES, pipelineLink, searchLink } from '../../../../src/plan/policy/temporal-links.ts';
import {
  allWaitsOf,
  isStill,
  searchWords,
  WAITS_FOR_PLAN,
  waitsOf,
  withoutGroups,
} from '../../../../src/plan/policy/waits.ts';

const job = (phase: JobPhase, waitingFor?: string, allowFailure = false) => ({
  spec: { allowFailure },
  status: { phase, ...(waitingFor !== undefined && { waitingFor }) },
});

describe('what a pipeline waits for', () => {
  test('is what its jobs wait for whose turn has come, once each', () => {
    const jobs = [
      job('created', 'needs:unit'),
      job('dispatched', 'slots'),
      job('dispatched', 'queue:arm32'),
      job('dispatched', 'queue:arm32'),
      job('running'),
      job('gate', 'gate'),
    ];
    expect(waitsOf(jobs)).toEqual(['queue:arm32', 'gate']);
  });
  test('is no manual job that nobody has to play', () => {
    const jobs = [job('manual', 'manual', true)];
    expect([waitsOf(jobs), allWaitsOf(jobs)]).toEqual([[], ['manual']]);
    expect(waitsOf([job('manual', 'manual')])).toEqual(['manual']);
  });
});

describe('a pipeline stands still', () => {
  test.each([
    [true, [job('gate', 'gate'), job('created', 'needs:deploy'), job('ended')]],
    [true, [job('dispatched', 'queue:arm32'), job('waiting_for_resource', 'lock:prod')]],
    [false, [job('gate', 'gate'), job('running')]],
    [false, [job('gate', 'gate'), job('dispatched')]],
    [false, [job('gate', 'gate'), job('dispatched', 'slots')]],
    [false, [job('running', 'downstream:shop/3')]],
    [false, [job('created'), job('ended')]],
    [false, [job('manual', 'manual', true), job('ended')]],
    [true, [job('manual', 'manual')]],
    [false, []],
  ])('%s: %j', (still, jobs) => expect(isStill(jobs)).toBe(still));
});

describe('the search attribute', () => {
  test('has a word for each group, which no number of kinds cuts off', () => {
    expect(searchWords(['lock:prod', 'delay'], false)).toEqual(['delay', 'lock:prod']);
    expect(searchWords(['gate'], true)).toEqual(['person', 'nothing-runs', 'gate']);
    const many = Array.from({ length: 100 }, (_, at) => `queue:tag-${at}-${'x'.repeat(60)}`);
    const words = searchWords([...many, 'manual'], true);
    expect(words.slice(0, 3)).toEqual(['person', 'worker', 'nothing-runs']);
    expect(Buffer.byteLength(JSON.stringify(words))).toBeLessThan(2_048);
  });
  test('gives the kinds back without the groups', () => {
    expect(withoutGroups(searchWords(['gate', 'queue:arm32'], true))).toEqual(['gate', 'queue:arm32']);
    expect(withoutGroups(WAITS_FOR_PLAN)).toEqual(['plan']);
  });
});

describe("a link into Temporal's UI", () => {
  const ui = { address: 'https://temporal.example.com/', namespace: 'davit' };
  test('names a pipeline in one part of the path', () => {
    expect(pipelineLink(ui, 'table/3')).toBe(
      'https://temporal.example.com/namespaces/davit/workflows/pipeline%2Ftable%2F3',
    );
  });
  test('has the query in a form that every program passes on', () => {
    const link = searchLink(ui, SEARCHES.still.query);
    expect(link).toMatch(/^[\x21-\x7e]+$/);
    expect(new URL(link).searchParams.get('query')).toBe(SEARCHES.still.query);
  });
});
