/** What dotenv reports of needed jobs bring, from the pipeline file to the values of the job. */
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../../../activities/job/context/job.ts';
import { parseDotenv } from '../../../../../activities/job/finish/dotenv-report.ts';
import { environmentUrl } from '../../../../../activities/job/finish/environment-url.ts';
import { fillSpec, resolvedOf } from '../../../../../activities/job/start/resolved.ts';
import { lateValues } from '../../../../../src/compiler/variables/late-values.ts';
import type { ScriptSpec } from '../../../../../src/plan/model/spec.ts';
import { testFacts } from '../../fakes.ts';
import { job as compiled, jobs, variable, type Overrides } from '../../../compiler/helpers.ts';
import { MemoryBlobs, memorySecrets, noRegistries } from '../../../../support/job-stores.ts';

const GIVER = 'a: {stage: build, image: x, script: x, artifacts: {reports: {dotenv: v.env}}}\n';

async function jobWith(text: string, report: string, more: Overrides = {}): Promise<Job> {
  const { spec } = compiled(GIVER + text, 'j', more);
  const blobs = new MemoryBlobs();
  const digest = await blobs.putBytes(new TextEncoder().encode(JSON.stringify(parseDotenv(report, 'v.env'))));
  const worker = {
    hostName: 'board',
    hostId: 'h',
    tags: [],
    platform: 'linux/arm64',
    version: '1',
    arches: ['arm64'],
  };
  const parts = {
    spec,
    input: {
      ref: { pipeline: 'p/1', job: 'j', jobId: 7, attempt: 1, epoch: 1 },
      dotenv: [{ job: 'a', digest }],
      dispatchedAt: 0,
      tags: [],
    },
    deps: {
      blobs,
      secrets: memorySecrets({ 'env:S': 'hidden-value' }),
      registries: noRegistries(),
      credentials: { forJob: async () => undefined },
      serverAuthority: async () => undefined,
      facts: testFacts(),
      worker,
    },
    lease: { taskQueue: 'arm64', signal: new AbortController().signal },
    log: { masked: (shown: string) => shown },
  };
  return parts as unknown as Job; // what variables are made from
}
const valuesOf = async (
  text: string,
  report: string,
  more: Overrides = {},
): Promise<Record<string, string>> =>
  Object.fromEntries((await resolvedOf(await jobWith(text, report, more))).values);
const j = (keys: string): string => `j: {image: x, script: x, ${keys}}`;

describe('a value of a report', () => {
  test.each([
    ['Q="dq"', { Q: '"dq"' }],
    ["Q='sq'", { Q: "'sq'" }],
    ['REF=$CI_COMMIT_BRANCH', { REF: 'main' }],
    ['REF=${OWN}-%OWN%', { REF: 'own-own' }],
    ['A=$B\nB=$C\nC=c', { A: 'c', B: 'c' }],
    ['A=<$NOBODY>', { A: '<>' }],
    ['A=$$HOME', { A: '$HOME' }],
    ['A=${OWN:-x}', { A: '' }],
    ['A=$A', { A: '$A' }],
    ['OWN=$OWN:more', { OWN: 'own:more' }],
    ['A=$B\nB=$A', { A: '' }],
    ['\uFEFFA=1', { A: '1' }],
  ])('%j', async (report, expected) => {
    expect(await valuesOf(j('variables: {OWN: own}'), report)).toMatchObject(expected);
  });
});

describe('a report replaces a variable of the file inside of other values too', () => {
  const PRE = 'variables: {HOST: default, X: pre-$HOST, Y: "<$X>", Z: "${H_${N}}", N: "1", H_1: one}';
  test('of the job', async () => {
    expect(await valuesOf(j(PRE), 'HOST=h1')).toMatchObject({ X: 'pre-h1', Y: '<pre-h1>', Z: 'one' });
    expect(await valuesOf(j(PRE), 'OTHER=1')).toMatchObject({ X: 'pre-default', Y: '<pre-default>' });
    expect(await valuesOf(j(PRE), 'H_1=two')).toMatchObject({ Z: 'two' });
  });
  test('of the file, of the matrix and of the rule', async () => {
    expect(
      await valuesOf(`variables: {HOST: f}\n${j('variables: {X: pre-$HOST}')}`, 'HOST=h1'),
    ).toMatchObject({ X: 'pre-h1' });
    expect(
      await valuesOf(j('variables: {X: pre-$HOST}, rules: [{variables: {HOST: r}}]'), 'HOST=h1'),
    ).toMatchObject({ X: 'pre-h1' });
  });
  test('but not one of the project, and not where the plan needs it', async () => {
    const variables = [{ name: 'HOST', value: { literal: 'p' }, masked: false, file: false }];
    const text = j(
      'variables: {HOST: f, X: pre-$HOST}, tags: ["t-$HOST"], environment: "e-$HOST", resource_group: "r-$HOST"',
    );
    expect(await valuesOf(text, 'HOST=h1', { project: { variables } })).toMatchObject({
      X: 'pre-p',
      HOST: 'p',
    });
    const { job } = compiled(GIVER + text, 'j');
    expect(job).toMatchObject({ tags: ['t-f'], environment: { name: 'e-f' }, resourceGroup: 'r-f' });
  });
  test('a secret in it stays one', async () => {
    const variables = [{ name: 'KEY', value: { secret: 'env:S' as const }, masked: true, file: false }];
    const more = { project: { variables } };
    const text = j('variables: {URL: "u:$KEY@h", X: "<$URL>"}');
    const { values, masked } = await resolvedOf(await jobWith(text, 'A=1', more));
    expect(values.get('X')).toBe('<u:hidden-value@h>');
    expect(masked).toEqual(expect.arrayContaining(['u:hidden-value@h', '<u:hidden-value@h>']));
  });
  test('a job that needs no report is planned as before', () => {
    expect(variable(compiled(GIVER + j(`needs: [], ${PRE}`), 'j'), 'Y')).toBe('<pre-default>');
  });
});

