/** What a plan takes from the forge beside the source. */
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import { testCompiler, type CompilerOptions } from '../../../support/compiler.ts';
import { triggerOf } from '../../../support/plans.ts';
import { asActivity, testFacts } from '../fakes.ts';

const JOB = 'a: { image: x, script: x, rules: [{ when: always }] }';
const ONCE = `
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS
      when: never
    - when: always
${JOB}
`;
const sha = 'b'.repeat(40);

async function setUp(files: Record<string, string>, openRequests?: CompilerOptions['openRequests']) {
  const facts = testFacts({
    projects: [{ name: 'table' }],
    registries: [{ host: '127.0.0.1:5000', default: true }],
  });
  const { compile, blobs } = testCompiler(facts, openRequests && { openRequests });
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  const sourceBlob = await blobs.putBytes(await buffer(tar));
  const ask = (more: Partial<Trigger> = {}) =>
    asActivity(compile, {
      id: 'table/1',
      iid: 1,
      number: 12,
      trigger: triggerOf('table', { sha, before: '0'.repeat(40), sourceBlob, ...more }),
    });
  return { ask, blobs };
}

test('default branch, name and page come from the events of the forge, and stay known', async () => {
  const { ask, blobs } = await setUp({ '.gitlab-ci.yml': JOB });
  const valueOf = async (name: string, more: Partial<Trigger>): Promise<unknown> => {
    const answer = await ask(more);
    if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
    const { plan } = answer;
    const spec: { variables: { name: string; value: { literal?: string } }[] } = JSON.parse(
      blobs.text(plan.jobs[0]?.spec ?? ''),
    );
    return spec.variables.findLast((one) => one.name === name)?.value.literal;
  };
  expect(await valueOf('CI_DEFAULT_BRANCH', {})).toBe('main');
  expect(await valueOf('CI_PROJECT_PATH', {})).toBe('table');
  const repository = { id: '7', path: 'acme/table', url: 'https://forge.test/acme/table' };
  const event = { repository, defaultBranch: 'trunk' };
  for (const more of [event, { source: 'schedule' as const }]) {
    expect(await valueOf('CI_DEFAULT_BRANCH', more)).toBe('trunk');
    expect(await valueOf('CI_PROJECT_PATH', more)).toBe('acme/table');
    expect(await valueOf('CI_PROJECT_NAMESPACE', more)).toBe('acme');
    expect(await valueOf('CI_PROJECT_URL', more)).toBe('https://forge.test/acme/table');
  }
});

test('a branch with an open merge request leaves the pipeline to it, as the usual rule says', async () => {
  const asked: string[] = [];
  let answer: () => Promise<string[] | undefined> = async () => ['acme/table!3', 'acme/table!4'];
  const { ask } = await setUp({ '.gitlab-ci.yml': ONCE }, (_project, branch) => {
    asked.push(branch);
    return answer();
  });
  const mergeRequest = { iid: 3, sourceBranch: 'fix', targetBranch: 'main', sourceSha: sha, title: 'Fix' };
  expect((await ask()).kind).toBe('empty');
  const merge = {
    source: 'merge_request',
    refKind: 'merge_request',
    ref: 'refs/pull/3/head',
    mergeRequest,
  } as const;
  expect((await ask({ ...merge })).kind).toBe('plan');
  expect((await ask({ source: 'tag', refKind: 'tag', ref: 'v1' })).kind).toBe('plan');
  answer = async () => [];
  expect((await ask()).kind).toBe('plan');
  // A forge that does not say it costs a second pipeline, and never the only one.
  answer = () => Promise.reject(new Error('away'));
  expect((await ask()).kind).toBe('plan');
  expect(asked).toEqual(['main', 'main', 'main']);
  await ask({ fork: true });
  expect(asked).toHaveLength(3);
});

test('a push without a pipeline file starts nothing, and a person who asks for one is told', async () => {
  const { ask } = await setUp({ README: 'pages' });
  for (const source of ['push', 'tag', 'merge_request', 'schedule'] as const)
    expect(await ask({ source })).toEqual({
      kind: 'empty',
      reason: 'The source has no .davit.yml and no .gitlab-ci.yml.',
    });
  for (const source of ['cli', 'api', 'web', 'pipeline'] as const)
    expect((await ask({ source })).kind).toBe('invalid');
});
