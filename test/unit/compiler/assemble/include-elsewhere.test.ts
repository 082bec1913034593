/**
 * `include` of files that are not local: projects, components, templates, remote files; rules, cycles,
 * places.
 */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../../src/compiler/compile.ts';
import { loadIncludes } from '../../../../src/compiler/includes.ts';
import { problemText } from '../../../../src/compiler/problems.ts';
import { TEMPLATES } from '../../../../src/compiler/templates/index.ts';
import { includeKey, type IncludeAnswer, type IncludeWant } from '../../../../src/plan/model/includes.ts';
import { request, type Overrides } from '../helpers.ts';

const SHA = 'c'.repeat(40);
interface World extends Overrides {
  /** Files of the own source. */
  own?: Record<string, string>;
  /** Files of every other project: texts by `path` or `project:path`. */
  other?: Record<string, string>;
  served?: Record<string, string>;
  refused?: string;
  changes?: Record<string, string[]>;
}

function answerTo(want: IncludeWant, world: World): IncludeAnswer {
  const { other = {}, served = {} } = world;
  if (want.kind === 'remote') return { text: served[want.url] ?? null };
  if (want.kind === 'template') {
    const text = served[want.name];
    if (text !== undefined) return { text };
    return { refused: { code: 'include/unreachable', message: 'GitLab is away.', outage: true } };
  }
  if (want.repository.path === world.refused)
    return { refused: { code: 'include/refused', message: `no ${world.refused} for you`, hint: 'Ask.' } };
  if (want.kind === 'ref') return { sha: SHA };
  if (want.kind === 'version') return { sha: SHA, version: '1.2.3' };
  if (want.kind === 'list') return { files: Object.keys(other) };
  return { text: other[`${want.repository.path}:${want.path}`] ?? other[want.path] ?? null };
}
async function answer(text: string, world: World = {}) {
  const { own = {}, other: _o, served: _s, refused: _r, changes, ...more } = world;
  const asked = request(text, more);
  const wants: IncludeWant[] = [];
  const loaded = await loadIncludes(asked, {
    read: (names) => Promise.resolve(Object.fromEntries(names.map((name) => [name, own[name] ?? null]))),
    list: () => Promise.resolve(Object.keys(own)),
    changed: () => Promise.resolve(changes),
    elsewhere: (these) => {
      wants.push(...these);
      return Promise.resolve(
        Object.fromEntries(these.map((want) => [includeKey(want), answerTo(want, world)])),
      );
    },
  });
  return { answer: compile({ ...asked, ...loaded }), wants };
}
async function keys(text: string, world: World = {}): Promise<string[]> {
  const found = (await answer(text, world)).answer;
  if (found.kind !== 'plan') throw new Error(JSON.stringify(found));
  return found.jobs.map(({ job }) => job.key);
}
async function wrong(text: string, world: World = {}): Promise<string> {
  const found = (await answer(`${text}\nj: {image: x, script: [y]}`, world)).answer;
  if (found.kind !== 'invalid') return found.kind;
  return found.problems.map((one) => problemText({ ...one, hint: undefined })).join('\n');
}
const job = (name: string): string => `${name}: {image: x, script: [x]}`;

describe('project', () => {
  const text = 'include: {project: team/ci, ref: v1, file: [/a.yml, b.yml]}';
  test('several files of one ref; default branch without ref; variables', async () => {
    const other = { 'a.yml': job('a'), 'b.yml': job('b') };
    expect(await keys(text, { other })).toEqual(['a', 'b']);
    const { wants } = await answer('include: {project: $WHO/ci, file: a.yml}', {
      other,
      trigger: { variables: { WHO: 'team' } },
    });
    expect(wants[0]).toEqual({ kind: 'ref', repository: { path: 'team/ci' }, ref: undefined });
  });
  test('local in it, wildcards and exists too, are files of that project at that commit', async () => {
    const other = {
      'a.yml': 'include: [{local: ci/*.yml}, {local: d.yml, rules: [{exists: [only-there]}]}]',
      'b.yml': job('b'),
      'ci/c.yml': job('c'),
      'd.yml': job('d'),
      'only-there': '',
    };
    expect(await keys(text, { other, own: { 'ci/own.yml': job('own') } })).toEqual(['c', 'd', 'b']);
  });
  test('a mistake has its place in the file of the project, and names what is missing', async () => {
    const other = { 'a.yml': 'a:\n  image: x\n  script: [a]\n  retry: 7', 'b.yml': job('b') };
    expect(await wrong(text, { other })).toContain('team/ci@v1:a.yml:4:10 retry must be');
    expect(await wrong('include: {project: team/ci, file: none.yml}', {})).toContain(
      'no file team/ci@HEAD:none.yml',
    );
  });
  test('a refusal is reported at the include', async () => {
    expect(await wrong(text, { refused: 'team/ci' })).toBe(
      '.gitlab-ci.yml:1:10 no team/ci for you [include/refused]',
    );
  });
  test('a cycle over two projects names its path', async () => {
    const other = {
      'one:a.yml': 'include: {project: two, file: b.yml}',
      'two:b.yml': 'include: {project: one, file: a.yml}',
    };
    expect(await wrong('include: {project: one, file: a.yml}', { other })).toContain(
      'include forms a cycle: one@HEAD:a.yml -> two@HEAD:b.yml -> one@HEAD:a.yml [language/cycle]',
    );
  });
  test('a masked or secret variable never gets into an address', async () => {
    const variables = [{ name: 'TOKEN', value: { literal: 'canary' }, masked: true, file: false } as const];
    const found = await wrong('include: {project: team/$TOKEN, file: a.yml}', { project: { variables } });
    expect(found).toContain('[language/secret]');
    expect(found).not.toContain('canary');
  });
});

