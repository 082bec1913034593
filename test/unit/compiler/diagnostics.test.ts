import { describe, expect, test } from 'vitest';
import { problemText } from '../../../src/compiler/problems.ts';
import { run } from './helpers.ts';

interface Found {
  code: string;
  at: string;
  message: string;
  hint: string | undefined;
}
function found(text: string): Found[] {
  const answer = run(text);
  if (answer.kind !== 'invalid') return [];
  return answer.problems.map((problem) => ({
    code: problem.code,
    at: `${problem.place?.line}:${problem.place?.column}`,
    message: problem.message,
    hint: problem.hint,
  }));
}

/** One mistake per file: its code, and its exact place. */
const CASES: [name: string, text: string, code: string, at: string, message: RegExp, hint?: RegExp][] = [
  [
    'a typo in a keyword of a job',
    'j:\n  image: x\n  scrpt: x\n  script: y',
    'language/unknown-keyword',
    '3:3',
    /has an unknown keyword "scrpt"/,
    /"script"/,
  ],
  [
    'a typo in a keyword of the file',
    'varables: {A: b}\nj: {image: x, script: y}',
    'language/unknown-keyword',
    '1:1',
    /"varables" is neither a keyword/,
    /"variables"/,
  ],
  [
    'a list where a job should be',
    'stags: [a]\nj: {image: x, script: y}',
    'language/unknown-keyword',
    '1:1',
    /not a list/,
    /"stages"/,
  ],
  [
    'a keyword in default that is none there',
    'default: {script: x}\nj: {image: x, script: y}',
    'language/unknown-keyword',
    '1:11',
    /default has an unknown keyword "script"/,
  ],
  [
    'a typo inside a keyword',
    'j: {image: {nmae: x, name: y}, script: z}',
    'language/unknown-keyword',
    '1:13',
    /image has an unknown key "nmae"/,
    /"name"/,
  ],
  [
    'a keyword that is refused',
    'j:\n  image: x\n  script: y\n  run: []',
    'language/refused',
    '4:3',
    /^run is refused: GitLab runs steps/,
    /as script/,
  ],
  [
    'a header that no content follows',
    'spec: {}\nj: {image: x, script: y}',
    'language/missing',
    '1:1',
    /^spec must be in a header/,
  ],
  [
    'a job that runs something and mirrors a pipeline',
    'j: {image: x, script: y, needs: [{pipeline: x}]}\nk: {image: x, script: y}',
    'language/conflict',
    '1:26',
    /cannot mirror a pipeline/,
  ],
  [
    'a report that there is not',
    'j: {image: x, script: y, artifacts: {reports: {junt: a.xml}}}',
    'language/unknown-keyword',
    '1:48',
    /artifacts.reports has an unknown key "junt"/,
    /junit/,
  ],
  [
    'an empty text as script',
    'j: {image: x, script: ""}',
    'language/type',
    '1:23',
    /script must not be empty/,
    /For example: script:/,
  ],
  [
    'a value that is not one of its options',
    'variables: {A: {value: c, options: [a, b]}}\nj: {image: x, script: x}',
    'language/type',
    '1:16',
    /variables.A must have a value that is one of its options/,
    /For example: variables:/,
  ],
  ['no script', 'j:\n  image: x', 'language/missing', '1:1', /"j" has no script/],
  ['an empty script', 'j: {image: x, script: []}', 'language/type', '1:23', /script must not be empty/],
  [
    'a map in a script',
    'j: {image: x, script: [echo: hello]}',
    'language/type',
    '1:24',
    /script\[0\] must be a string or a list, not a map/,
  ],
  ['a boolean in a script', 'j: {image: x, script: [yes]}', 'language/type', '1:24', /not the boolean true/],
  [
    'a wrong type',
    'j: {image: x, script: y, interruptible: maybe}',
    'language/type',
    '1:41',
    /interruptible must be true or false, not a string/,
  ],
  [
    'a wrong value',
    'j: {image: x, script: y, when: onsuccess}',
    'language/type',
    '1:32',
    /when must be "on_success"/,
    /"on_success"/,
  ],
  [
    'a bad duration',
    'j: {image: x, script: y, timeout: 5 parsecs}',
    'language/type',
    '1:35',
    /timeout must be a duration/,
  ],
  [
    'an unknown stage',
    'stages: [build]\nj: {image: x, script: y, stage: biuld}',
    'language/unknown-stage',
    '2:33',
    /"biuld"/,
    /"build"/,
  ],
  [
    'a default stage that is not in the list',
    'stages: [build]\nj: {image: x, script: y}',
    'language/unknown-stage',
    '2:1',
    /has no stage, so it is in "test"/,
    /build/,
  ],
  [
    'a bad regular expression',
    'j: {image: x, script: y, only: [a, /(?=x)/]}',
    'language/regex',
    '1:36',
    /not a valid regular expression/,
  ],
  [
    'a bad regular expression in the map form',
    'j: {image: x, script: y, except: {refs: ["/[/"]}}',
    'language/regex',
    '1:42',
    /not a valid regular expression/,
  ],
  [
    'a variable name that is not valid in a shell',
    'variables: {A-B: c}\nj: {image: x, script: y}',
    'language/type',
    '1:18',
    /A-B/,
  ],
  [
    'extends of nothing',
    '.base: {}\nj: {extends: .bsae, image: x, script: y}',
    'language/unknown-extends',
    '2:14',
    /"\.bsae"/,
    /"\.base"/,
  ],
  [
    'two kinds of work in one job',
    'stages: [a, b]\nk: {stage: a, build: {}}\nj: {stage: b, build: {}, push: {from: k, tags: a}}',
    'language/conflict',
    '3:26',
    /both build and push/,
  ],
  [
    'publish without pages',
    'j: {image: x, script: y, publish: a}',
    'language/conflict',
    '1:26',
    /pages: true/,
  ],
  [
    'variables in a cycle',
    'variables: {A: $B, B: $C, C: $A}\nj: {image: x, script: y}',
    'language/cycle',
    '2:1',
    /A -> B -> C -> A/,
  ],
];

