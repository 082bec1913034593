import { describe, expect, test } from 'vitest';
import {
  expandLate,
  expandParts,
  referencesOf,
  renderParts,
} from '../../../../src/compiler/variables/expand.ts';
import { environmentMatches } from '../../../../src/compiler/variables/layers.ts';
import { environmentSlug, slugify } from '../../../../src/compiler/variables/slug.ts';
import { VERSION } from '../../../../src/version.ts';
import { job, variable, type Overrides } from '../helpers.ts';
import type { CompileVariable } from '../../../../src/compiler/request.ts';

const plainOne = (name: string, literal: string, more: Partial<CompileVariable> = {}): CompileVariable => ({
  name,
  value: { literal },
  masked: false,
  file: false,
  ...more,
});
const secret = (name: string): CompileVariable => ({
  name,
  value: { secret: 'env:S' },
  masked: true,
  file: false,
});
const value = (text: string, name: string, more: Overrides = {}): string | undefined =>
  variable(job(text, 'j', more), name);
const withVars = (variables: string, more = ''): string =>
  `j: {image: x, script: x, variables: ${variables}${more}}`;

describe('references', () => {
  const known: Record<string, string> = { A: 'a', B: '' };
  const expand = (text: string): string =>
    renderParts(expandParts(text, (name) => (name in known ? [known[name] ?? ''] : undefined)));
  test.each([
    ['$A', 'a'],
    ['${A}', 'a'],
    ['%A%', 'a'],
    ['x$A.y', 'xa.y'],
    ['$A$A', 'aa'],
    ['[$NOPE]', '[]'],
    ['[${NOPE}]', '[]'],
    ['$$A', '$A'],
    ['$$$A', '$a'],
    ['$', '$'],
    ['${', '${'],
    ['$1', '$1'],
    ['100%', '100%'],
    ['date +%Y%m%d', 'date +%Y%m%d'],
    ['${A:-x}', '${A:-x}'],
    ['[$B]', '[]'],
  ])('%s is %j', (text, expected) => expect(expand(text)).toBe(expected));
  test('names in order', () => expect(referencesOf('$A ${B} %C% $$D')).toEqual(['A', 'B', 'C']));
});

describe('precedence, highest first', () => {
  const text = 'variables: {V: global}\nj: {image: x, script: x, variables: {V: job}}';
  const instanceVariables = [plainOne('V', 'instance')];
  const project = { variables: [plainOne('V', 'project')], protectedRef: false };
  test('pipeline', () =>
    expect(value(text, 'V', { instanceVariables, project, trigger: { variables: { V: 'pipeline' } } })).toBe(
      'pipeline',
    ));
  test('project', () => expect(value(text, 'V', { instanceVariables, project })).toBe('project'));
  test('instance', () => expect(value(text, 'V', { instanceVariables })).toBe('instance'));
  test('job', () => expect(value(text, 'V')).toBe('job'));
  test('global', () => expect(value('variables: {V: global}\nj: {image: x, script: x}', 'V')).toBe('global'));
  test('predefined', () => {
    expect(value(withVars('{}'), 'CI')).toBe('true');
    expect(value(withVars('{CI: mine}'), 'CI')).toBe('mine');
  });
  test('each has its origin', () => {
    const { spec } = job(text, 'j', {
      project: { variables: [plainOne('P', 'p')] },
      trigger: { variables: { T: 't' } },
    });
    const from = (name: string): unknown => spec.variables.find((one) => one.name === name)?.from;
    expect(['CI', 'V', 'P', 'T'].map(from)).toEqual(['predefined', 'file', 'project', 'pipeline']);
  });
});

describe('values', () => {
  test('numbers, booleans and empty ones are text as Ruby prints it', () => {
    const text = withVars('{A: 1, B: 1.10, C: 0777, D: yes, E: , F: "0777"}');
    expect(['A', 'B', 'C', 'D', 'E', 'F'].map((name) => value(text, name))).toEqual([
      '1',
      '1.1',
      '511',
      'true',
      '',
      '0777',
    ]);
  });
  test('nested references, in whatever order', () => {
    const text = withVars('{A: "$B/a", B: "${C}/b", C: c}');
    expect(value(text, 'A')).toBe('c/b/a');
  });
  test('$$ is a dollar, and expand: false leaves the text alone', () => {
    const text = withVars('{A: "$$HOME", B: {value: "$CI", expand: false}, C: "$B"}');
    expect(value(text, 'A')).toBe('$HOME');
    expect(value(text, 'B')).toBe('$CI');
    expect(value(text, 'C')).toBe('$CI');
  });
  test('an unknown name is empty', () => expect(value(withVars('{A: "[$NOBODY]"}'), 'A')).toBe('[]'));
  test('scripts are left to the shell', () => {
    expect(job('j: {image: x, script: ["echo $CI $$ ${CI} %CI%"]}', 'j').spec).toMatchObject({
      script: ['echo $CI $$ ${CI} %CI%'],
    });
  });
});

