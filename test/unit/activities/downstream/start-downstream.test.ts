/**
 * How a downstream pipeline is started, by whom, and with which input. Stores in memory, git's heads as a
 * list.
 */
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { DownstreamInput } from '../../../../activities/contract.ts';
import { makeStartDownstream } from '../../../../activities/downstream/start-downstream.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { TriggerSpec } from '../../../../src/plan/model/spec.ts';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import { triggerOf } from '../../../support/plans.ts';
import { asActivity, memoryBlobs, memoryRecords, steadyRights, testFacts } from '../fakes.ts';
import { readDownstream } from '../../../../activities/runtime/downstream-config.ts';

const SHA = 'd'.repeat(40);
const heads = [
  { ref: 'refs/heads/main', sha: SHA, commit: SHA },
  { ref: 'refs/heads/dev', sha: SHA, commit: SHA },
  { ref: 'refs/heads/both', sha: SHA, commit: SHA },
  { ref: 'refs/tags/both', sha: SHA, commit: SHA },
];
const projects = [
  { name: 'front' },
  { name: 'back', repository: 'group/back', clone_url: 'https://git.test/back.git', triggered_by: ['front'] },
  { name: 'shut', clone_url: 'https://git.test/shut.git' },
];

interface Case {
  to: TriggerSpec['to'];
  variables?: TriggerSpec['variables'];
  trigger?: Partial<Trigger>;
  protectedRef?: boolean;
  input?: Partial<DownstreamInput>;
}
function bench() {
  const blobs = memoryBlobs();
  const started: Trigger[] = [];
  const facts = testFacts();
  const start = makeStartDownstream({
    blobs,
    records: memoryRecords(),
    source: { heads: async () => heads },
    secrets: { resolve: async () => '', seal: (bytes) => bytes, unseal: (bytes) => bytes },
    rights: steadyRights,
    workflows: { start: async (trigger) => void started.push(trigger) },
    facts: {
      ...facts,
      config: { ...facts.config, projects: installationSchema.parse({ projects }).projects },
    },
  });
  const put = (value: unknown) => blobs.putBytes(new TextEncoder().encode(JSON.stringify(value)));
  const ask = async ({ to, variables = [], trigger, protectedRef = true, input }: Case) => {
    const spec = await put({ version: 1, kind: 'trigger', to, variables, protectedRef });
    const ref = { pipeline: 'front/1' as const, job: 'go', jobId: 7, attempt: 1, epoch: 1 };
    const more = { files: [], dotenv: [], at: 5, ...input };
    const asked = { ref, number: 100, trigger: triggerOf('front', trigger), spec, ...more };
    return asActivity(start, asked);
  };
  return { blobs, started, put, ask };
}

describe('another project', () => {
  test('gets a trigger of its own: head of the branch, without the source of the parent', async () => {
    const { ask, started } = bench();
    expect(await ask({ to: { project: 'group/back' } })).toEqual({ project: 'back' });
    expect(started[0]).toMatchObject({
      project: 'back',
      source: 'pipeline',
      key: 'downstream:front/1:1:go',
      ref: 'main',
      refKind: 'branch',
      sha: SHA,
      before: '0'.repeat(40),
      upstream: { depth: 0, root: 100, chain: ['front main push', 'back main pipeline'] },
    });
    expect(started[0]?.upstream?.family).toBeUndefined();
  });
  test.each<[string, Case, string]>([
    ['that is not there', { to: { project: 'nobody' } }, 'no project nobody'],
    ['that does not name this one', { to: { project: 'shut' } }, 'triggered_by'],
    ['from a fork', { to: { project: 'back' }, trigger: { fork: true } }, 'fork'],
    ['on a protected ref from another', { to: { project: 'back' }, protectedRef: false }, 'is protected'],
    ['without that branch', { to: { project: 'back', branch: 'gone' } }, 'no branch and no tag gone'],
    [
      'with a branch and a tag of one name',
      { to: { project: 'back', branch: 'both' } },
      'both a branch and a tag',
    ],
    ['that is this one', { to: { project: 'front' } }, 'trigger:include only'],
  ])('%s is refused', async (_what, one, message) => {
    const { ask, started } = bench();
    expect(JSON.stringify(await ask(one))).toContain(message);
    expect(started).toEqual([]);
  });
  test('an unprotected ref is open to unprotected pipelines', async () => {
    const { ask } = bench();
    expect(await ask({ to: { project: 'back', branch: 'dev' }, protectedRef: false })).toEqual({
      project: 'back',
    });
  });
  test('a cycle is refused at the third repetition', async () => {
    const { ask } = bench();
    const upstream = {
      pipeline: 'back/9' as const,
      job: 'x',
      attempt: 1,
      config: `sha256:${'0'.repeat(64)}` as const,
      depth: 0,
      root: 1,
      origin: 'pipeline' as const,
    };
    const link = 'back main pipeline';
    const once = await ask({
      to: { project: 'back' },
      trigger: { upstream: { ...upstream, chain: [link] } },
    });
    expect(once).toEqual({ project: 'back' });
    const twice = await ask({
      to: { project: 'back' },
      trigger: { upstream: { ...upstream, chain: [link, link] } },
    });
    expect(JSON.stringify(twice)).toContain('in a circle');
  });
});

