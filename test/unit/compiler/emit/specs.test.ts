import { compileLimits } from '../../../../src/compiler/variables/installation.ts';
import { installationSchema } from '../../../../src/installation.ts';
import { describe, expect, test } from 'vitest';
import { serviceAliases } from '../../../../src/plan/policy/service-aliases.ts';
import type { ScriptSpec } from '../../../../src/plan/model/spec.ts';
import { job, mistakes, run, variable, type Overrides } from '../helpers.ts';

function spec(rest: string, more: Overrides = {}): ScriptSpec {
  const { spec: found } = job(`j: {image: x, script: [x], ${rest}}`, 'j', more);
  if (found.kind !== 'script') throw new Error(found.kind);
  return found;
}

describe('image and services', () => {
  test('a name, or a map with variables in it', () => {
    const text =
      'j: {script: x, image: {name: "$CI_REGISTRY/a:1", entrypoint: [""], docker: {user: 1000, platform: linux/arm64}, pull_policy: [always, if-not-present]}}';
    expect(job(text, 'j').spec).toMatchObject({
      image: {
        name: '127.0.0.1:5000/a:1',
        entrypoint: [''],
        user: '1000',
        platform: 'linux/arm64',
        pullPolicy: 'always',
      },
    });
  });
  test('the image of the installation serves jobs that name none', () => {
    expect(job('j: {script: x}', 'j', { defaultImage: 'busybox' }).spec).toMatchObject({
      image: { name: 'busybox' },
    });
  });
  test('if it has none, the helper image does, with one warning', () => {
    const answer = run('a: {script: x}\nb: {script: x}');
    expect(answer).toMatchObject({
      kind: 'plan',
      jobs: [{ spec: { image: { name: 'davit/helper:1' } } }, {}],
      warnings: [{ code: 'language/no-image', severity: 'warning', message: /"a" and 1 more name no image/ }],
    });
  });
  test("services: names, aliases, commands and their own variables over the file's", () => {
    const { services } = spec(
      'variables: {A: file, B: file}, services: [redis:7, {name: "postgres:$CI_PIPELINE_IID", alias: "db, pg", command: [serve, $A], variables: {B: "own-$A", C: c}}]',
    );
    expect(services).toMatchObject([
      { name: 'redis:7', aliases: ['redis'] },
      { name: 'postgres:7', aliases: ['postgres', 'db', 'pg'], command: ['serve', 'file'] },
    ]);
    expect(services[1]?.variables.map((one) => [one.name, one.value])).toEqual([
      ['A', { literal: 'file' }],
      ['B', { literal: 'own-file' }],
      ['C', { literal: 'c' }],
    ]);
  });
  test('a service gets no masked variable that the file does not name', () => {
    const project = {
      variables: [{ name: 'S', value: { secret: 'env:S' } as const, masked: true, file: false }],
    };
    expect(spec('services: [x]', { project }).services[0]?.variables).toEqual([]);
    expect(
      spec('services: [{name: x, variables: {P: $S}}]', { project }).services[0]?.variables,
    ).toMatchObject([{ name: 'P', value: { literal: '${S}' }, late: true, masked: true }]);
  });
  test.each([
    ['postgres:16', ['postgres']],
    [
      'registry.example.com:5000/team/db:1',
      ['registry.example.com__team__db', 'registry.example.com-team-db'],
    ],
    ['team/db@sha256:abc', ['team__db', 'team-db']],
  ])('%s has its host names', (image, aliases) => expect(serviceAliases(image)).toEqual(aliases));
  test('has an alias beside them; a name belongs to the first service that has it', () => {
    const services = '[{name: "team/db:1", alias: "db, main"}, {name: "team/db:2", alias: db}, redis]';
    expect(spec(`services: ${services}`).services.map(({ aliases }) => aliases)).toEqual([
      ['team__db', 'team-db', 'db', 'main'],
      [],
      ['redis'],
    ]);
  });
});

describe('scripts', () => {
  test('before_script and script are one, after_script another', () => {
    expect(spec('before_script: [a, [b, c]], after_script: d')).toMatchObject({
      script: ['a', 'b', 'c', 'x'],
      afterScript: ['d'],
    });
  });
  test('nested up to ten levels', () => {
    const nest = (levels: number): string => `${'['.repeat(levels)}x${']'.repeat(levels)}`;
    expect(mistakes(`j: {image: x, script: ${nest(10)}}`)).toEqual([]);
    expect(mistakes(`j: {image: x, script: ${nest(12)}}`).join()).toContain('deeper than 10 levels');
  });
});

