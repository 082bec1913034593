/** `davit lint` says nothing that another job, another machine or another line would disprove, and says each thing once. */
import { describe, expect, test } from 'vitest';
import { run, type Overrides } from '../helpers.ts';

function warned(text: string, code: string, more: Overrides = {}): string[] {
  const answer = run(text, { lint: true, ...more });
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  return problems
    .filter((problem) => problem.code === `language/${code}`)
    .map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
}
const job = (name: string, rest: string): string => `${name}: {image: x, script: x, ${rest}}\n`;

describe('a rule in a list that jobs share', () => {
  const SHARED = '.r: {rules: [{if: $A}, {if: $A == "1"}, {when: never}]}\n';
  test('is not reported where one of them reaches it', () => {
    const text = `.s: &s [{if: $A == "1"}, {if: $B}]\n${job('a', 'rules: [{if: $A}, *s]')}${job('b', 'rules: *s')}`;
    expect(warned(text, 'unreachable')).toEqual([]);
    expect(warned(text.replace('rules: *s', 'rules: [{if: $A}, *s]'), 'unreachable')).toEqual([
      expect.stringMatching(/^1:9 this rule is never reached, because rule 1 already/),
    ]);
  });
  test('nor after a rule without condition that only one of them has', () => {
    const text = `.s: &s [{if: $B}]\n${job('a', 'rules: [{when: always}, *s]')}${job('b', 'rules: *s')}`;
    expect(warned(text, 'unreachable')).toEqual([]);
    expect(warned(text.split('\n').slice(0, 2).join('\n'), 'unreachable')).toEqual([
      expect.stringMatching(/^1:9 rules of "a": this rule is never reached, because rule 1 always/),
    ]);
  });
  test('is one warning for all of them, by whatever way they share it', () => {
    const by = (...ways: string[]): string =>
      SHARED + ways.map((way, index) => job(`j${index}`, way)).join('');
    const ways = [
      'extends: .r',
      'extends: .r',
      'rules: [!reference [.r, rules]]',
      'rules: !reference [.r, rules]',
    ];
    expect(warned(by(...ways), 'unreachable')).toHaveLength(1);
    const manual = by('extends: .r', 'extends: .r').replace('{if: $A}', '{if: $A, when: manual}');
    expect(warned(manual, 'blocking')).toHaveLength(1);
  });
});

describe('a name that only this machine does not know', () => {
  test.each(['artifacts: {paths: [$BUILD_DIR/out]}', 'cache: {paths: [$BUILD_DIR/out]}'])(
    'in a path: %s',
    (keys) => {
      expect(warned(job('j', keys), 'path')).toEqual([]);
      expect(warned(job('j', keys.replace('$BUILD_DIR', '')), 'path')).toHaveLength(1);
      expect(warned(job('j', keys), 'path', { lint: false })).toHaveLength(1);
    },
  );
  test('in a policy, in a duration', () => {
    expect(warned(job('j', 'cache: {paths: [a], policy: $POLICY}'), 'type')).toEqual([]);
    expect(warned(job('j', 'environment: {name: e, auto_stop_in: "$DAYS days"}'), 'type')).toEqual([]);
  });
});

describe('a misspelt name', () => {
  test.each([
    ['in a comparison', job('j', `rules: [{if: '$CI_COMIT_BRANCH == "main"'}]`)],
    ['in a pattern', job('j', `rules: [{if: '$CI_COMIT_BRANCH =~ /x/'}]`)],
    ['in only', job('j', `only: {variables: ['$CI_COMIT_BRANCH == "main"']}`)],
    ['in workflow', `workflow: {rules: [{if: '$CI_COMIT_BRANCH == "main"'}]}\n${job('j', 'stage: test')}`],
    ['in a test of the shell', 'j: {image: x, script: [\'[ "$CI_COMIT_BRANCH" = main ] || exit 1\']}'],
    [
      'in an include',
      `include: [{local: a.yml, rules: [{if: '$CI_COMIT_BRANCH == "x"'}]}]\n${job('j', 'stage: test')}`,
    ],
  ])('%s', (_, text) => {
    const found = warned(text, 'misspelt', { included: { 'a.yml': '{}' } });
    expect(found.join()).toContain('nothing sets $CI_COMIT_BRANCH');
  });
  test.each([
    [
      'set in the file',
      `variables: {CI_COMIT_BRANCH: x}\n${job('j', `rules: [{if: '$CI_COMIT_BRANCH == "x"'}]`)}`,
    ],
    ['set by the script', 'j: {image: x, script: ["CI_COMIT_BRANCH=x; echo $CI_COMIT_BRANCH"]}'],
    ['with a default of its own', 'j: {image: x, script: ["echo ${CI_COMIT_BRANCH:-x}"]}'],
    ['read by the script', 'j: {image: x, script: ["read -r CI_COMIT_BRANCH; echo $CI_COMIT_BRANCH"]}'],
  ])('not one that is %s', (_, text) => expect(warned(text, 'misspelt')).toEqual([]));
});

