/** `trigger`: what a job may contain, what it forwards, and what the started pipeline receives. */
import { describe, expect, test } from 'vitest';
import type { Upstream } from '../../../../src/plan/model/trigger.ts';
import type { TriggerSpec } from '../../../../src/plan/model/spec.ts';
import { job, jobs, keysOf, MERGE, mistakes, variable, type Overrides } from '../helpers.ts';

const file = (trigger: string, more = ''): string =>
  `stages: [a, b]\ngen: {stage: a, image: x, script: x, artifacts: {paths: [g.yml]}}\nt: {stage: b, trigger: ${trigger}${more}}`;
const specOf = (text: string, more: Overrides = {}): TriggerSpec => {
  const { spec } = job(text, 't', more);
  if (spec.kind !== 'trigger') throw new Error(spec.kind);
  return spec;
};
const upstream: Upstream = {
  pipeline: 'table/1',
  job: 't',
  attempt: 1,
  config: `sha256:${'c'.repeat(64)}`,
  depth: 1,
  family: 1000,
  root: 1000,
  origin: 'push',
  chain: ['table main push'],
};
const CHILD = { trigger: { source: 'parent_pipeline', upstream } } as const satisfies Overrides;
const secret = { name: 'TOKEN', value: { secret: 'env:T' as const }, masked: true, file: false };

describe('where the pipeline runs', () => {
  test('another project by name, or with branch and strategy; variables are known', () => {
    expect(specOf(file('group/p')).to).toEqual({ project: 'group/p' });
    const planned = job(
      file('{project: "g/$CI_COMMIT_BRANCH", branch: $CI_DEFAULT_BRANCH, strategy: depend}'),
      't',
    );
    expect(planned.spec).toMatchObject({ kind: 'trigger', to: { project: 'g/main', branch: 'main' } });
    expect(planned.job).toMatchObject({
      kind: 'trigger',
      queue: 'control',
      downstream: { strategy: 'depend', project: 'g/main', filesFrom: [] },
    });
  });
  test('a child from files, in the form of include, or from the artifacts of a job', () => {
    const written = '[a.yml, {local: b.yml, inputs: {n: 1}}, {artifact: g.yml, job: gen, inputs: {m: x}}]';
    const planned = job(file(`{include: ${written}, strategy: mirror}`), 't');
    expect(planned.spec).toMatchObject({
      to: {
        include: [
          { written: 'a.yml' },
          { written: { local: 'b.yml', inputs: { n: 1 } } },
          { artifact: 'g.yml', jobs: ['gen'], inputs: { m: 'x' } },
        ],
      },
    });
    expect(planned.job.downstream).toEqual({ strategy: 'mirror', filesFrom: ['gen'] });
    expect(specOf(file('{include: {artifact: g.yml, job: gen}}')).to).toEqual({
      include: [{ artifact: 'g.yml', jobs: ['gen'] }],
    });
  });
  test('files from elsewhere: template, remote, project and component', () => {
    const elsewhere = [
      { template: 'Davit/Image.gitlab-ci.yml' },
      { remote: 'https://example.com/a.yml' },
      { component: 'example.com/group/project/name@1' },
    ];
    for (const one of elsewhere)
      expect(specOf(file(`{include: [${JSON.stringify(one)}]}`)).to).toEqual({ include: [{ written: one }] });
    const project = { project: 'group/project', file: 'a.yml', ref: 'v1' };
    expect(specOf(file(`{include: [${JSON.stringify(project)}]}`)).to).toEqual({
      include: [{ written: project }],
    });
  });
  test('inputs of another project', () => {
    expect(specOf(file('{project: p, inputs: {a: [1, {b: null}]}}')).inputs).toEqual({ a: [1, { b: null }] });
  });
});

