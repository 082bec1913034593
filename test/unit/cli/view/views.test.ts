import { LateWarnings } from '../../../../src/cli/view/late-warnings.ts';
import { OWN_LINE } from '../../../../src/plan/model/log-mark.ts';
import { describe, expect, test } from 'vitest';
import { countText, problemsText } from '../../../../src/cli/view/problems-view.ts';
import { statusText } from '../../../../src/cli/view/status-view.ts';
import { table } from '../../../../src/cli/view/table.ts';
import { jobCell, verdictOf } from '../../../../src/cli/view/status-labels.ts';
import { quoted, waitingText } from '../../../../src/plan/policy/waiting-text.ts';
import { FINAL_STATES, type JobStatus, type PipelineStatus } from '../../../../src/plan/model/protocol.ts';

const job = (change: Partial<JobStatus>): JobStatus => ({
  key: 'unit',
  stage: 'test',
  kind: 'script',
  phase: 'created',
  allowedToFail: false,
  attempt: 1,
  epoch: 1,
  jobId: 1,
  queue: 'amd64',
  since: 0,
  decisions: [],
  ...change,
});
const pipeline = (change: Partial<PipelineStatus>): PipelineStatus => ({
  id: 'table/3',
  number: 3,
  project: 'table',
  ref: 'main',
  sha: 'a'.repeat(40),
  title: 'A change',
  source: 'cli',
  state: 'running',
  warnings: [],
  startedAt: 0,
  waitingFor: [],
  jobs: [],
  ...change,
});
const view = { color: false, now: 5_000 };

describe('tables', () => {
  test('columns are aligned, also with wide characters and colours', () => {
    const text = table(
      ['A', 'B'],
      [
        ['漢字', 'x'],
        [{ text: 'a', paint: 'red' }, 'y'],
      ],
      false,
    );
    expect(text).toBe('A     B\n漢字  x\na     y\n');
    expect(table(['A'], [[{ text: 'a', paint: 'red' }]], true)).toContain('\u001b[31ma\u001b[39m');
  });
  test('an untrusted cell cannot control the terminal and stays one line', () => {
    expect(table(['A'], [['x\u001b[2J\ny']], true)).toContain('x y\n');
  });
});

test('the warnings of jobs are shown with those of the pipeline, and cannot control the terminal', () => {
  const result = {
    outcome: 'succeeded',
    started: true,
    endedAt: 1,
    warnings: ['no place for milestones\u001b[2J'],
  } as const;
  const text = statusText(
    pipeline({
      warnings: ['of the file'],
      jobs: [job({ key: 'rel', result: { ...result, warnings: [...result.warnings] } })],
    }),
    view,
  );
  expect(text).toContain('! of the file\n! rel: no place for milestones\n');
});

test('a warning from after the end of a log is added to it, once', () => {
  const warnings = ['no place for milestones', 'in the log already'];
  const result = { outcome: 'succeeded', started: true, endedAt: 1, warnings } as const;
  const { jobs } = pipeline({ jobs: [job({ key: 'rel', attempt: 2, result: { ...result, warnings } })] });
  const late = new LateWarnings();
  late.push('WARNING: in the log');
  late.push(' already\n');
  expect(late.lines({ jobs }, { job: 'rel' })).toBe(`${OWN_LINE}WARNING: no place for milestones\n`);
  expect(late.lines({ jobs }, { job: 'rel', attempt: 2 })).not.toBe('');
  expect(late.lines({ jobs }, { job: 'rel', attempt: 1 })).toBe('');
  expect(late.lines({ jobs }, { job: 'other' })).toBe('');
});

describe('a source that could not be read', () => {
  test('is not called an error of the file', () => {
    const text = (cause?: 'source') =>
      statusText(pipeline({ state: 'config_error', ...(cause && { cause }) }), view);
    expect(text('source')).toContain('the source could not be read');
    expect(text()).toContain('the file has errors');
  });
});