describe('variables without effect', () => {
  test('are one warning a file and reason', () => {
    const text = `variables:
  KUBERNETES_CPU_LIMIT: "1"
  KUBERNETES_MEMORY_LIMIT: 1Gi
  FF_A: "1"
${job('a', 'variables: {KUBERNETES_CPU_REQUEST: "1", KUBERNETES_POD: x, KUBERNETES_MORE: y}')}`;
    expect(warned(text, 'no-effect')).toEqual([
      '2:3 KUBERNETES_CPU_LIMIT, KUBERNETES_MEMORY_LIMIT, KUBERNETES_CPU_REQUEST and 2 more have no effect: davit runs jobs on Docker engines',
      "4:3 FF_A has no effect: feature flags of GitLab's runner have no meaning in davit",
    ]);
  });
  test('an included file has its own', () => {
    const included = { 'a.yml': 'variables: {KUBERNETES_A: x}' };
    const text = `include: a.yml\n${job('j', 'variables: {KUBERNETES_B: x}')}`;
    expect(warned(text, 'no-effect', { included })).toHaveLength(2);
  });
});

describe('a release that starts the next one', () => {
  const release = (tag: string, more = '', before = '') =>
    warned(`${before}${job('rel', `release: {tag_name: "${tag}", description: d}${more}`)}`, 'release-loop');
  test('is found where each pipeline has another tag, and runs for tags', () => {
    const text = expect.stringContaining('"rel" also runs in the pipeline of the tag that it makes');
    for (const tag of ['v1.$CI_PIPELINE_IID', 'b${CI_PIPELINE_ID}', '$CI_JOB_ID'])
      expect(release(tag)).toEqual([text]);
    expect(release('v$CI_PIPELINE_IID', ', rules: [{when: always}]')).toEqual([text]);
    expect(release('v$CI_PIPELINE_IID', ', rules: [{if: $A}, {when: on_success}]')).toEqual([text]);
    expect(release('v$CI_PIPELINE_IID', '', 'workflow: {rules: [{when: always}]}\n')).toEqual([text]);
  });
  test.each([
    ['one tag for a commit', 'v$CI_COMMIT_SHORT_SHA', ''],
    ['the tag of its own pipeline', '$CI_COMMIT_TAG', ''],
    ['a rule that leaves tags out', 'v$CI_PIPELINE_IID', ', rules: [{if: $CI_COMMIT_TAG == null}]'],
    ['a rule that may do so', 'v$CI_PIPELINE_IID', ', rules: [{if: $A, when: never}, {when: always}]'],
    ['only branches', 'v$CI_PIPELINE_IID', ', only: [branches]'],
    ['a person who starts it', 'v$CI_PIPELINE_IID', ', when: manual'],
    ['a person who starts it by a rule', 'v$CI_PIPELINE_IID', ', rules: [{when: manual}]'],
  ])('is not with %s', (_name, tag, more) => {
    expect(release(tag, more)).toEqual([]);
  });
  test('nor where the workflow leaves tags out', () => {
    expect(release('v$CI_PIPELINE_IID', '', 'workflow: {rules: [{if: $CI_COMMIT_BRANCH}]}\n')).toEqual([]);
  });
});