describe('what else the machine fills in', () => {
  const KEYS = `
  variables: {HOST: default, OUT: out}
  services: [{name: "db:$HOST", command: ["--host=$HOST"]}, {name: web, alias: "web-$HOST"}]
  artifacts: {paths: ["$OUT/$HOST", "$CI_JOB_ID"], exclude: ["$OUT/x"], reports: {junit: "$HOST.xml", dotenv: "$HOST.env"}}
  cache: {paths: ["c-$HOST"]}
`;
  const TEXT = `j:\n  image: {name: "img:$HOST", docker: {user: "u-$HOST"}}\n  script: x${KEYS}`;
  const filled = async (report: string): Promise<ScriptSpec> => {
    const job = await jobWith(TEXT, report);
    await fillSpec(job);
    await fillSpec(job);
    if (job.spec.kind !== 'script') throw new Error('another kind');
    return job.spec;
  };
  test('image, services, artifacts, reports and caches', async () => {
    const spec = await filled('HOST=h1');
    expect(spec).toMatchObject({
      image: { name: 'img:h1', user: 'u-h1' },
      services: [
        { name: 'db:h1', aliases: ['db'], command: ['--host=h1'] },
        { name: 'web', aliases: ['web', 'web-h1'] },
      ],
      artifacts: {
        paths: ['out/h1', '7'],
        exclude: ['out/x'],
        dotenv: ['h1.env'],
        reports: [{ kind: 'junit', paths: ['h1.xml'] }],
      },
      caches: [{ paths: ['c-h1'] }],
    });
  });
  test('with what the file says when the report has no such name', async () => {
    expect(await filled('A=1')).toMatchObject({
      image: { name: 'img:default' },
      artifacts: { paths: ['out/default', '7'] },
    });
  });
});

describe('the address of the environment', () => {
  const text = j('variables: {HOST: default}, environment: {name: e, url: "http://$HOST.x"}');
  test('is a variable of the job, with values of reports', async () => {
    expect(await valuesOf(text, 'HOST=h1')).toMatchObject({ CI_ENVIRONMENT_URL: 'http://h1.x' });
    expect(await valuesOf(text, 'A=1')).toMatchObject({ CI_ENVIRONMENT_URL: 'http://default.x' });
    const alone = jobs(text.replace('$HOST', '$HOST.$CI_ENVIRONMENT_SLUG'));
    expect(alone.j && variable(alone.j, 'CI_ENVIRONMENT_URL')).toBe('http://default.e.x');
  });
  test('of the deployment, above all by its own report', async () => {
    const job = await jobWith(text, 'HOST=h1');
    const own = await job.deps.blobs.putBytes(new TextEncoder().encode('{"HOST":"mine"}'));
    const done = { outcome: 'succeeded' as const };
    expect(await environmentUrl(job, done, [])).toBe('http://h1.x');
    expect(await environmentUrl(job, { ...done, dotenv: own }, [])).toBe('http://mine.x');
  });
});

test('a run on a protected ref does not come to choose the image by way of a report', () => {
  const text = GIVER + j('variables: {BASE: file}').replace('image: x', 'image: "$BASE/$TOOL"');
  const { spec } = compiled(text, 'j', { trigger: { variables: { BASE: 'evil', TOOL: 'evil' } } });
  expect(spec).toMatchObject({ image: { name: 'file/' } });
});

test('values wait for each other in any order', () => {
  const list = [
    { name: 'A', text: '${B}!', kind: 'late' as const },
    { name: 'B', text: '<$C>', kind: 'dotenv' as const },
    { name: 'C', text: '$$', kind: 'late' as const },
  ];
  for (const order of [list, list.toReversed()])
    expect(Object.fromEntries(lateValues(order))).toEqual({ A: '<$>!', B: '<$>', C: '$' });
});

test('a program before the script sees what is not secret', async () => {
  const text = j(`variables: {COLOUR: red, PATH: /x, LINK: "https://u:$S@h", BIG: "${'x'.repeat(70_000)}"}`);
  const variables = [
    { name: 'S', value: { secret: 'env:S' as const }, masked: true, file: false },
    { name: 'SHOWN', value: { secret: 'env:S' as const }, masked: false, file: false },
    { name: 'CERT', value: { literal: 'text' }, masked: false, file: true },
  ];
  const job = await jobWith(text, 'FROM_REPORT=1\nCOPY=hidden-value', { project: { variables } });
  const { open } = await resolvedOf(job);
  expect(open).toEqual(expect.arrayContaining(['COLOUR=red', 'FROM_REPORT=1', 'CI_JOB_ID=7']));
  expect(open.join('\n')).not.toMatch(/hidden-value|^(?:PATH|BIG|CERT|S|SHOWN)=/m);
});
