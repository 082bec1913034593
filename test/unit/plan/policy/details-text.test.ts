import { describe, expect, test } from 'vitest';
import type { JobStatus, PipelineStatus } from '../../../../src/plan/model/protocol.ts';
import { detailsText, startText } from '../../../../src/plan/policy/details-text.ts';
import { triggerOf } from '../../../support/plans.ts';

const job = (more: Partial<JobStatus>): JobStatus => ({
  key: 'unit',
  stage: 'test',
  kind: 'script',
  phase: 'running',
  allowedToFail: false,
  attempt: 1,
  epoch: 1,
  jobId: 1,
  queue: 'amd64',
  since: 0,
  decisions: [],
  ...more,
});
const status = (jobs: JobStatus[], more: Partial<PipelineStatus> = {}): PipelineStatus => ({
  id: 'shop/3',
  number: 1,
  project: 'shop',
  ref: 'main',
  sha: 'b',
  title: 't',
  source: 'push',
  state: 'running',
  warnings: [],
  startedAt: 0,
  waitingFor: [],
  jobs,
  ...more,
});
const noted = (...jobs: JobStatus[]): string[] =>
  detailsText(status(jobs))
    .split('\n')
    .filter((line) => line.startsWith('- '));

describe('the details begin with what a person has to know', () => {
  test('a gate: the command, who may, and until when', () => {
    const gate = { approvers: ['ops'], expiresAt: Date.UTC(2026, 10, 30, 12) };
    expect(noted(job({ key: 'deploy', phase: 'gate', waitingFor: 'gate', gate }))).toEqual([
      '- **deploy** waits for a person: davit approve shop/3 deploy (ops, until 2026-11-30 12:00 UTC)',
    ]);
  });
  test('a job without a worker', () => {
    expect(noted(job({ phase: 'dispatched', waitingFor: 'queue:arm32' }))).toEqual([
      '- **unit** waits for a worker on arm32',
    ]);
    expect(noted(job({ phase: 'dispatched', waitingFor: 'queue:host-h2', epoch: 2 }))).toEqual([
      '- **unit** waits for its machine to come back; was taken up again (dispatch 2 of attempt 1)',
    ]);
  });
  test('a job that is retried, and why', () => {
    const result = { outcome: 'failed', kind: 'script', exitCode: 3, started: true } as const;
    expect(noted(job({ attempt: 2, result }))).toEqual([
      '- **unit** attempt 2, after failed: script, exit code 3',
    ]);
  });
  test('a job that was taken up again', () => {
    expect(noted(job({ epoch: 2 }))).toEqual(['- **unit** was taken up again (dispatch 2 of attempt 1)']);
  });
  test('a job that failed, and none that goes its way', () => {
    const result = { outcome: 'failed', kind: 'out_of_memory', started: true } as const;
    const bad = job({ phase: 'ended', outcome: 'failed', result });
    expect(noted(bad)).toEqual(['- **unit** failed: out of memory']);
    expect(noted({ ...bad, allowedToFail: true }, job({}), job({ phase: 'created' }))).toEqual([]);
  });
  test('the state in words, and how far it is', () => {
    expect(detailsText(status([job({ phase: 'ended' }), job({})], { state: 'manual' }))).toMatch(
      /^\*\*waits for a person\*\*, 1 of 2 jobs have ended\n/,
    );
  });
});

test('what people wrote is text in the details', () => {
  const evil = '[here](http://evil) ![x](y) <b> `a` *c* \\';
  const text = detailsText(
    status([job({ key: evil, phase: 'dispatched', waitingFor: 'queue:x' })], { reason: evil }),
  );
  const begun = startText({
    id: 'shop/3',
    iid: 3,
    number: 7,
    trigger: triggerOf('shop', { title: evil, ref: evil, actor: evil }),
  });
  const escaped = '\\[here\\](http://evil) \\!\\[x\\](y) \\<b\\> \\`a\\` \\*c\\* \\\\';
  for (const shown of [text, begun]) {
    expect(shown).toContain(escaped);
    expect(shown).not.toContain(evil);
  }
});