describe('remote', () => {
  const url = 'https://example.com/ci/a.yml';
  test('by key or as a text alone', async () => {
    const served = { [url]: job('a') };
    expect(await keys(`include: {remote: "${url}"}`, { served })).toEqual(['a']);
    expect(await keys(`include: ${url}`, { served })).toEqual(['a']);
  });
  test('integrity and cache are part of the question', async () => {
    const integrity = `sha256-${'A'.repeat(43)}=`;
    const { wants } = await answer(
      `include: {remote: "${url}", integrity: "${integrity}", cache: "2 hours"}`,
      { served: { [url]: job('a') } },
    );
    expect(wants).toEqual([{ kind: 'remote', url, integrity: `${'A'.repeat(43)}=`, cacheMs: 7_200_000 }]);
  });
  test('it sees no variable, no project and no source', async () => {
    const of = (nested: string): World => ({ served: { [url]: nested } });
    const main = `include: ${url}`;
    expect(await wrong(main, of('include: {local: b.yml}'))).toContain('cannot include by "local"');
    expect(await wrong(main, of('include: {project: team/ci, file: b.yml}'))).toContain('by "project"');
    expect(await wrong(main, of('include: {component: e.com/team/ci/x@1}'))).toContain('by "component"');
    expect(await wrong(main, of('include: {remote: "https://e.com/$CI_PROJECT_NAME/b.yml"}'))).toContain(
      'no file https://e.com//b.yml',
    );
    const ruled = `include: [{remote: "https://e.com/b.yml", rules: [{if: $CI_PROJECT_NAME}]}]\n${job('a')}`;
    expect(await keys(main, of(ruled))).toEqual(['a']);
    const exists = 'include: [{remote: "https://e.com/b.yml", rules: [{exists: [x]}]}]';
    expect(await wrong(main, of(exists))).toContain('exists cannot be used in a remote file');
  });
  test.each([
    ['http', 'http://example.com/a.yml', 'accepts only https addresses'],
    ['a password', 'https://u:canary@example.com/a.yml', 'user name or password'],
    ['a token in the query', 'https://example.com/a?token=canary', 'must end in .yml or .yaml'],
    ['no address', 'https://', 'is not an address'],
  ])('%s is refused, and no secret is repeated', async (_, bad, message) => {
    const found = await wrong(`include: {remote: "${bad}"}`);
    expect(found).toContain(message);
    expect(found).not.toContain('canary');
  });
});

describe('component', () => {
  test('templates/NAME.yml, else templates/NAME/template.yml; local in it is of that project', async () => {
    const text = 'include: {component: example.com/team/ci/build@1.2}';
    const other = { 'templates/build.yml': 'include: {local: more.yml}', 'more.yml': job('m') };
    expect(await keys(text, { other })).toEqual(['m']);
    expect(await keys(text, { other: { 'templates/build/template.yml': job('t') } })).toEqual(['t']);
    expect(await wrong(text)).toContain('no file example.com/team/ci/build@1.2:templates/build/template.yml');
  });
  test.each([
    ['no version', 'example.com/team/ci/build'],
    ['no host', '/team/ci/build@1'],
    ['no project', 'example.com/build@1'],
    ['a path out of it', 'example.com/team/../ci/build@1'],
  ])('%s is not the address of a component', async (_, component) => {
    expect(await wrong(`include: {component: "${component}"}`)).toContain(component);
  });
});