describe('what a job waits for', () => {
  test.each([
    [{ phase: 'gate', waitingFor: 'gate', key: 'deploy prod' }, "gate: davit approve table/3 'deploy prod'"],
    [
      { phase: 'gate', waitingFor: 'gate', gate: { approvers: ['ops', 'ada'], expiresAt: 60_000 } },
      'gate: davit approve table/3 unit (ops or ada, until 1970-01-01 00:01 UTC)',
    ],
    [
      { phase: 'gate', waitingFor: 'gate', gate: { approvers: [], expiresAt: 0 } },
      'gate: davit approve table/3 unit (operator, until 1970-01-01 00:00 UTC)',
    ],
    [{ phase: 'manual' }, 'davit play table/3 unit'],
    [{ phase: 'dispatched', waitingFor: 'queue:arm32' }, 'waits for a worker on arm32'],
    [{ phase: 'dispatched', waitingFor: 'queue:tag-gpu' }, 'waits for a worker with the tag gpu'],
    [{ phase: 'dispatched', waitingFor: 'queue:host-1' }, 'waits for its machine to come back'],
    [{ phase: 'waiting_for_resource', waitingFor: 'lock:prod' }, 'waits for the lock of prod'],
    [{ phase: 'created', waitingFor: 'needs:build: [arm32]' }, 'waits for build: [arm32]'],
    [{ phase: 'created', waitingFor: 'stage:build' }, 'waits for stage build'],
    [{ phase: 'ended', outcome: 'succeeded', waitingFor: 'gate' }, undefined],
  ] as const)('%j', (change, text) => expect(waitingText('table/3', job(change))).toBe(text));

  test('an allowed failure is not red', () => {
    expect(jobCell(job({ phase: 'ended', outcome: 'failed', allowedToFail: true }))).toMatchObject({
      paint: 'yellow',
    });
    expect(jobCell(job({ phase: 'ended', outcome: 'failed' }))).toMatchObject({ paint: 'red' });
  });
  test('an argument is printed as a shell reads it', () => {
    expect(quoted("it's")).toBe(`'it'\\''s'`);
    expect(quoted('build:a')).toBe('build:a');
  });
});

describe('one pipeline', () => {
  test('shows gates, playable jobs, decisions and reasons, and none of them controls the terminal', () => {
    const text = statusText(
      pipeline({
        title: 'evil \u001b]0;x\u0007title\nsecond line',
        reason: 'cancelled by somebody',
        jobs: [
          job({ key: 'deploy', phase: 'gate', waitingFor: 'gate' }),
          job({ key: 'tidy', phase: 'manual' }),
          job({
            key: 'unit',
            phase: 'ended',
            outcome: 'failed',
            result: {
              outcome: 'failed',
              message: 'exit code 3',
              started: true,
              startedAt: 0,
              endedAt: 4_000,
            },
            decisions: [
              { action: 'retry', job: 'unit', actor: 'ada', role: 'operator', at: 0, comment: 'again' },
            ],
          }),
        ],
      }),
      view,
    );
    expect(text).toContain('evil title second line');
    expect(text).toContain('cancelled by somebody');
    expect(text).toContain('davit approve table/3 deploy');
    expect(text).toContain('davit play table/3 tidy');
    expect(text).toMatch(/unit +failed +4 s +exit code 3/);
    expect(text).toContain('ada (operator): retry unit 1970-01-01T00:00:00Z "again"');
    expect(text).not.toContain('\u001b');
  });
  test('decisions are listed in the order of their time, for any order of jobs', () => {
    const decided = (key: string, at: number): JobStatus =>
      job({ key, decisions: [{ action: 'play', job: key, actor: 'ada', role: 'operator', at }] });
    const text = statusText(pipeline({ jobs: [decided('late', 2_000), decided('early', 1_000)] }), view);
    expect(text.indexOf('play early')).toBeLessThan(text.indexOf('play late'));
  });
  test('says where its page is', () => {
    const page = 'https://ci.test/pipelines/table/1';
    expect(statusText(pipeline({}), { ...view, page })).toContain(`\n  ${page}\n`);
  });
  test('a cancelled one says so once', () => {
    const text = statusText(pipeline({ state: 'canceled', reason: 'cancelled' }), view);
    expect(text.match(/cancelled/g)).toHaveLength(1);
  });
  test('its verdict is the exit code', () => {
    const codes = Object.fromEntries(FINAL_STATES.map((state) => [state, verdictOf({ state })]));
    expect(codes).toEqual({ success: 0, skipped: 0, failed: 1, canceled: 1, config_error: 2 });
  });
});

test('a problem has its place, its line with a caret, its code and a hint', () => {
  const text = problemsText(
    [
      {
        code: 'language/unknown-keyword',
        message: 'there is no keyword "scirpt"',
        place: { file: '.gitlab-ci.yml', line: 12, column: 3 },
        sourceLine: '  scirpt: [x]',
        hint: 'Did you mean script?',
        severity: 'error',
      },
    ],
    false,
  );
  expect(text).toBe(
    `.gitlab-ci.yml:12:3: error: there is no keyword "scirpt" [language/unknown-keyword]
  12 |   scirpt: [x]
     |   ^
      → Did you mean script?
`,
  );
  expect(countText([])).toBe('');
});