describe('one mistake, its code, place and hint', () => {
  test.each(CASES)('%s', (_name, text, code, at, message, hint) => {
    const all = found(text);
    expect(all.map((one) => one.code)).toContain(code);
    const one = all.find((problem) => problem.code === code);
    expect(one).toMatchObject({ at, message: expect.stringMatching(message) });
    if (hint) expect(one?.hint).toMatch(hint);
    expect(all).toHaveLength(1);
  });
});

describe('all mistakes in one run', () => {
  const text = [
    'stages: [build]',
    'build:',
    '  stage: build',
    '  image: {nam: x}',
    '  script: [1]',
    '  artefacts: {}',
    '  timeout: never',
    '  needs: [tset, {job: x, artefacts: false}]',
    '  retry: 7',
  ].join('\n');
  test('each once, in the order of the file, with the source line', () => {
    const answer = run(text);
    if (answer.kind !== 'invalid') throw new Error('valid');
    expect(answer.problems.map((problem) => `${problem.place?.line} ${problem.code}`)).toEqual([
      '4 language/missing',
      '4 language/unknown-keyword',
      '5 language/type',
      '6 language/unknown-keyword',
      '7 language/type',
      '8 language/unknown-job',
      '8 language/unknown-job',
      '8 language/unknown-keyword',
      '9 language/type',
    ]);
    expect(answer.problems[0]?.sourceLine).toBe('  image: {nam: x}');
    expect(answer.problems.every((problem) => problem.hint)).toBe(true);
  });
  test('as one line each: place, message, code, hint', () => {
    const answer = run('j: {image: x, script: y, when: nevr}');
    if (answer.kind !== 'invalid' || !answer.problems[0]) throw new Error('valid');
    expect(problemText(answer.problems[0])).toMatch(
      /^\.gitlab-ci\.yml:1:32 when must be .* \[language\/type\] \(.*\)$/,
    );
  });
  test('an empty file', () =>
    expect(run('# nothing\n')).toMatchObject({ kind: 'invalid', problems: [{ code: 'language/missing' }] }));
  test('a file with templates only', () =>
    expect(run('.a: {script: x}')).toMatchObject({
      kind: 'invalid',
      problems: [{ code: 'language/missing' }],
    }));
  test('a file that is not a map', () =>
    expect(run('- a')).toMatchObject({ kind: 'invalid', problems: [{ code: 'language/type' }] }));
  test('a duplicate job is a warning of a plan', () => {
    expect(run('j: {image: x, script: y}\nj: {image: x, script: z}')).toMatchObject({
      kind: 'plan',
      warnings: [{ code: 'language/duplicate-key', severity: 'warning' }],
    });
  });
});