describe('template', () => {
  test.each([...TEMPLATES.keys()])('%s makes a pipeline', async (template) => {
    const own = template.startsWith('Workflows/') ? job('mine') : '';
    const found = await keys(`include: {template: ${template}}\n${own}`, {});
    expect(found.length).toBeGreaterThan(0);
  });
  test('the workflow templates list the types of pipelines', async () => {
    const of = (name: string, event: 'push' | 'merge_request', ref = 'feature') =>
      answer(`include: {template: Workflows/${name}-Pipelines.gitlab-ci.yml}\n${job('mine')}`, {
        trigger:
          event === 'push'
            ? { ref }
            : {
                source: 'merge_request',
                refKind: 'merge_request',
                mergeRequest: { iid: 1, sourceBranch: ref, targetBranch: 'main', sourceSha: SHA, title: 't' },
              },
      }).then((found) => found.answer.kind);
    expect(await of('Branch', 'push')).toBe('plan');
    expect(await of('Branch', 'merge_request')).toBe('empty');
    expect(await of('MergeRequest', 'push')).toBe('empty');
    expect(await of('MergeRequest', 'push', 'main')).toBe('plan');
    expect(await of('MergeRequest', 'merge_request')).toBe('plan');
  });
  test('an unknown one is an error that lists the known ones, and how to use GitLab’s', async () => {
    const found = (await answer('include: {template: Auto-DevOps.gitlab-ci.yml}')).answer;
    const [problem] = found.kind === 'invalid' ? found.problems : [];
    expect(problem?.message).toBe('davit has no template "Auto-DevOps.gitlab-ci.yml"');
    expect(problem?.hint).toContain('Davit/Image.gitlab-ci.yml');
    expect(problem?.hint).toContain('use remote');
  });
});

describe('rules', () => {
  const of = (rules: string): string => `include: [{local: a.yml, rules: ${rules}}]\n${job('j')}`;
  const own = { 'a.yml': job('a') };
  const push = { before: 'b'.repeat(40) };
  test('changes: git is queried before the file is read; compare_to', async () => {
    const world = { own, trigger: push, changes: { '': ['src/x.ts'], main: ['doc.md'] } };
    expect(await keys(of('[{changes: [src/*]}]'), world)).toEqual(['a', 'j']);
    expect(await keys(of('[{changes: [lib/*]}]'), world)).toEqual(['j']);
    expect(await keys(of('[{changes: {paths: [doc.md], compare_to: main}}]'), world)).toEqual(['a', 'j']);
    expect(await keys(of('[{changes: {regexp: "^src/"}}]'), world)).toEqual(['a', 'j']);
    expect(await keys(of('[{changes: {regexp: "^lib/"}}]'), world)).toEqual(['j']);
    expect(await keys(of('[{changes: [lib/*]}]'), { own })).toEqual(['a', 'j']);
    expect(await wrong(of('[{changes: {paths: [a], compare_to: gone}}]'), world)).toContain(
      'no ref "gone" [language/unknown-ref]',
    );
  });
  test('exists in another project', async () => {
    const world = { own, other: { Makefile: '' } };
    expect(await keys(of('[{exists: {paths: [Makefile], project: team/ci}}]'), world)).toEqual(['a', 'j']);
    expect(await keys(of('[{exists: {paths: [other], project: team/ci}}]'), world)).toEqual(['j']);
  });
  test('an invalid expression is reported', async () => {
    expect(await wrong(of('[{if: "$A =="}]'), { own })).toContain('[language/expression]');
  });
});

test.each([
  [
    'two kinds',
    'include: {local: a.yml, remote: "https://e.com/a.yml"}',
    'has "local" and "remote": keep one',
  ],
  ['no kind', 'include: {rules: [{if: $A}]}', 'needs one of "local"'],
  ['a project without file', 'include: {project: a/b}', 'needs "file"'],
  ['ref beside local', 'include: {local: a.yml, ref: x}', 'include.ref can be used only with "project"'],
  [
    'integrity beside local',
    `include: {local: a.yml, integrity: sha256-${'A'.repeat(43)}=}`,
    'only with "remote"',
  ],
  ['a wrong integrity', 'include: {remote: "https://e.com/a.yml", integrity: md5-x}', 'must be sha256-'],
  ['a cache of seconds', 'include: {remote: "https://e.com/a.yml", cache: 10 seconds}', 'at least a minute'],
  ['a file of a job', 'include: {artifact: a.yml, job: x}', 'only trigger:include can use'],
])('%s', async (_, text, message) => {
  expect(await wrong(text)).toContain(message);
});