test.each([
  ['{}', 'language/type 3:24 trigger needs a project or an include'],
  ['{project: p, include: a.yml}', 'language/type 3:34 trigger.project cannot be used together with include'],
  ['{include: a.yml, branch: x}', 'trigger.branch cannot be used together with include'],
  ['{include: a.yml, inputs: {a: 1}}', 'trigger.inputs must be set in an entry of include'],
  ['{project: p, strategy: wait}', 'trigger.strategy must be "depend" or "mirror"'],
  ['{project: p, forward: {yaml: true}}', 'has an unknown key "yaml"'],
  ['{include: [a.yml, b.yml, c.yml, d.yml]}', 'must not have more than 3 files'],
  ['{include: []}', 'must not be empty'],
  ['{include: {artifact: g.yml}}', 'language/missing 3:34 trigger.include[0].job is missing'],
  ['{include: {artifact: g.json, job: gen}}', 'must end in .yml or .yaml'],
  ['{include: {artifact: ../g.yml, job: gen}}', 'must stay inside the project'],
  ['{include: {lokal: a.yml}}', 'trigger.include[0] has an unknown key "lokal"'],
  ['{include: {artifact: g.yml, job: gem}}', 'language/unknown-job'],
  ['p, script: x', '"t" triggers a pipeline, so it cannot have script'],
  ['p, image: x', 'so it cannot have image'],
  ['p, tags: [x]', 'so it cannot have tags'],
  ['p, retry: 1', 'so it cannot have retry'],
  ['p, when: delayed, start_in: 1 min', 'it cannot be delayed'],
  ['p, rules: [{when: delayed, start_in: 1 min}]', 'a rule cannot delay it'],
  ['p, allow_failure: {exit_codes: 1}', 'it has no exit code'],
  ['p, needs: [{project: p, ref: r, job: j}]', 'it cannot take artifacts of other pipelines'],
  ['p, parallel: 3', 'would do the same trigger 3 times'],
])('trigger: %s is a mistake', (text, message) => {
  expect(mistakes(file(text)).join('\n')).toContain(message);
});

test('what can be combined with it; default does not apply', () => {
  const more =
    ', rules: [{if: $CI, when: manual, allow_failure: true}], needs: [gen], resource_group: g, interruptible: true, environment: prod, parallel: {matrix: [{A: [x, y]}]}, variables: {V: $A}';
  const text = `default: {image: i, retry: 2, tags: [t], before_script: [x]}\n${file('p', more)}`;
  const all = jobs(text);
  expect(Object.keys(all)).toEqual(['gen', 't: [x]', 't: [y]']);
  const values = all['t: [y]'];
  expect(values && variable(values, 'V')).toBe('y');
  expect(values?.job).toMatchObject({ when: 'manual', retry: { max: 0 }, tags: [], resourceGroup: 'g' });
});

describe('forwarded variables', () => {
  const passed = (text: string, more: Overrides = {}): Record<string, unknown> =>
    Object.fromEntries(specOf(text, more).variables.map((one) => [one.name, one.value]));
  const given = { trigger: { variables: { G: 'given', RUN: 'r' } } };
  const text = (trigger: string): string =>
    `variables: {G: "1", D: "$$x"}\n${file(trigger, ', variables: {V: "v-$G"}')}`;

  test('those of the file and the job, with their values replaced here; those of the run only on request', () => {
    expect(passed(text('p'), given)).toEqual({
      G: { literal: '1' },
      D: { literal: '$x' },
      V: { literal: 'v-given' },
    });
    const both = passed(text('{project: p, forward: {pipeline_variables: true}}'), given);
    expect(both).toMatchObject({ G: { literal: 'given' }, RUN: { literal: 'r' } });
    expect(passed(text('{project: p, forward: {yaml_variables: false}}'), given)).toEqual({});
    expect(Object.keys(passed(file('p', ', inherit: {variables: false}, variables: {A: b}')))).toEqual(['A']);
  });
  test('a secret is forwarded as its reference; text around it only to a child', () => {
    const more = { instanceVariables: [secret] };
    const alone = ', variables: {T: $TOKEN}';
    expect(specOf(file('p', alone), more).variables).toEqual([
      { name: 'T', value: { secret: 'env:T' }, masked: true, file: false, from: 'pipeline' },
    ]);
    const around = ', variables: {T: "Bearer $TOKEN"}';
    expect(mistakes(file('p', around), more).join()).toContain('language/secret');
    expect(specOf(file('{include: a.yml}', around), more).variables).toEqual([
      {
        name: 'T',
        value: { literal: 'Bearer ${TOKEN}' },
        masked: true,
        file: false,
        from: 'pipeline',
        late: true,
      },
    ]);
    expect(JSON.stringify(job(file('{include: a.yml}', around), 't', more).job)).not.toContain('TOKEN');
  });
  test('values of a running job are empty here, those of dotenv reports are added later', () => {
    const dotenv = `stages: [a, b]\ngen: {stage: a, image: x, script: x, artifacts: {reports: {dotenv: e}}}\nt: {stage: b, trigger: p, variables: {J: "j$CI_JOB_ID", D: "$FROM_DOTENV"}}`;
    expect(passed(dotenv)).toEqual({ J: { literal: 'j' }, D: { literal: '${FROM_DOTENV}' } });
  });
});