describe('values that only the worker knows', () => {
  const find = (text: string, name: string, more: Overrides = {}): unknown =>
    job(text, 'j', more).spec.variables.find((one) => one.name === name);
  test('stays a reference, and the variable is marked late', () => {
    expect(find(withVars('{A: "$$x/$CI_JOB_ID/$CI_PIPELINE_IID"}'), 'A')).toMatchObject({
      value: { literal: '$$x/${CI_JOB_ID}/7' },
      late: true,
    });
    expect(expandLate('$$x/${CI_JOB_ID}/7', new Map([['CI_JOB_ID', '42']]))).toBe('$x/42/7');
  });
  test('a secret inside another variable, which is then masked', () => {
    const project = { variables: [secret('PASS')] };
    expect(find(withVars('{URL: "db://u:$PASS@h"}'), 'URL', { project })).toMatchObject({
      value: { literal: 'db://u:${PASS}@h' },
      late: true,
      masked: true,
    });
  });
  test('names that a dotenv report may set', () => {
    const text = `
a: {stage: build, image: x, script: x, artifacts: {reports: {dotenv: v.env}}}
j: {image: "app:$VERSION", script: x}
k: {image: "app:$VERSION", script: x, needs: []}`;
    expect(job(text, 'j').spec).toMatchObject({ image: { name: 'app:${VERSION}' } });
    expect(job(text, 'k').spec).toMatchObject({ image: { name: 'app:' } });
  });
});

