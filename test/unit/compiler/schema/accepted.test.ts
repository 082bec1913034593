import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../../../src/plan/model/duration.ts';
import { job, keysOf, mistakes, variable } from '../helpers.ts';

/** What GitLab accepts and what it refuses, where other implementations often differ. */
const JOB = 'a: {script: x}\n';
const refuses = (text: string): string => mistakes(text)[0] ?? 'taken';

describe('durations', () => {
  it.each([
    ['one week', 604_800],
    ['week', 604_800],
    ['twenty five minutes', 1_500],
    ['1h30', 3_630],
    ['1 day, 3 hours', 97_200],
    ['2 hrs and 20 min', 8_400],
    ['1 hour plus 1 minute with 1 sec', 3_661],
    ['1:30:00', 5_400],
    ['3:14', 194],
    ['1.5 Hours', 5_400],
    ['90', 90],
  ])('%s', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds * 1_000);
  });

  it.each(['', '7 elephants', 'soon', '5 6 minutes', '1h h', '-1 day', 'and'])('%j is invalid', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('a bare number without quotes is refused, and so is nothing at all', () => {
    for (const value of ['3600', '1:30:00', '"0"', '0 sec'])
      expect(refuses(`a: {script: x, timeout: ${value}}`)).toMatch(/^language\/type 1:25 timeout must be/);
    expect(refuses('a: {script: x, artifacts: {paths: [p], expire_in: 0 min}}')).toContain('or a duration');
    expect(job('a: {script: x, artifacts: {paths: [p], expire_in: Never}}', 'a').spec).not.toHaveProperty(
      'run.artifacts.expireInMs',
    );
  });
});

describe('empty values in keywords count as absent', () => {
  it.each([
    'artifacts: {paths: , exclude: , untracked: , expire_in: , name: , public: , access: , reports: }',
    'artifacts: {reports: {junit: , dotenv: }}',
    'cache: {key: , paths: [p], policy: , when: , untracked: , unprotect: , fallback_keys: }',
    'retry: {max: , when: }',
    'only: {refs: [main], changes: }',
    'image: {name: i, entrypoint: , pull_policy: }',
    'services: [{name: s, alias: , command: }]',
    'environment: {name: e, url: , on_stop: , auto_stop_in: }',
    'extends: ',
  ])('%s', (keyword) => {
    expect(keysOf(`a: {script: x, ${keyword}}`)).toEqual(['a']);
  });

  it('but not if they have a meaning, or are items of a list', () => {
    expect(keysOf('a: {script: x, rules: [{if: }]}')).toEqual(['a']);
    expect(refuses('a: {script: x, parallel: {matrix: [{A: }]}}')).not.toBe('taken');
    expect(refuses('a: {script: x, artifacts: {paths: [ ~ ]}}')).not.toBe('taken');
    expect(refuses('a: {script: x, image: {name: }}')).toContain('image.name is missing');
  });
});

describe('needs', () => {
  it('may be one map, or lists in the list', () => {
    const needed = (text: string) =>
      job(`${JOB}b: {script: x}\nc: {script: x, needs: ${text}}`, 'c').job.needs;
    expect(needed('{job: a, artifacts: false}')).toEqual([{ job: 'a', artifacts: false, optional: false }]);
    expect(needed('[[a], [[b]]]')?.map((need) => need.job)).toEqual(['a', 'b']);
  });

  it('name a job once', () => {
    for (const needs of ['[a, a]', '[a, {job: a, artifacts: false}]'])
      expect(refuses(`${JOB}b: {script: x, needs: ${needs}}`)).toContain('must not name "a" twice');
    expect(refuses(`${JOB}b: {script: x, rules: [{needs: [a, a]}]}`)).toContain('must not name "a" twice');
  });

  it('several of one matrix are different', () => {
    const text = `a: {script: x, parallel: {matrix: [{V: [p, q, r]}]}}
b:
  script: x
  needs: [{job: a, parallel: {matrix: [{V: p}]}}, {job: a, parallel: {matrix: [{V: q}]}}]`;
    expect(job(text, 'b').job.needs?.map((need) => need.job)).toEqual(['a: [p]', 'a: [q]']);
  });
});

describe('names of jobs', () => {
  it.each(['on', 'yes', 'off', '10', '1.5', '0x1F', '~'])('%s without quotes is not a string', (name) => {
    expect(refuses(`${name}: {script: x}`)).toContain('a job name must be a string');
    expect(keysOf(`"${name}": {script: x}`)).toEqual([name]);
  });

  it('y and n are text', () => {
    expect(keysOf('y: {script: x}\nn: {script: x}')).toEqual(['y', 'n']);
  });
});

