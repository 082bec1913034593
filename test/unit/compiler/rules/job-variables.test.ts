/** Conditions see the variables of their job, in the order in which the job itself gets them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsNeeded } from '../../../../src/compiler/changes-needed.ts';
import { PREDEFINED } from '../../../../src/compiler/variables/predefined-names.ts';
import { jobs, keysOf, request, run, variable, type Overrides } from '../helpers.ts';

const BEFORE = 'b'.repeat(40);
const pushed = (...files: string[]): Overrides => ({ trigger: { before: BEFORE }, changed: { '': files } });
const j = (keys: string): string => `j: {image: x, script: x, ${keys}}`;
const when = (condition: string): string => `rules: [{if: '${condition}'}]`;

describe('rules see', () => {
  test.each([
    ['the job', j(`variables: {D: "yes"}, ${when('$D == "yes"')}`)],
    ['the job, above the file', `variables: {D: f}\n${j(`variables: {D: "yes"}, ${when('$D == "yes"')}`)}`],
    ['a template', `.t: {variables: {D: "yes"}}\n${j(`extends: .t, ${when('$D == "yes"')}`)}`],
    ['a trigger job', `j: {trigger: {include: c.yml}, variables: {D: "yes"}, ${when('$D == "yes"')}}`],
    ['the name of the environment', j(`environment: prod, ${when('$CI_ENVIRONMENT_NAME == "prod"')}`)],
    [
      'its name with a variable of the job',
      j(`variables: {E: prod}, environment: $E, ${when('$CI_ENVIRONMENT_NAME == "prod"')}`),
    ],
    [
      'its action',
      j(`environment: {name: p, action: verify}, ${when('$CI_ENVIRONMENT_ACTION == "verify"')}`),
    ],
    ['its tier', j(`environment: {name: live}, ${when('$CI_ENVIRONMENT_TIER == "production"')}`)],
    [
      'its address as written',
      j(`environment: {name: p, url: "http://$X"}, ${when('$CI_ENVIRONMENT_URL == "http://$X"')}`),
    ],
    ['the name of the job', j(when('$CI_JOB_NAME == "j" && $CI_JOB_STAGE == "test"'))],
    ['other forms of its name', j(when('$CI_JOB_NAME_SLUG == "j" && $CI_JOB_GROUP_NAME == "j"'))],
    ['that it is manual', j(`when: manual, ${when('$CI_JOB_MANUAL == "true"')}`)],
    ['that it is alone', j(when('$CI_NODE_TOTAL == "1" && $CI_NODE_INDEX == null'))],
  ])('%s', (_, text) => expect(keysOf(text, { included: { 'c.yml': j('stage: test') } })).toEqual(['j']));

  test('each job of a matrix its own values', () => {
    const text = j(`parallel: {matrix: [{A: [x, y]}]}, ${when('$A == "y"')}`);
    expect(keysOf(text)).toEqual(['j: [y]']);
  });
  test('the number of a parallel job and its name', () => {
    expect(keysOf(j(`parallel: 3, ${when('$CI_NODE_INDEX == "2" && $CI_NODE_TOTAL == "3"')}`))).toEqual([
      'j 2/3',
    ]);
    expect(keysOf(j(`parallel: 3, ${when('$CI_JOB_NAME == "j 2/3" && $CI_JOB_GROUP_NAME == "j"')}`))).toEqual(
      ['j 2/3'],
    );
  });
  test('no variable of the file that the job does not inherit', () => {
    const text = (wanted: string): string =>
      `variables: {D: f, E: f}\n${j(`inherit: {variables: ${wanted}}, ${when('$D == null && $E')}`)}`;
    expect(keysOf(text('[E]'))).toEqual(['j']);
    expect(keysOf(text('false'))).toEqual([]);
    expect(keysOf(text('true'))).toEqual([]);
  });
  test('a variable of the project that is bound to an environment named by the job', () => {
    const variables = [
      { name: 'S', value: { literal: 'v' }, masked: false, file: false, environment: 'prod' },
    ];
    const text = j(`variables: {E: prod}, environment: $E, ${when('$S == "v"')}`);
    expect(keysOf(text, { project: { variables } })).toEqual(['j']);
  });
});

describe('other conditions', () => {
  test('only and except', () => {
    expect(keysOf(j(`variables: {D: "yes"}, only: {variables: ['$D == "yes"']}`))).toEqual(['j']);
    expect(keysOf(j(`variables: {D: "yes"}, except: {variables: ['$D == "yes"']}`))).toEqual([]);
  });
  test('paths of changes, with references in the values', () => {
    const text = j('variables: {DIR: $TOP/src, TOP: app}, rules: [{changes: ["$DIR/*"]}]');
    expect(keysOf(text, pushed('app/src/a.c'))).toEqual(['j']);
    expect(keysOf(text, pushed('app/a.c'))).toEqual([]);
  });
  test('paths of exists, with the values as they are written', () => {
    const text = (path: string): string =>
      j(`variables: {DOCKERPATH: ${path}, TOP: app}, rules: [{exists: [$DOCKERPATH]}]`);
    expect(keysOf(text('app/Dockerfile'), { files: ['app/Dockerfile'] })).toEqual(['j']);
    expect(keysOf(text('$TOP/Dockerfile'), { files: ['app/Dockerfile'] })).toEqual([]);
  });
  test('a path with a name that nothing sets matches only what is written', () => {
    const text = j('rules: [{exists: ["$NOTHING/a"]}]');
    expect(keysOf(text, { files: ['/a', 'a'] })).toEqual([]);
    expect(keysOf(text, { files: ['$NOTHING/a'] })).toEqual(['j']);
  });
  test('only:changes expands nothing', () => {
    const text = j('variables: {DIR: src}, only: {changes: ["$DIR/*"]}');
    expect(keysOf(text, pushed('src/a.c'))).toEqual([]);
  });
  test('git is asked for the refs of every job of a matrix, and for those of workflow', () => {
    const text = `workflow: {rules: [{variables: {W: old}}]}\n${j('parallel: {matrix: [{A: [x, y]}]}, rules: [{changes: {paths: [a], compare_to: "$A/$W"}}]')}`;
    expect(factsNeeded(request(text)).changed).toEqual(expect.arrayContaining(['x/old', 'y/old']));
  });
});

test('variables of a rule replace those of a matrix', () => {
  const text = j('parallel: {matrix: [{A: [x, y]}]}, rules: [{variables: {A: rule}}]');
  expect(Object.values(jobs(text)).map((one) => variable(one, 'A'))).toEqual(['rule', 'rule']);
});

test('workflow:rules see no job', () => {
  const text = (condition: string): string => `workflow: {${when(condition)}}\n${j('variables: {D: "yes"}')}`;
  expect(keysOf(text('$D == null && $CI_JOB_NAME == null && $CI_NODE_TOTAL == "1"'))).toEqual(['j']);
});

test.each([
  'CI_PIPELINE_ID',
  'CI_PIPELINE_URL',
  'CI_PIPELINE_CREATED_AT',
  'CI_PIPELINE_NAME',
  'CI_JOB_ID',
  'CI_JOB_URL',
  'CI_JOB_TIMEOUT',
  'CI_REPOSITORY_URL',
  'CI_PROJECT_DIR',
  'CI_BUILDS_DIR',
  'CI_DISPOSABLE_ENVIRONMENT',
  'CI_PAGES_URL',
  'CI_ENVIRONMENT_SLUG',
  'CI_REGISTRY_USER',
])('%s is known later, and lint says so', (name) => {
  expect(PREDEFINED).toContain(name);
  const text = `workflow: {name: n}\n${j(`environment: e, ${when(`$${name} == null`)}`)}`;
  expect(keysOf(text)).toEqual(['j']);
  const warnings = (more: string): string[] => {
    const answer = run(more + text, { lint: true });
    return answer.kind === 'plan' ? answer.warnings.map((one) => one.code) : ['invalid'];
  };
  expect(warnings('')).toContain('language/never-set');
  expect(warnings(`variables: {${name}: mine}\n`)).not.toContain('language/never-set');
});

/** Where a variable can be set, in ascending order. */
const LAYERS = ['file', 'workflow', 'job', 'matrix', 'installation', 'project', 'run'] as const;

