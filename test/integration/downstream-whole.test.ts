/** Downstream pipelines end to end: real containers, real stores, and a control worker that is killed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SmallDavit } from '../support/small-davit.ts';

let davit: SmallDavit;
beforeAll(async () => {
  davit = await SmallDavit.start();
  await davit.worker();
}, 120_000);
afterAll(() => davit.close(), 60_000);

const PARENT = `
stages: [make, test]
generate:
  stage: make
  image: davit/helper:1
  script:
    - echo "made by $CI_JOB_NAME" >made.txt
    - cp child.tmpl child.yml
  artifacts: { paths: [child.yml, made.txt] }
tests:
  stage: test
  variables: { LEVEL: "level-$CI_COMMIT_BRANCH", PARENT_PIPELINE_ID: $CI_PIPELINE_ID }
  trigger: { include: [{ artifact: child.yml, job: generate }], strategy: depend }
`;
const CHILD = `
default: { image: davit/helper:1 }
one:
  script: ['echo "one: $CI_PIPELINE_SOURCE $LEVEL"']
two:
  needs: [{ pipeline: $PARENT_PIPELINE_ID, job: generate }]
  rules: [{ if: '$CI_PIPELINE_SOURCE == "parent_pipeline" && $LEVEL == "level-main"' }]
  script: ['echo "two: $(cat made.txt)"']
never:
  rules: [{ if: '$CI_PIPELINE_SOURCE == "push"' }]
  script: ['false']
`;

test('a child from an artifact gets its variables, and takes artifacts of its parent', async () => {
  const id = await davit.start('tree', PARENT, { 'child.tmpl': CHILD });
  const status = await davit.verdict(id, 60_000);
  expect(status.jobs.map(({ key, result }) => [key, result?.outcome, result?.message])).toEqual([
    ['generate', 'succeeded', undefined],
    ['tests', 'succeeded', undefined],
  ]);
  expect(status.jobs[1]?.downstream).toMatchObject({ pipeline: 'tree/2', state: 'success', ended: true });
  const child = await davit.verdict('tree/2', 10_000);
  expect(child).toMatchObject({ state: 'success', upstream: { pipeline: id, job: 'tests' } });
  expect(child.jobs.map((job) => [job.key, job.outcome])).toEqual([
    ['one', 'succeeded'],
    ['two', 'succeeded'],
  ]);
  expect(await davit.log('tree/2', 'one')).toContain('\none: parent_pipeline level-main\n');
  expect(await davit.log('tree/2', 'two')).toContain('\ntwo: made by generate\n');
}, 120_000);

/**
 * First after the project was asked and before the job knows of it, then after the child has its number and
 * before anyone knows.
 */
test('a control worker killed twice while a child starts leaves exactly one child, and its parent ends correctly', async () => {
  const yaml = 'go: { trigger: { include: child.yml, strategy: depend } }';
  const child = 'j: { image: davit/helper:1, script: [echo ran] }';
  const first = await davit.dyingControl('startDownstream');
  const id = await davit.start('killed', yaml, { 'child.yml': child });
  await first.gone();
  const second = await davit.dyingControl('claimPipeline');
  await second.gone();
  await davit.replaceControl();
  const status = await davit.verdict(id, 90_000);
  expect(status).toMatchObject({ state: 'success', jobs: [{ attempt: 1, outcome: 'succeeded' }] });
  expect(status.jobs[0]?.downstream?.pipeline).toBe('killed/2');
  expect((await davit.verdict('killed/2', 10_000)).state).toBe('success');
  expect((await davit.log('killed/2', 'j')).match(/^ran$/gm)).toHaveLength(1);
  expect(await davit.status('killed/3')).toBeUndefined();
  const history = await davit.temporal.client.workflow.getHandle('project/killed').fetchHistory();
  const asked = (history.events ?? []).filter(
    (event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'trigger',
  );
  // One request for the parent, and two for the same child: the response to the first was lost.
  expect(asked).toHaveLength(3);
}, 180_000);
