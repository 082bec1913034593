import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PipelineStatus } from '../../../../src/plan/model/protocol.ts';
import { detailsText } from '../../../../src/plan/policy/details-text.ts';
import { keyword, keywords, summaryText } from '../../../../src/plan/policy/display-text.ts';

const bytes = (text: string): number => Buffer.byteLength(text);
const wild = fc.string({ unit: 'binary', maxLength: 700 });

describe('what goes into search attributes', () => {
  test('is at most 255 bytes a value and 2 KiB in sum, and never half a character', () => {
    fc.assert(
      fc.property(fc.array(wild, { maxLength: 40 }), (values) => {
        const list = keywords(values);
        expect(bytes(JSON.stringify(list))).toBeLessThan(2_048);
        for (const value of list) {
          expect(bytes(value)).toBeLessThanOrEqual(255);
          expect(value.isWellFormed() || !values.every((one) => one.isWellFormed())).toBe(true);
        }
      }),
    );
  });
  test('is unchanged when it is short, sorted and distinct', () => {
    expect(keyword('queue:arm32')).toBe('queue:arm32');
    expect(keywords(['gate', 'delay', 'gate'])).toEqual(['delay', 'gate']);
  });
  test('counts omitted values', () => {
    const list = keywords(Array.from({ length: 50 }, (_, at) => `queue:${at}-${'x'.repeat(100)}`));
    expect(list.at(-1)).toMatch(/^\+\d+ more$/);
  });
});

test('the summary names ref, commit and title on one short line', () => {
  expect(summaryText({ ref: 'main', sha: 'b'.repeat(40), title: 'Fix\nit' })).toBe('main bbbbbbbb Fix it');
  fc.assert(
    fc.property(wild, wild, (ref, title) => {
      expect(bytes(summaryText({ ref, sha: 'b'.repeat(40), title }))).toBeLessThanOrEqual(200);
    }),
  );
});

test("the details stay below Temporal's limit, for any number of jobs", () => {
  const job = (at: number): PipelineStatus['jobs'][number] => ({
    key: `job|${at}\n${'y'.repeat(300)}`,
    stage: 's',
    kind: 'script',
    phase: at % 2 ? 'created' : 'ended',
    allowedToFail: false,
    attempt: 0,
    epoch: 0,
    jobId: at,
    queue: 'amd64',
    since: 0,
    decisions: [],
  });
  const status: PipelineStatus = {
    id: 'p/1',
    number: 1,
    project: 'p',
    ref: 'main',
    sha: 'b',
    title: 't',
    source: 'push',
    state: 'running',
    warnings: [],
    startedAt: 0,
    waitingFor: ['gate'],
    jobs: Array.from({ length: 1_000 }, (_, at) => job(at)),
  };
  const text = detailsText(status);
  expect(bytes(text)).toBeLessThanOrEqual(18_000);
  expect(text).toContain('**running**');
});
