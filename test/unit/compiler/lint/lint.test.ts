/** Warnings of `davit lint`: each appears for its mistake, and in no correct file. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../support/source.ts';
import { run, type Overrides } from '../helpers.ts';

interface Warned {
  code: string;
  at: string;
  text: string;
}
function warned(text: string, more: Overrides = {}): Warned[] {
  const answer = run(text, { lint: true, files: ['README.md', 'dist/index.html'], ...more });
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  return problems.map(({ code, place, message, hint }) => ({
    code,
    at: `${place?.line}:${place?.column}`,
    text: `${message} ${hint}`,
  }));
}
const job = (rest: string): string => `j:\n  image: x\n  script: [x]\n${rest}`;
const script = (...lines: string[]): string =>
  `j:\n  image: x\n  script:\n${lines.map((line) => `    ${line}\n`).join('')}`;
const rule = (condition: string): string => job(`  rules:\n    - if: ${condition}\n`);

const VARIABLE = 'variables: {FF_USE_FASTZIP: "true", GIT_DEPTH: "5"}';
const WARNED: [name: string, text: string, code: string, at: string, words: RegExp][] = [
  ['a template that nothing uses', '.t: {image: x}\nj: {image: x, script: y}', 'unused', '1:1', /"\.t"/],
  [
    'a variable of the runner that changes nothing',
    `${VARIABLE}\n${job('')}`,
    'no-effect',
    '1:13',
    /FF_USE_FASTZIP/,
  ],
  [
    'such a variable of a job',
    job('  variables: {GIT_CLEAN_FLAGS: none, GIT_STRATEGY: none}'),
    'no-effect',
    '4:15',
    /nothing to clean/,
  ],
  ['one whose anchor nothing uses', '.t: &t {image: x}\nj: {image: x, script: y}', 'unused', '1:1', /"\.t"/],
  [
    'a rule after one that holds whenever it does',
    job(
      '  rules:\n    - if: $CI_COMMIT_BRANCH\n    - if: $CI_COMMIT_BRANCH == "main"\n      when: manual\n      allow_failure: true',
    ),
    'unreachable',
    '6:7',
    /rule 1 already matches/,
  ],
  [
    'the same condition twice',
    job('  rules:\n    - if: $A == "1" && $B\n      when: never\n    - if: $A  ==  "1"  && $B'),
    'unreachable',
    '7:7',
    /rule 1/,
  ],
  ['one value and another', rule('$A == "x" && $A == "y"'), 'unreachable', '5:11', /"x" and "y" at once/],
  ['set and not set', rule('$A && $A == null'), 'unreachable', '5:11', /null/],
  ['fixed values that differ', rule(`'"a" == "b"'`), 'unreachable', '5:11', /fixed values/],
  [
    'branch and tag',
    rule('$CI_COMMIT_BRANCH == "main" && $CI_COMMIT_TAG'),
    'unreachable',
    '5:11',
    /tags only/,
  ],
  [
    'a branch in a merge request',
    rule('$CI_PIPELINE_SOURCE == "merge_request_event" && $CI_COMMIT_BRANCH =~ /^f/'),
    'unreachable',
    '5:11',
    /merge request pipelines/,
  ],
  ['each of two ways', rule('$A == "x" && $A == "y" || "a" == "b"'), 'unreachable', '5:11', /fixed/],
  [
    'a source that there is not',
    rule('$CI_PIPELINE_SOURCE == "merge_request"'),
    'misspelt',
    '5:11',
    /merge_request_event/,
  ],
  ['a tag as a source', rule('$CI_PIPELINE_SOURCE == "tag"'), 'misspelt', '5:11', /\$CI_COMMIT_TAG/],
  ['a variable of later', rule('$CI_COMMIT_SHA && $CI_PIPELINE_ID'), 'never-set', '5:29', /CI_PIPELINE_ID/],
  [
    'a rule that sees a variable of its job',
    job('  variables: {DEPLOY: "yes"}\n  rules:\n    - if: $DEPLOY == "yes"'),
    'changed-rule',
    '6:11',
    /\$DEPLOY is "yes" \(the job\)/,
  ],
  [
    'a rule that stops the pipeline',
    job('  rules:\n    - when: manual'),
    'blocking',
    '5:13',
    /allow_failure: true/,
  ],
  ['a predefined variable', script('- echo $CI_COMIT_SHA'), 'misspelt', '4:13', /"CI_COMMIT_SHA"/],
  [
    'one in braces, in a block',
    script('- |', '  echo a', '  echo ${CI_PIPELINE_SUORCE}'),
    'misspelt',
    '6:14',
    /"CI_PIPELINE_SOURCE"/,
  ],
  ['one in the image', 'j: {image: $CI_REGISTRY_IMGE, script: x}', 'misspelt', '1:13', /"CI_REGISTRY_IMAGE"/],
  ['one in a condition', rule('$CI_COMMIT_BRANCHH'), 'misspelt', '5:12', /"CI_COMMIT_BRANCH"/],
  ['a word of only', 'j: {image: x, script: x, only: [main, tag]}', 'misspelt', '1:39', /"tags"/],
  [
    'one with letters changed',
    'j: {image: x, script: x, except: {refs: [scheduels]}}',
    'misspelt',
    '1:42',
    /"schedules"/,
  ],
  ['commands folded by >', script('- >', '  echo one', '  echo two'), 'folded', '6:7', /"echo two"/],
  [
    'by > without a list',
    'j:\n  image: x\n  script: >-\n    npm ci\n    npm test\n',
    'folded',
    '5:5',
    /"npm test"/,
  ],
  ['by no sign at all', script('- docker build -t a .', '  docker push a'), 'folded', '5:7', /docker push/],
  [
    'by none, below the keyword',
    'j:\n  image: x\n  script:\n    cd app\n    make all\n',
    'folded',
    '5:5',
    /make all/,
  ],
  [
    'an item of a list that is indented too deep',
    script('- echo one', '  - echo two'),
    'folded',
    '5:7',
    /indented too deep/,
  ],
  ['below a comment', script('- >', '  # first', '  make all'), 'folded', '6:7', /a comment/],
  [
    'in a part of a block',
    script('- >', '  npm ci', '', '  go vet ./...', '  go test ./...'),
    'folded',
    '8:7',
    /go test/,
  ],
  [
    'in before_script',
    job('  before_script:\n    - >\n      apt-get update\n      apt-get install -y git\n'),
    'folded',
    '7:7',
    /install/,
  ],
  [
    'an artifact that nothing writes',
    'j:\n  image: x\n  script: [mkdir -p out, echo hi > out/a.txt]\n  artifacts:\n    paths: [out/, outptu.txt]',
    'never-written',
    '5:19',
    /outptu\.txt/,
  ],
];

/** Correct, or not known to be wrong. */
const SILENT: [name: string, text: string][] = [
  ['a template that is extended', '.t: {image: x}\nj: {extends: .t, script: y}'],
  ['by one that is hidden', '.a: {image: x}\n.b: {extends: [.a]}\nj: {extends: .b, script: y}'],
  ['one that is referred to', '.t: {script: [y]}\nj: {image: x, script: [!reference [.t, script], z]}'],
  ['one that is aliased', '.t: &t {image: x}\nj: {<<: *t, script: y}'],
  ['one of which a part is aliased', '.t:\n  script: &s [a]\nj: {image: x, script: *s}'],
  [
    'rules that differ',
    job('  rules:\n    - if: $A\n      changes: [a]\n    - if: $A\n    - if: $B == "x"\n    - if: $B == "y"'),
  ],
  ['not the same is not never', rule('$A != "x" && $A != "y"')],
  ['one of two', rule('$A == "x" || $A == "y"')],
  [
    'a pattern that matches nothing too',
    rule('$CI_PIPELINE_SOURCE == "merge_request_event" && $CI_COMMIT_BRANCH =~ /.*/'),
  ],
  ['a tag or a branch', rule('$CI_COMMIT_BRANCH || $CI_COMMIT_TAG')],
  ['a manual rule with allow_failure', job('  rules:\n    - when: manual\n      allow_failure: false')],
  ['a manual job', job('  when: manual')],
  [
    'a variable that the file sets',
    `variables: {DEPLOY: a}\n${job('  variables: {DEPLOY: b}\n  rules:\n    - if: $DEPLOY')}`,
  ],
  ['a name near to none', script('- echo $CI_DEPLOY_KEY $CI_MY_THING')],
  ['one that the file sets', `variables: {CI_COMIT_SHA: x}\n${script('- echo $CI_COMIT_SHA')}`],
  ['one that the script sets', script('- export CI_JOB_NAMES=x', '- echo $CI_JOB_NAMES')],
  [
    'branches of ordinary names',
    'j: {image: x, script: x, only: [main, app, pages, stage, test, release, chart, push, merge_request]}',
  ],
  ['a command over several lines', script('- >', '  docker build', '  --pull -t a', '  .')],
  ['one joined by &&', script('- >', '  npm ci &&', '  npm test')],
  ['one that begins the next line by it', script('- >', '  npm ci', '  && npm test')],
  [
    'a list of packages',
    script('- >', '  apt-get install -y', '  make g++', '  curl git', '  python3 nodejs'),
  ],
  ['a command that takes a command', script('- >', '  docker run --rm image', '  npm test')],
  ['after two dashes', script('- >', '  poetry run --', '  go test ./...')],
  ['a loop', script('- >', '  for a in b c; do', '  echo $a;', '  done')],
  ['a quoted text', script('- >', '  echo "make', '  echo two"')],
  ['words of an echo', script('- >', '  echo please call', '  npm install to go on')],
  ['lines that stay apart', script('- |', '  echo one', '  echo two')],
  ['lines that are indented deeper', script('- >', '  make', '    make all')],
  ['blank lines between', script('- >', '  npm ci', '', '  npm test')],
  ['a flow list over lines', 'j:\n  image: x\n  script: [\n    echo a,\n    echo b]\n'],
  ['an artifact of a program', 'j: {image: x, script: [make], artifacts: {paths: [out]}}'],
  ['one that the source has', 'j: {image: x, script: [echo a], artifacts: {paths: [dist]}}'],
  ['one below a folder', 'j: {image: x, script: [cd sub, touch a.txt], artifacts: {paths: [sub/a.txt]}}'],
  ['one by a variable', 'j: {image: x, script: ["echo a > $OUT"], artifacts: {paths: [out.txt]}}'],
  [
    'one of an earlier job',
    'a: {stage: build, image: x, script: [make], artifacts: {paths: [b.txt]}}\nj: {image: x, script: [cat b], artifacts: {paths: [c.txt]}}',
  ],
];