test('of all that set a variable, the one that the job gets decides', () => {
  const setters = fc.subarray([...LAYERS], { minLength: 1 });
  fc.assert(
    fc.property(setters, fc.constantFrom('true', 'false', '[D]', '[E]'), (set, inherit) => {
      const has = (layer: (typeof LAYERS)[number]): boolean => set.includes(layer);
      const kept = inherit === 'true' || inherit === '[D]';
      const seen = set.filter((layer) => kept || (layer !== 'file' && layer !== 'workflow'));
      const keys = [
        `inherit: {variables: ${inherit}}`,
        ...(has('job') ? ['variables: {D: job}'] : []),
        ...(has('matrix') ? ['parallel: {matrix: [{D: matrix}]}'] : []),
        when(seen.length === 0 ? '$D == null' : `$D == "${seen.at(-1)}"`),
      ];
      const text = [
        ...(has('file') ? ['variables: {D: file}'] : []),
        ...(has('workflow') ? ['workflow: {rules: [{variables: {D: workflow}}]}'] : []),
        j(keys.join(', ')),
      ].join('\n');
      const given = (value: string) => [{ name: 'D', value: { literal: value }, masked: false, file: false }];
      const found = jobs(text, {
        instanceVariables: has('installation') ? given('installation') : [],
        project: { protectedRef: false, variables: has('project') ? given('project') : [] },
        ...(has('run') && { trigger: { variables: { D: 'run' } } }),
      });
      expect(Object.values(found).map((one) => variable(one, 'D'))).toEqual([seen.at(-1)]);
    }),
    { numRuns: 300 },
  );
});