test('below a pipeline that is run again is for an event of its own, started by the same people', async () => {
  const { ask, started } = bench();
  const again = { pipeline: 'front/1', source: 'push' } as const;
  const trigger = { again, startedBefore: ['ada'], actor: 'bob', source: 'api' } as const;
  for (const to of [{ include: [{ written: 'a.yml' }] }, { project: 'back' }])
    await ask({ to, trigger: { ...trigger, startedBefore: ['ada'] } });
  expect(started).toMatchObject([
    { source: 'parent_pipeline', actor: 'bob', startedBefore: ['ada'] },
    { source: 'pipeline', actor: 'bob', startedBefore: ['ada'] },
  ]);
  expect(started.map((one) => one.again)).toEqual([undefined, undefined]);
});

describe('a child', () => {
  const parent = {
    variables: { A: '1' },
    jobs: ['go'],
    file: 'x.yml',
    inputs: { a: 1 },
    sourceBlob: undefined,
  };
  test('inherits ref, commit and requester; not the variables, jobs and file of the run', async () => {
    const { ask, started } = bench();
    await ask({ to: { include: [{ written: 'a.yml' }] }, trigger: parent });
    const [child] = started;
    expect(child).toMatchObject({
      project: 'front',
      source: 'parent_pipeline',
      ref: 'main',
      sha: 'b'.repeat(40),
    });
    for (const name of ['variables', 'jobs', 'file', 'inputs']) expect(child).not.toHaveProperty(name);
    expect(child?.upstream).toMatchObject({ depth: 1, family: 100, root: 100, origin: 'push' });
  });
  test('is at most two levels deep', async () => {
    const { ask, started } = bench();
    const to = { include: [{ written: 'a.yml' }] };
    await ask({ to });
    const child = started[0]?.upstream;
    await ask({ to, trigger: { upstream: child } });
    expect(started[1]?.upstream).toMatchObject({ depth: 2, family: 100 });
    const third = await ask({ to, trigger: { upstream: started[1]?.upstream } });
    expect(JSON.stringify(third)).toContain('2 levels deep');
  });
  test('has its file from an artifact of the job; dotenv sets open variables', async () => {
    const { ask, started, blobs, put } = bench();
    const tar = pack();
    tar.entry({ name: 'out/g.yml' }, 'j: {script: x}\n');
    tar.finalize();
    const digest = await blobs.putBytes(await buffer(tar));
    const files = [{ job: 'gen', jobId: 3, artifact: { digest, bytes: 10, files: 1 } }];
    const dotenv = [{ job: 'gen', digest: await put({ V: 'a$$b' }) }];
    const late = { name: 'X', value: { literal: '<${V}>' }, masked: false, file: false, late: true };
    const include = [
      { written: { local: 'a.yml' } },
      { artifact: 'out/g.yml', jobs: ['gen'], inputs: { n: 1 } },
    ];
    expect(await ask({ to: { include }, variables: [late], input: { files, dotenv } })).toEqual({
      project: 'front',
    });
    const config = await readDownstream(blobs, started[0]?.upstream?.config ?? `sha256:${'0'.repeat(64)}`);
    const local = '.davit/artifacts/3/out/g.yml';
    expect(config.included).toEqual({ [local]: 'j: {script: x}\n' });
    expect(JSON.parse(config.file?.text ?? '')).toEqual({
      include: [{ local: 'a.yml' }, { local, inputs: { n: 1 } }],
    });
    expect(config.variables[0]?.value).toEqual({ literal: '<a$$b>' });
    expect(JSON.stringify(started)).not.toContain('a$');
    const gone = await ask({ to: { include: [{ artifact: 'no.yml', jobs: ['gen'] }] }, input: { files } });
    expect(gone).toEqual({ refused: expect.stringContaining('have no file no.yml') });
    const none = await ask({ to: { include: [{ artifact: 'no.yml', jobs: ['gen'] }] } });
    expect(none).toEqual({ refused: expect.stringContaining('has no artifacts') });
  });
});