describe('a downstream pipeline', () => {
  const forwarded = [
    { name: 'A', value: { literal: '$x' }, masked: false, file: false },
    { name: 'T', value: { literal: 'Bearer ${TOKEN}' }, masked: true, file: false, late: true },
    { name: 'S', value: { secret: 'env:S' as const }, masked: true, file: false },
  ];
  const text = `variables: {A: "0"}\nj: {image: x, script: x, rules: [{if: '$CI_PIPELINE_SOURCE == "parent_pipeline" && $A == "$x"'}]}`;
  test('knows its parent, and its forwarded variables override all others', () => {
    const compiled = job(text, 'j', { ...CHILD, forwarded, instanceVariables: [secret] });
    expect(variable(compiled, 'A')).toBe('$x');
    expect(compiled.spec.variables.find((one) => one.name === 'T')).toMatchObject({
      value: { literal: 'Bearer ${TOKEN}' },
      masked: true,
      late: true,
    });
    expect(compiled.spec.variables.find((one) => one.name === 'S')?.value).toEqual({ secret: 'env:S' });
  });
  test('only and except have names for both sources', () => {
    const policies = `c: {image: x, script: x, only: [parent_pipelines]}\np: {image: x, script: x, only: [pipelines]}\nn: {image: x, script: x, except: [parent_pipelines]}`;
    expect(keysOf(policies, CHILD)).toEqual(['c']);
    expect(
      keysOf(policies, { trigger: { source: 'pipeline', upstream: { ...upstream, depth: 0 } } }),
    ).toEqual(['p', 'n']);
  });
  test('runs for [skip ci]; a job without rules does not run for a merge request', () => {
    const plain = 'j: {image: x, script: x}\nr: {image: x, script: x, rules: [{if: $CI_MERGE_REQUEST_IID}]}';
    expect(keysOf(plain, { trigger: { ...CHILD.trigger, message: '[skip ci]' } })).toEqual(['j']);
    expect(keysOf(plain, { trigger: { ...MERGE.trigger, ...CHILD.trigger } })).toEqual(['r']);
  });
  test('compares changes as its parent does', () => {
    const changes =
      'j: {image: x, script: x, rules: [{changes: [a]}]}\nk: {image: x, script: x, rules: [{if: $CI}]}';
    const pushed = { ...CHILD.trigger, before: 'b'.repeat(40) };
    expect(keysOf(changes, { trigger: pushed, changed: { '': ['b'] } })).toEqual(['k']);
    const asked = { ...pushed, upstream: { ...upstream, origin: 'api' as const } };
    expect(keysOf(changes, { trigger: asked, changed: { '': ['b'] } })).toEqual(['j', 'k']);
  });
  test('publishes artifacts under the number of its family', () => {
    const giving = 'j: {image: x, script: x, artifacts: {paths: [o]}}';
    expect(job(giving, 'j', CHILD).spec.gives).toMatchObject({ root: 1000 });
  });
});