describe('the reason names the variable that decided', () => {
  const why = (text: string, more: Overrides = {}): string[] => {
    const answer = run(text, { explain: true, ...more });
    return answer.kind === 'invalid' ? [] : (answer.explained ?? []).map((one) => one.why);
  };
  test.each([
    [
      'the job',
      `variables: {D: "yes"}, ${when('$D == "yes"')}`,
      'rule 1, line 1: if: $D == "yes"; $D is "yes" (the job)',
    ],
    [
      'one that does not match',
      `variables: {D: "no"}, ${when('$D == "yes"')}`,
      'no rule matches; $D is "no" (the job)',
    ],
    ['one that is not set', when('$D == "yes"'), 'no rule matches; $D is not set'],
    [
      'a path',
      'variables: {P: a}, rules: [{exists: [$P]}]',
      'rule 1, line 1: exists: $P; $P is "a" (the job)',
    ],
    ['only', `variables: {D: x}, only: {variables: [$D]}`, 'only branches; $D is "x" (the job)'],
    [
      'the environment',
      `environment: p, ${when('$CI_ENVIRONMENT_NAME')}`,
      'rule 1, line 1: if: $CI_ENVIRONMENT_NAME; $CI_ENVIRONMENT_NAME is "p" (predefined)',
    ],
    ['nothing of the pipeline', when('$CI_COMMIT_BRANCH'), 'rule 1, line 1: if: $CI_COMMIT_BRANCH'],
  ])('%s', (_, keys, expected) => expect(why(j(keys), { files: ['a'] })).toEqual([expected]));
  test('the matrix, the file, the project', () => {
    const matrix = j(`parallel: {matrix: [{A: [x, y]}]}, ${when('$A == "y"')}`);
    expect(why(matrix)[1]).toContain('$A is "y" (the matrix)');
    expect(why(`variables: {A: y}\n${j(when('$A == "y"'))}`)[0]).toContain('$A is "y" (the file)');
    const variables = [{ name: 'A', value: { literal: 'hidden' }, masked: true, file: false }];
    expect(why(j(when('$A')), { project: { variables } })[0]).toContain('$A is set (the project)');
  });
});

describe('lint tells once which rule decides otherwise than before', () => {
  const changed = (text: string, more: Overrides = {}): string[] => {
    const answer = run(text, { lint: true, ...more });
    if (answer.kind === 'invalid') return ['invalid'];
    return answer.warnings
      .filter((one) => one.code === 'language/changed-rule')
      .map((one) => `${one.place?.line}:${one.place?.column} ${one.message.replace(/^.*0\.1: /, '')}`);
  };
  test.each([
    ['a comparison', j(`variables: {D: "yes"}, ${when('$D == "yes"')}`), ['1:62 $D is "yes" (the job)']],
    [
      'for every ref',
      j(`variables: {D: "yes"}, ${when('$CI_COMMIT_BRANCH == "no" && $D == "yes"')}`),
      ['1:62 $D is "yes" (the job)'],
    ],
    ['not one that stays false', j(`variables: {D: "no"}, ${when('$D == "yes"')}`), []],
    [
      'not one that the file already set',
      `variables: {D: "yes"}\n${j(`variables: {D: "yes"}, ${when('$D == "yes"')}`)}`,
      [],
    ],
    ['a path', j('variables: {D: src}, rules: [{changes: ["$D/*"]}]'), ['1:55 $D is "src" (the job)']],
    ['only', j('variables: {D: x}, only: {variables: [$D]}'), ['1:64 $D is "x" (the job)']],
    [
      'inherit',
      `variables: {D: x}\n${j(`inherit: {variables: false}, ${when('$D')}`)}`,
      ['2:68 $D is not set'],
    ],
    [
      'the environment',
      j(`environment: p, ${when('$CI_ENVIRONMENT_NAME')}`),
      ['1:55 $CI_ENVIRONMENT_NAME is "p" (predefined)'],
    ],
  ])('%s', (_, text, expected) => expect(changed(text)).toEqual(expected));
  test('a rule that many jobs share', () => {
    const text = `.r: {variables: {D: "yes"}, ${when('$D')}}\na: {extends: .r, image: x, script: x}\nb: {extends: .r, image: x, script: x}`;
    expect(changed(text)).toEqual(['1:42 $D is "yes" (the job)']);
  });
});