describe('refused where GitLab refuses', () => {
  it.each([
    ['rules: []', 'rules must not be empty'],
    ['only: {}', 'only must not be empty'],
    ['artifacts: {access: all, public: true}', 'artifacts.public cannot be used together with access'],
    ['environment: {name: e, auto_stop_in: 5}', 'environment.auto_stop_in must be a string'],
    ['timeout: 3 months', 'timeout must not be more than one month'],
    [
      `tags: [${Array.from({ length: 50 }, (_, index) => `t${index}`).join()}]`,
      'tags must have fewer than 50 entries',
    ],
  ])('%s', (keyword, message) => {
    expect(refuses(`a: {script: x, ${keyword}}`)).toContain(message);
  });
});

it('auto_stop_in of a variable that is not set leaves the environment standing', () => {
  const compiled = job('a: {script: x, environment: {name: e, auto_stop_in: $DAYS}}', 'a');
  expect(compiled.job.environment).not.toHaveProperty('autoStopInMs');
});

it('retry:when accepts every reason of GitLab, and a workflow may have an empty name', () => {
  const text = 'workflow: {name: ""}\na: {script: x, retry: {max: 1, when: [missing_dependency_failure]}}';
  expect(job(text, 'a').job.retry.when).toEqual(['missing_dependency_failure']);
});

it('an empty cache key is the name of job and ref', () => {
  const compiled = job('a: {script: x, cache: {key: "", paths: [p]}}', 'a');
  expect(JSON.stringify(compiled.spec)).toContain('"key":"a/main"');
});

describe('a variable that refers to itself', () => {
  const value = (text: string, name: string, more = {}) => variable(job(text, 'a', more), name);

  it('stays as written if the name has no other meaning', () => {
    const text = 'a: {script: x, variables: {TOKEN: $TOKEN, DIRS: "${DIRS}:/opt"}}';
    expect(value(text, 'TOKEN')).toBe('$TOKEN');
    expect(value(text, 'DIRS')).toBe('${DIRS}:/opt');
  });

  it('has the value that it overrides; variables of the file replace each other', () => {
    const text =
      'variables: {V: global}\na: {script: x, variables: {V: $V-job, CI_COMMIT_REF_NAME: on-$CI_COMMIT_REF_NAME}}';
    expect(value(text, 'CI_COMMIT_REF_NAME')).toBe('on-main');
    expect(value(text, 'V')).toBe('$V-job');
  });

  it('has lower precedence than a variable of the project', () => {
    const variables = [
      { name: 'TOKEN', value: { literal: 'theirs' }, masked: false, file: false, from: 'project' as const },
    ];
    expect(value('a: {script: x, variables: {TOKEN: $TOKEN}}', 'TOKEN', { project: { variables } })).toBe(
      'theirs',
    );
  });

  it('but two that refer to each other are a cycle', () => {
    expect(refuses('a: {script: x, variables: {A: $B, B: $A}}')).toContain('A -> B -> A');
  });
});

it('!reference of a whole template that is a list', () => {
  const text = `.main:
  - if: $CI_COMMIT_BRANCH == "main"
    when: manual
.steps: [one, [two]]
a:
  rules:
    - !reference [.main]
    - when: never
  script: !reference [.steps]`;
  expect(job(text, 'a').job.when).toBe('manual');
  expect(JSON.stringify(job(text, 'a').spec)).toContain('["one","two"]');
});

it.each([
  ['0.00001', '1.0e-05'],
  ['0.0001', '0.0001'],
  ['-0.25e-6', '-2.5e-07'],
  ['12345678901234567.5', '1.2345678901234568e+16'],
  ['1.50', '1.5'],
  ['2.', '2.0'],
])('a variable of %s is %s, as Ruby prints it', (written, text) => {
  expect(variable(job(`a: {script: x, variables: {V: ${written}}}`, 'a'), 'V')).toBe(text);
});

it('scripts and stages are nested in ten lists at most', () => {
  const lists = (count: number): string => `${'['.repeat(count)}x${']'.repeat(count)}`;
  for (const [count, taken] of [
    [10, true],
    [11, false],
  ] as const) {
    expect(refuses(`a: {script: ${lists(count)}}`) === 'taken').toBe(taken);
    expect(refuses(`stages: ${lists(count)}\na: {stage: x, script: x}`) === 'taken').toBe(taken);
  }
});

it.each(['2020-01-31', '2020-1-5', '2001-12-14t21:59:43.10-05:00', '2001-12-14 21:59:43 Z'])(
  '%s is a date, which GitLab refuses without quotes',
  (date) => {
    expect(refuses(`a: {script: x}\nvariables:\n  D: ${date}`)).toContain('without quotes is a date');
    expect(keysOf(`a: {script: x}\nvariables: {D: "${date}"}`)).toEqual(['a']);
  },
);

it('text that only looks like a date', () => {
  for (const text of ['2021-02-30', '2020-01', '20200131', '2020-01-31-rc1', 'v2020-01-31'])
    expect(variable(job(`a: {script: x, variables: {V: ${text}}}`, 'a'), 'V')).toBe(text);
});