describe('reported', () => {
  test.each(WARNED)('%s', (_name, text, code, at, words) => {
    const found = warned(text);
    expect(found.map((one) => `${one.code} ${one.at}`)).toEqual([`language/${code} ${at}`]);
    expect(found[0]?.text).toMatch(words);
    expect(run(text).kind, 'only lint says so').not.toBe('invalid');
  });
});

describe('not reported', () => {
  test.each(SILENT)('%s', (_name, text) => expect(warned(text)).toEqual([]));

  const folders = [
    'test/fixtures/pipelines',
    ...readdirSync(join(ROOT, 'examples')).map((name) => `examples/${name}`),
  ];
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.yml'))
      .map((name) => `${folder}/${name}`),
  );
  test.each(files)('%s', (path) => {
    const included = Object.fromEntries(
      files
        .filter((other) => other !== path)
        .map((other) => [other, readFileSync(join(ROOT, other), 'utf8')]),
    );
    const found = warned(readFileSync(join(ROOT, path), 'utf8'), {
      included,
      defaultImage: 'x',
      targets: ['tablemaster', 'local-swarm'],
    });
    expect(found.filter((one) => one.code !== 'language/no-worker')).toEqual([]);
  });

  test('templates of a file that is included', () => {
    const included = { 'a.yml': '.t: {image: x}\n.u: {image: y}' };
    expect(warned('include: a.yml\nj: {extends: .t, script: x}', { included })).toEqual([]);
  });
});
