/** Artifacts that a job publishes, and what another pipeline finds of them, over the real record store. */
import { steadyRights } from '../fakes.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FindArtifactsInput } from '../../../../activities/contract.ts';
import { makeFindArtifacts } from '../../../../activities/pipeline/find-artifacts.ts';
import {
  publishArtifacts,
  type PublishRequest,
} from '../../../../activities/job/finish/publish-artifacts.ts';
import { diskStores } from '../../../../src/adapters/disk/index.ts';
import type { RecordStore } from '../../../../src/adapters/ports.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { CrossPipelineAnswer } from '../../../../src/plan/model/artifacts.ts';
import type { Digest } from '../../../../src/plan/model/ids.ts';
import type { JobResult } from '../../../../src/plan/model/outcome.ts';

const digest = (digit: number): Digest => `sha256:${String(digit).repeat(64)}`;
let folder = '';
let records: RecordStore;
let gone = new Set<Digest>();
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-given-'));
  ({ records } = await diskStores(folder));
  gone = new Set();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Job `build` of pipeline N on main publishes the artifact N. */
async function given(
  number: number,
  more: Partial<PublishRequest['spec']> & { attempt?: number; failed?: boolean } = {},
): Promise<void> {
  const { attempt = 1, failed = false, ...spec } = more;
  const result: JobResult = {
    outcome: failed ? 'failed' : 'succeeded',
    started: true,
    artifacts: { digest: digest(number), bytes: 1, files: 1, ...(number === 9 && { expiresAt: 1 }) },
  };
  const giving: PublishRequest = {
    records,
    spec: {
      key: 'build',
      project: 'stub',
      protectedRef: true,
      fork: false,
      gives: { ref: 'main', number },
      ...spec,
    },
    ref: { pipeline: `stub/${number}`, jobId: number * 10, attempt },
  };
  expect(await publishArtifacts(giving, result)).toBeUndefined();
}

function find(
  more: Partial<FindArtifactsInput> = {},
  artifactsTo: string[] = ['front'],
): Promise<CrossPipelineAnswer> {
  const config = {
    ...installationSchema.parse({
      projects: [{ name: 'stub', repository: 'group/stub', artifacts_to: artifactsTo }],
    }),
    helper_image: 'x',
  };
  const blobs = { has: async (one: Digest) => !gone.has(one) };
  const facts = { installation: 'i', config, url: 'http://davit.test' };
  const needs = [{ project: 'group/stub', ref: 'main', job: 'build' }];
  return makeFindArtifacts({ records, blobs, facts, rights: steadyRights })({
    project: 'front',
    fork: false,
    root: 100,
    needs,
    ...more,
  });
}
const pipelineOf = async (answer: Promise<CrossPipelineAnswer>): Promise<string | undefined> => {
  const found = await answer;
  return 'given' in found ? found.given[0]?.pipeline : found.missing;
};

describe('needs:project', () => {
  test('takes the newest successful one, in any order of ends', async () => {
    await given(3);
    await given(1);
    expect(await find()).toEqual({
      given: [
        { pipeline: 'stub/3', job: 'build', jobId: 30, artifact: { digest: digest(3), bytes: 1, files: 1 } },
      ],
    });
  });
  test('a failed run provides nothing; a failed retry withdraws the artifacts of the attempt before', async () => {
    await given(1);
    await given(2, { failed: true });
    expect(await pipelineOf(find())).toBe('stub/1');
    await given(3);
    expect(await pipelineOf(find())).toBe('stub/3');
    await given(3, { failed: true, attempt: 2 });
    expect(await pipelineOf(find())).toBe('stub/1');
  });
  test('none, another job, another ref: missing, with the reason', async () => {
    expect(await pipelineOf(find())).toBe(
      'No run of build on main of group/stub has succeeded and kept artifacts yet in a protected pipeline.',
    );
    await given(1);
    expect(await pipelineOf(find({ needs: [{ project: 'stub', ref: 'main', job: 'test' }] }))).toContain(
      'No run of test',
    );
    expect(await pipelineOf(find({ needs: [{ project: 'stub', ref: 'x', job: 'build' }] }))).toContain(
      'on x of stub',
    );
    expect(await pipelineOf(find({ needs: [{ project: 'other', ref: 'main', job: 'build' }] }))).toContain(
      'There is no project other',
    );
  });
  test('of a protected branch takes only artifacts of protected pipelines', async () => {
    await given(1);
    await given(2, { protectedRef: false });
    expect(await pipelineOf(find())).toBe('stub/1');
    await given(4, { protectedRef: false, gives: { ref: 'feature', number: 4 } });
    expect(await pipelineOf(find({ needs: [{ project: 'stub', ref: 'feature', job: 'build' }] }))).toBe(
      'stub/4',
    );
  });
  test('forks neither provide nor take', async () => {
    await given(1);
    await given(2, { fork: true });
    expect(await pipelineOf(find())).toBe('stub/1');
    expect(await pipelineOf(find({ fork: true }))).toContain('A pipeline of a fork takes no artifacts');
  });
  test('another project takes only with permission; the own project needs none', async () => {
    await given(1);
    expect(await pipelineOf(find({}, []))).toContain('stub does not give its artifacts to front');
    expect(await pipelineOf(find({}, ['*']))).toBe('stub/1');
    expect(await pipelineOf(find({ project: 'stub' }, []))).toBe('stub/1');
  });
  test('artifacts that were collected are missing, not left out; expired ones that are there are given', async () => {
    await given(9);
    expect(await pipelineOf(find())).toBe('stub/9');
    gone.add(digest(9));
    expect(await pipelineOf(find())).toContain('have expired or are gone');
    await given(10);
    gone.add(digest(10));
    expect(await pipelineOf(find())).toContain('have expired or are gone');
  });
});

describe('needs:pipeline:job', () => {
  const of = (pipeline: string, root = 5): Promise<string | undefined> =>
    pipelineOf(find({ root, needs: [{ pipeline, job: 'build' }] }));
  test('takes from its own family only', async () => {
    await given(5);
    await given(6, { gives: { ref: 'main', number: 6, root: 5 } });
    expect(await of('5')).toBe('stub/5');
    expect(await of('6')).toBe('stub/6');
    expect(await of('5', 7)).toContain('neither a parent of this one nor a child');
  });
  test('a job that has not succeeded, and an invalid number, are missing', async () => {
    expect(await of('5')).toContain('build of pipeline 5 has not succeeded');
    expect(await of('')).toContain('not ""');
  });
});