describe('project variables', () => {
  const variables = [
    secret('S'),
    plainOne('M', 'm', { masked: true }),
    plainOne('P', 'p', { protected: true }),
    plainOne('O', 'o'),
  ];
  const names = (more: Overrides): (string | undefined)[] =>
    ['S', 'M', 'P', 'O'].filter((name) =>
      job(withVars('{}'), 'j', more).spec.variables.some((one) => one.name === name),
    );
  test('all of them on a protected ref', () =>
    expect(names({ project: { variables } })).toEqual(['S', 'M', 'P', 'O']));
  test('protected ones not on other refs', () =>
    expect(names({ project: { variables, protectedRef: false } })).toEqual(['S', 'M', 'O']));
  test('nothing secret for a fork', () =>
    expect(names({ project: { variables }, trigger: { fork: true } })).toEqual(['P', 'O']));
  test('a secret never travels, only its reference does', () => {
    expect(
      job(withVars('{}'), 'j', { project: { variables } }).spec.variables.find((one) => one.name === 'S')
        ?.value,
    ).toEqual({ secret: 'env:S' });
  });
  test('bound to an environment: the most specific pattern wins', () => {
    const bound = [
      plainOne('T', 'all'),
      plainOne('T', 'review', { environment: 'review/*' }),
      plainOne('T', 'prod', { environment: 'prod' }),
    ];
    const at = (environment: string): string | undefined =>
      value(withVars('{}', `, environment: ${environment}`), 'T', { project: { variables: bound } });
    expect([at('prod'), at('review/x'), at('qa')]).toEqual(['prod', 'review', 'all']);
    expect(value(withVars('{}'), 'T', { project: { variables: bound } })).toBe('all');
  });
  test.each([
    ['*', undefined, true],
    ['prod', undefined, false],
    ['prod', 'prod', true],
    ['prod', 'production', false],
    ['review/*', 'review/a/b', true],
    ['*/a', 'x/a', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['ab*ba', 'aba', false],
  ])('%s and %s: %s', (pattern, environment, matches) =>
    expect(environmentMatches(pattern, environment)).toBe(matches),
  );
});

describe('predefined', () => {
  const text =
    'job one: {stage: test, image: x, script: x, environment: {name: prod, url: "http://$CI_COMMIT_SHORT_SHA"}}';
  const get = (name: string, more: Overrides = {}): string | undefined =>
    variable(job(text, 'job one', more), name);
  test.each([
    ['CI', 'true'],
    ['GITLAB_CI', 'true'],
    ['CI_COMMIT_SHA', '0123456789abcdef0123456789abcdef01234567'],
    ['CI_COMMIT_SHORT_SHA', '01234567'],
    ['CI_COMMIT_BRANCH', 'main'],
    ['CI_COMMIT_REF_NAME', 'main'],
    ['CI_COMMIT_REF_PROTECTED', 'true'],
    ['CI_COMMIT_TITLE', 'Serve tables'],
    ['CI_COMMIT_DESCRIPTION', 'All of them.'],
    ['CI_COMMIT_AUTHOR', 'Ada <ada@example.com>'],
    ['CI_PIPELINE_ID', '1007'],
    ['CI_PIPELINE_IID', '7'],
    ['CI_PIPELINE_SOURCE', 'push'],
    ['CI_PIPELINE_CREATED_AT', '2026-01-02T03:04:05Z'],
    ['CI_PROJECT_DIR', '/builds/table'],
    ['CI_PROJECT_NAME', 'table'],
    ['CI_PROJECT_PATH', 'table'],
    ['CI_DEFAULT_BRANCH', 'main'],
    ['CI_REGISTRY', '127.0.0.1:5000'],
    ['CI_REGISTRY_IMAGE', '127.0.0.1:5000/table'],
    ['CI_JOB_NAME', 'job one'],
    ['CI_JOB_NAME_SLUG', 'job-one'],
    ['CI_JOB_STAGE', 'test'],
    ['CI_JOB_TIMEOUT', '3600'],
    ['CI_CONFIG_PATH', '.gitlab-ci.yml'],
    ['CI_ENVIRONMENT_NAME', 'prod'],
    ['CI_ENVIRONMENT_SLUG', 'prod'],
    ['CI_ENVIRONMENT_ACTION', 'start'],
    ['CI_ENVIRONMENT_URL', 'http://01234567'],
    ['DAVIT_HELPER_IMAGE', 'davit/helper:1'],
    ['CI_COMMIT_TAG', undefined],
    ['CI_MERGE_REQUEST_IID', undefined],
    ['CI_SERVER_FQDN', '127.0.0.1:8080'],
    ['CI_SERVER_HOST', '127.0.0.1'],
    ['CI_SERVER_VERSION', VERSION],
    ['CI_SERVER_VERSION_MAJOR', VERSION.split('.')[0]],
    ['CI_DISPOSABLE_ENVIRONMENT', 'true'],
    ['CI_TEMPLATE_REGISTRY_HOST', 'registry.gitlab.com'],
    ['CI_JOB_URL', 'http://127.0.0.1:8080/pipelines/table/7/jobs/job%20one'],
    ['CI_PROJECT_ID', undefined],
    ['CI_API_V4_URL', undefined],
  ])('%s', (name, expected) => expect(get(name)).toBe(expected));
  test('of a pipeline that is run again are those of its event', () => {
    const again = { pipeline: 'table/3', source: 'merge_request' } as const;
    const more: Overrides = { trigger: { source: 'api', again } };
    expect([get('CI_PIPELINE_SOURCE', more), get('DAVIT_TRIGGER', more)]).toEqual([
      'merge_request_event',
      'merge_request',
    ]);
  });
  test('of a tag', () => {
    const more: Overrides = { trigger: { ref: 'v1.0', refKind: 'tag', source: 'tag' } };
    expect([
      get('CI_COMMIT_TAG', more),
      get('CI_COMMIT_BRANCH', more),
      get('CI_COMMIT_REF_SLUG', more),
    ]).toEqual(['v1.0', undefined, 'v1-0']);
  });
  test('of a merge request', () => {
    const mergeRequest = {
      iid: 3,
      sourceBranch: 'f',
      targetBranch: 'main',
      sourceSha: 'b'.repeat(40),
      title: 'F',
    };
    const more: Overrides = {
      trigger: { ref: 'refs/pull/3/head', refKind: 'merge_request', source: 'merge_request', mergeRequest },
    };
    const compiled = job('j: {image: x, script: x, only: [merge_requests]}', 'j', more);
    expect(variable(compiled, 'CI_MERGE_REQUEST_TARGET_BRANCH_NAME')).toBe('main');
    expect(variable(compiled, 'CI_PIPELINE_SOURCE')).toBe('merge_request_event');
    expect(variable(compiled, 'CI_COMMIT_REF_NAME')).toBe('f');
    expect(variable(compiled, 'CI_COMMIT_BRANCH')).toBeUndefined();
  });
  test('of a merge request: what the event of the forge contains', () => {
    const mergeRequest = {
      iid: 3,
      sourceBranch: 'main',
      targetBranch: 'main',
      sourceSha: 'b'.repeat(40),
      title: 'F',
      id: '77',
      description: 'long',
      descriptionCut: true,
      labels: ['a', 'b'],
      assignees: ['ada', 'bob'],
      milestone: 'v1',
      draft: true,
      source: { id: '9', path: 'ada/table', url: 'https://forge.test/ada/table' },
      target: { id: '1', path: 'group/table' },
    };
    const more: Overrides = {
      trigger: {
        ref: 'refs/pull/3/head',
        refKind: 'merge_request',
        source: 'merge_request',
        mergeRequest,
        fork: true,
      },
      project: { url: 'https://forge.test/group/table', isProtected: (branch) => branch === 'main' },
    };
    const compiled = job('j: {image: x, script: x, only: [merge_requests]}', 'j', more);
    const value = (name: string) => variable(compiled, `CI_MERGE_REQUEST_${name}`);
    expect({
      id: value('ID'),
      cut: value('DESCRIPTION_IS_TRUNCATED'),
      labels: value('LABELS'),
      assignees: value('ASSIGNEES'),
      milestone: value('MILESTONE'),
      draft: value('DRAFT'),
      squash: value('SQUASH_ON_MERGE'),
      ref: value('REF_PATH'),
      sha: value('SOURCE_BRANCH_SHA'),
      from: value('SOURCE_PROJECT_PATH'),
      into: [value('PROJECT_ID'), value('PROJECT_PATH'), value('PROJECT_URL')],
      protected: [value('SOURCE_BRANCH_PROTECTED'), value('TARGET_BRANCH_PROTECTED')],
    }).toEqual({
      id: '77',
      cut: 'true',
      labels: 'a,b',
      assignees: 'ada,bob',
      milestone: 'v1',
      draft: 'true',
      squash: undefined,
      ref: 'refs/pull/3/head',
      sha: '',
      from: 'ada/table',
      into: ['1', 'group/table', 'https://forge.test/group/table'],
      protected: ['false', 'true'],
    });
    expect(variable(compiled, 'CI_OPEN_MERGE_REQUESTS')).toBe('group/table!3');
  });
  test('of a project at a GitLab, and what its event contains', () => {
    const more: Overrides = {
      project: { gitlabApi: 'https://gl.test/api', cloneUrl: 'https://gl.test/g/t.git' },
      trigger: { repository: { id: '12', visibility: 'internal', description: 'Tables' } },
    };
    expect(get('CI_API_V4_URL', more)).toBe('https://gl.test/api/v4');
    expect(get('CI_REPOSITORY_URL', more)).toBe('https://gl.test/g/t.git');
    expect([get('CI_PROJECT_ID', more), get('CI_PROJECT_VISIBILITY', more)]).toEqual(['12', 'internal']);
  });
  test('the message of an annotated tag', () => {
    const commit = { author: 'A <a@b>', timestamp: '', message: 'm', tagMessage: 'Release\n\nnotes' };
    const more: Overrides = { trigger: { ref: 'v1.0', refKind: 'tag', source: 'tag' }, commit };
    expect(get('CI_COMMIT_TAG_MESSAGE', more)).toBe('Release\n\nnotes');
    expect(get('CI_COMMIT_TAG_MESSAGE', { commit })).toBeUndefined();
  });
  test('the architecture of a job made for several', () => {
    const compiled = job('b: {stage: build, build: {platforms: [arm32, arm64]}}', 'b: [arm64]');
    expect(variable(compiled, 'DAVIT_ARCH')).toBe('arm64');
    expect(variable(compiled, 'CI_JOB_NAME')).toBe('b: [arm64]');
  });
});

describe('slugs', () => {
  test('of refs', () => {
    expect(slugify('Feature/ÄB_c')).toBe('feature--b-c');
    expect(slugify('-x-')).toBe('x');
    expect(slugify('a'.repeat(80))).toHaveLength(63);
  });
  test.each([
    ['staging-12345678901234567', /^staging-123456789-[0-9a-z]{6}$/],
    ['9-staging-123456789012345', /^env-9-staging-123-[0-9a-z]{6}$/],
    ['staging-1234567890123456', /^staging-1234567890123456$/],
    ['production', /^production$/],
    ['PRODUCTION', /^production-[0-9a-z]{6}$/],
    ['review/1-foo', /^review-1-foo-[0-9a-z]{6}$/],
    ['1-foo', /^env-1-foo-[0-9a-z]{6}$/],
    ['foo-', /^foo$/],
    ['foo--bar', /^foo-bar-[0-9a-z]{6}$/],
    ['*-foo', /^env-foo-[0-9a-z]{6}$/],
  ])('of the environment %s', (name, slug) => expect(environmentSlug(name)).toMatch(slug));
  test('the suffix of an environment distinguishes similar names', () => {
    expect(environmentSlug('Prod')).not.toBe(environmentSlug('pROD'));
  });
});
