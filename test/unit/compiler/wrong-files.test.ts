/** Typical mistakes, and what is reported: the place, the message, the hint. */
import { describe, expect, test } from 'vitest';
import { problemText } from '../../../src/compiler/problems.ts';
import { run } from './helpers.ts';

const JOB = 'j:\n  image: x\n  script: x\n';
const WRONG: [name: string, text: string, ...told: RegExp[]][] = [
  ['a stage', `${JOB}  stage: tset`, /^\.gitlab-ci\.yml:4:10 .*Did you mean "test"/],
  ['a stage of its own list', `stages: [build]\n${JOB}  stage: biuld`, /:5:10 .*Did you mean "build"/],
  ['a job in needs', `${JOB}  needs: [build:ap]\nbuild:app: {image: x, script: x}`, /:4:11 .*"build:app"/],
  ['a template', `${JOB}  extends: .bsae\n.base: {image: x}`, /:4:12 .*"\.base"/],
  ['a value', `${JOB}  artifacts: {when: alway, paths: [a]}`, /:4:21 .*not "alway".*"always"/],
  [
    'a reason of retry',
    `${JOB}  retry: {max: 1, when: script_failur}`,
    /:4:25 .*not "script_failur".*"script_failure"/,
  ],
  ['a colon in a line of a script', 'j:\n  image: x\n  script:\n    - echo "a: b"', /:4:7 .*in quotes/],
  ['a global keyword', `defualt: {image: x}\n${JOB}`, /:1:1 .*Did you mean "default"/],
  ['a boolean in quotes', `${JOB}  interruptible: "true"`, /:4:18 .*without quotes/],
  ['an operator', `${JOB}  rules:\n    - if: $A = "b"`, /:5:14 .*operators are ==/],
  ['a text without quotes', `${JOB}  rules:\n    - if: $A == b`, /:5:17 .*quotes/],
  ['a platform', 'j: {build: {platforms: [arm46]}}', /:1:25 .*"arm64"/],
  [
    'a reference',
    `.a: {script: [b]}\nj:\n  image: x\n  script: [!reference [.a, scrpt]]`,
    /must not be empty/,
    /:4:28 .*"script"/,
  ],
  [
    'a cycle',
    'a: {image: x, script: x, needs: [b]}\nb: {image: x, script: x, needs: [a]}',
    /:1:26 .*a -> b -> a/,
  ],
];

describe('is reported', () => {
  test.each(WRONG)('%s', (_name, text, ...reported) => {
    const answer = run(text);
    const problems = answer.kind === 'invalid' ? answer.problems : [];
    const lines = problems.filter((one) => one.severity === 'error').map(problemText);
    expect(lines).toHaveLength(reported.length);
    for (const [at, words] of reported.entries()) expect(lines[at]).toMatch(words);
  });

  test('mistakes in an included file, also through an anchor, are reported where they are written', () => {
    const included = {
      'a.yml':
        '.t: &t\n  image: x\n  retry: 7\n  when: on_sucess\nb:\n  <<: *t\n  script: y\n  tmeout: 3 min\n',
    };
    const answer = run(`include: a.yml\n${JOB}`, { included });
    const problems = answer.kind === 'invalid' ? answer.problems : [];
    expect(
      problems.map(({ place, sourceLine }) => [place?.file, place?.line, place?.column, sourceLine]),
    ).toEqual([
      ['a.yml', 3, 10, '  retry: 7'],
      ['a.yml', 4, 9, '  when: on_sucess'],
      ['a.yml', 8, 3, '  tmeout: 3 min'],
    ]);
  });
});