describe('artifacts', () => {
  test('all of it', () => {
    expect(
      spec(
        'artifacts: {paths: [out/, "$CI_JOB_STAGE/*.log"], exclude: [out/tmp], name: "$CI_JOB_NAME", when: always, untracked: true, expire_in: 1 week, reports: {dotenv: v.env}}',
      ).artifacts,
    ).toEqual({
      paths: ['out/', 'test/*.log'],
      exclude: ['out/tmp'],
      name: 'j',
      when: 'always',
      untracked: true,
      expireInMs: 604_800_000,
      dotenv: ['v.env'],
    });
  });
  test('expire_in: never keeps them', () =>
    expect(spec('artifacts: {paths: [a], expire_in: never}').artifacts).not.toHaveProperty('expireInMs'));
  test('artifacts without expire_in have the age of the installation, and never is never', () => {
    const limits = { jobTimeoutMs: 1_000, gateExpiryMs: 1_000, artifactAgeMs: 5_000 };
    const age = (artifacts: string): number | undefined =>
      spec(`artifacts: ${artifacts}`, { limits }).artifacts?.expireInMs;
    expect(age('{paths: [a]}')).toBe(5_000);
    expect(age('{paths: [a], expire_in: 1 s}')).toBe(1_000);
    expect(age('{paths: [a], expire_in: never}')).toBeUndefined();
    const of = (limitsOf: object) => compileLimits(installationSchema.parse({ limits: limitsOf }).limits);
    expect(of({}).artifactAgeMs).toBe(30 * 86_400_000);
    expect(of({ artifact_age: 'never' })).not.toHaveProperty('artifactAgeMs');
  });
  test("a path that begins with the project's directory is inside it", () => {
    expect(spec('artifacts: {paths: ["$CI_PROJECT_DIR/out", "$CI_PROJECT_DIR"]}').artifacts?.paths).toEqual([
      'out',
      '.',
    ]);
  });
  test('a path that leads out of the project is not stored, with a warning', () => {
    const of = (artifacts: string): [unknown, string[]] => {
      const answer = run(`j: {image: x, script: x, variables: {D: ../up, E: /etc}, artifacts: ${artifacts}}`);
      if (answer.kind !== 'plan') throw new Error(answer.kind);
      return [answer.jobs[0]?.spec, answer.warnings.map((one) => one.code)];
    };
    for (const path of ['../no', '/etc', '$D', '$E', 'a/../../b'])
      expect(of(`{paths: [ok, ${path}]}`)).toMatchObject([
        { artifacts: { paths: ['ok'] } },
        ['language/path'],
      ]);
    expect(of('{paths: [a], reports: {junit: [../a, b], dotenv: /c}}')).toMatchObject([
      { artifacts: { dotenv: [], reports: [{ kind: 'junit', paths: ['b'] }] } },
      ['language/path', 'language/path'],
    ]);
    expect(of('{paths: [a/../b]}')[1]).toEqual([]);
  });
});

describe('the common part', () => {
  test('project, commit, source, directory', () => {
    expect(
      spec('timeout: 5 min', { trigger: { fork: true }, project: { protectedRef: false } }),
    ).toMatchObject({
      version: 1,
      kind: 'script',
      key: 'j',
      group: 'j',
      stage: 'test',
      project: 'table',
      ref: 'main',
      sha: '0123456789abcdef0123456789abcdef01234567',
      protectedRef: false,
      fork: true,
      source: `sha256:${'a'.repeat(64)}`,
      projectDir: '/builds/table',
      timeoutMs: 300_000,
    });
  });
  test('is plain JSON', () => {
    const compiled = job('j: {image: x, script: x, artifacts: {paths: [a]}}', 'j');
    expect(JSON.parse(JSON.stringify(compiled))).toEqual(compiled);
  });
});

describe('hooks', () => {
  test('pre_get_sources_script is a script of its own', () => {
    const { spec } = job(
      'default: {hooks: {pre_get_sources_script: [a, [b]]}}\nj: {image: x, script: x}',
      'j',
    );
    expect(spec.kind === 'script' && spec.preGetSources).toEqual(['a', 'b']);
  });
});

test('a commit message that no program could take is cut, and that is told', () => {
  const of = (message: string) => {
    const commit = { author: 'a', timestamp: '2026-01-02T03:04:05Z', message };
    const made = job('j: {image: x, script: x}', 'j', { commit });
    return [variable(made, 'CI_COMMIT_MESSAGE'), variable(made, 'CI_COMMIT_MESSAGE_IS_TRUNCATED')];
  };
  const long = `title\n\na${'ü'.repeat(100 * 1024)}`;
  const [cut = '', isCut] = of(long);
  expect([
    long.startsWith(cut),
    Buffer.byteLength(cut) > 102_390,
    Buffer.byteLength(cut) <= 102_400,
    isCut,
  ]).toEqual([true, true, true, 'true']);
  expect(of('title')).toEqual(['title', 'false']);
});
