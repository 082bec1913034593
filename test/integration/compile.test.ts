/** compilePipeline with the real git, the real compiler, and stores in memory. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  makeFindRecord,
  makeLoadRecord,
  makeRecordPipeline,
} from '../../activities/pipeline/record-pipeline.ts';
import { isDigest, type Digest } from '../../src/plan/model/ids.ts';
import type { PipelineEntry, PipelineRecord } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { testCompiler } from '../support/compiler.ts';
import { asActivity, testFacts } from '../unit/activities/fakes.ts';

const run = promisify(execFile);
let folder: string;
let url: string;
let sha: string;

const FILE = `
stages: [test, build, push]
default: { image: busybox }
unit: { stage: test, script: [echo "$GREETING"], only: [branches, merge_requests] }
build:table:
  stage: build
  build: { platforms: [arm32, amd64], args: { V: $CI_COMMIT_SHORT_SHA } }
push:table:
  stage: push
  push: { from: build:table, tags: [latest] }
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-compile-'));
  const work = join(folder, 'work');
  await mkdir(work);
  await writeFile(join(work, '.gitlab-ci.yml'), FILE);
  await writeFile(
    join(work, 'broken.yml'),
    'unit:\n  scirpt: [x]\nother: { script: [x], needs: [nobody] }\n',
  );
  await writeFile(
    join(work, 'locks.yml'),
    'a: { image: x, script: x, resource_group: "$G", variables: { G: board } }\nb: { image: x, script: x, resource_group: other }\nc: { image: x, script: x }\n',
  );
  await mkdir(join(work, 'ci'));
  await writeFile(join(work, 'ci/one.yml'), 'include: /ci/two.yml\none: { image: x, script: x }\n');
  await writeFile(join(work, 'ci/two.yml'), 'two: { image: x, script: x }\n');
  await writeFile(
    join(work, 'deep.yml'),
    'a: { image: x, script: x, variables: { GIT_DEPTH: 0 } }\nb: { image: x, script: x, variables: { GIT_DEPTH: 3 } }\n',
  );
  await writeFile(join(work, 'parts.yml'), 'include: ci/o*.yml\n');
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=Ada', '-c', 'user.email=a@example.test', '-C', work, ...args]);
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '.');
  await git('commit', '--quiet', '-m', 'First');
  sha = (await git('rev-parse', 'HEAD')).stdout.trim();
  url = `file://${work}`;
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const trigger = (more: Partial<Trigger> = {}): Trigger => ({
  project: 'table',
  source: 'push',
  key: 'k',
  deliveryId: 'd',
  ref: 'main',
  refKind: 'branch',
  sha,
  before: '0'.repeat(40),
  title: 'First',
  actor: 'ada',
  fork: false,
  receivedAt: 1_700_000_000_000,
  ...more,
});

function setUp(config: Record<string, unknown> = {}) {
  const facts = testFacts({
    projects: [
      {
        name: 'table',
        clone_url: url,
        resource_modes: { board: 'newest_first' },
        variables: {
          GREETING: 'hello',
          TOKEN: { secret: 'env:PROD_TOKEN', protected: true },
        },
      },
      { name: 'other', clone_url: url },
    ],
    registries: [{ host: '127.0.0.1:5000', default: true }],
    ...config,
  });
  const { compile, blobs, records } = testCompiler(facts, { protocols: ['file', 'http'] });
  const ask = (more: Partial<Trigger> = {}) =>
    asActivity(compile, { id: 'table/1', iid: 1, number: 12, trigger: trigger(more) });
  return { ask, blobs, records, facts };
}
async function planned(asked: ReturnType<ReturnType<typeof setUp>['ask']>) {
  const answer = await asked;
  if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
  return answer;
}

test('a push becomes a plan: jobs per architecture, specs by digest, numbers, source', async () => {
  const { ask, blobs } = setUp();
  const answer = await planned(ask());
  const keys = answer.plan.jobs.map((job) => job.key);
  expect(keys).toEqual(['unit', 'build:table: [arm32]', 'build:table: [amd64]', 'push:table']);
  expect(answer.jobIds).toEqual(Object.fromEntries(keys.map((key, at) => [key, at + 1])));
  expect(answer.limits.heartbeatTimeoutMs).toBe(30_000);
  expect(await blobs.has(answer.source)).toBe(true);
  for (const job of answer.plan.jobs) expect(isDigest(job.spec)).toBe(true);
  const spec = JSON.parse(blobs.text(answer.plan.jobs[1]?.spec ?? ''));
  expect(spec).toMatchObject({
    kind: 'build',
    arch: 'arm32',
    repository: '127.0.0.1:5000/table/pipelines/protected',
  });
  expect(spec.args).toEqual({ V: sha.slice(0, 8) });
  expect(spec.source).toBe(answer.source);
  const unit = blobs.text(answer.plan.jobs[0]?.spec ?? '');
  expect(unit).toContain('env:PROD_TOKEN');
  expect(unit).toContain('Ada <a@example.test>');
  expect(JSON.stringify(answer)).not.toContain('GREETING');
});

test('compiling twice gives the same plan with the same numbers', async () => {
  const { ask } = setUp();
  const [one, two] = [await planned(ask()), await planned(ask())];
  const skeleton = (answer: typeof one) => answer.plan.jobs.map((job) => ({ ...job, spec: '' }));
  expect(skeleton(two)).toEqual(skeleton(one));
  expect(two.jobIds).toEqual(one.jobIds);
});

test('protected variables need a protected ref that the forge or an operator confirms', async () => {
  const { ask, blobs } = setUp();
  const secretIn = async (more: Partial<Trigger>): Promise<boolean> => {
    const answer = await planned(ask(more));
    return blobs.text(answer.plan.jobs[0]?.spec ?? '').includes('PROD_TOKEN');
  };
  const { source: sourceBlob } = await planned(ask());
  expect(await secretIn({})).toBe(true);
  expect(await secretIn({ fork: true })).toBe(false);
  expect(await secretIn({ refKind: 'merge_request', source: 'merge_request' })).toBe(false);
  expect(await secretIn({ sourceBlob })).toBe(false);
  expect(await secretIn({ sourceBlob, role: 'developer' })).toBe(false);
  expect(await secretIn({ sourceBlob, role: 'operator' })).toBe(false);
  expect(await secretIn({ sourceBlob, role: 'operator', local: true })).toBe(true);
  expect(await secretIn({ sourceBlob, role: 'developer', local: true })).toBe(false);
  expect(await secretIn({ sourceBlob, role: 'operator', local: true, ref: 'feature' })).toBe(false);
});

test("a resource group's mode comes from the installation file", async () => {
  const { ask } = setUp();
  const { plan } = await planned(ask({ file: 'locks.yml' }));
  expect(plan.jobs.map((job) => [job.resourceGroup, job.resourceMode])).toEqual([
    ['board', 'newest_first'],
    ['other', undefined],
    [undefined, undefined],
  ]);
});

test('included files come from the fetched source, by wildcard and nested', async () => {
  const { ask } = setUp();
  const { plan } = await planned(ask({ file: 'parts.yml' }));
  expect(plan.jobs.map((job) => job.key)).toEqual(['two', 'one']);
});

const lfsPointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 100\n`;
test('a branch of an odd name, a linked pipeline file, a name that is not UTF-8, a pointer of LFS', async () => {
  const work = join(folder, 'odd');
  const ref = "fix/don't; v2(final)-🚀".replaceAll(' ', '');
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=Ada', '-c', 'user.email=a@example.test', '-C', work, ...args]);
  await mkdir(join(work, 'ci'), { recursive: true });
  await git('init', '--quiet', '--initial-branch=main');
  await writeFile(join(work, 'ci/main.yml'), FILE);
  await symlink('ci/main.yml', join(work, '.gitlab-ci.yml'));
  await writeFile(Buffer.concat([Buffer.from(`${work}/caf`), Buffer.from([0xe9])]), 'x');
  await writeFile(join(work, '.gitattributes'), '*.bin filter=lfs\n');
  await writeFile(join(work, 'big.bin'), lfsPointer);
  await git('checkout', '--quiet', '-b', ref);
  await git('add', '.');
  await writeFile(join(work, 'message'), `long\n\n${'word '.repeat(40_000)}`);
  await git('commit', '--quiet', '-F', join(work, 'message'));
  const odd = (await git('rev-parse', 'HEAD')).stdout.trim();
  const { ask } = setUp({ projects: [{ name: 'table', clone_url: `file://${work}` }] });
  const { plan, warnings } = await planned(ask({ ref, sha: odd }));
  expect(plan.jobs.map((job) => job.key)).toContain('unit');
  expect(warnings.join('\n')).toMatch(/Git LFS: big\.bin is a pointer in this pipeline/);
});

test('mistakes in the file are returned together, with places and codes', async () => {
  const { ask } = setUp();
  const answer = await ask({ file: 'broken.yml' });
  if (answer.kind !== 'invalid') throw new Error(answer.kind);
  expect(answer.problems.length).toBeGreaterThan(1);
  expect(answer.problems.join('\n')).toMatch(/^broken\.yml:2:3 .*\[language\//m);
});

test('an event of the reconciler is named after its commit', async () => {
  const { ask } = setUp();
  expect((await planned(ask())).title).toBeUndefined();
  const reconciled = { ref: 'refs/heads/main', after: sha };
  expect((await planned(ask({ reconciled, title: 'main' }))).title).toBe('First');
});

test('a missing commit, file or source is reported, not thrown', async () => {
  const { ask } = setUp();
  const said = async (more: Partial<Trigger>): Promise<string> => {
    const answer = await ask(more);
    if (answer.kind !== 'invalid') return answer.kind;
    return `${answer.cause === 'source' ? 'source ' : ''}${answer.problems.join()}`;
  };
  expect(await said({ sha: 'e'.repeat(40) })).toMatch(/^source .*\[git\/no-commit\]/);
  const request = { refKind: 'merge_request', ref: 'refs/pull/3/head', sha: 'e'.repeat(40) } as const;
  expect(await said(request)).toMatch(
    /^source .*its refs\/pull\/3\/head does not hold it.*Push to the branch/,
  );
  expect(await said({ file: 'none.yml' })).toMatch(/^(?!source ).*\[source\/no-file\]/);
  expect(await said({ sourceBlob: `sha256:${'e'.repeat(64)}` })).toContain('[blob/missing]');
  expect(await said({ ref: '--upload-pack=x' })).toContain('[git/bad-request]');
  // None of them is about the content of the file.
  expect(await ask({ sha: 'e'.repeat(40) })).toMatchObject({ cause: 'source' });
  expect(await ask({ file: 'broken.yml' })).not.toHaveProperty('cause');
});

test('an unreachable repository is not a mistake of the file: the call rejects and is retried', async () => {
  const { ask } = setUp({ projects: [{ name: 'table', clone_url: 'http://127.0.0.1:1/x.git' }] });
  await expect(ask()).rejects.toMatchObject({ code: 'git/unreachable' });
});

test('an included project whose forge is away is waited for in the same way', async () => {
  const away = { name: 'ci', repository: 'team/ci', clone_url: 'http://127.0.0.1:1/ci.git' };
  const { ask, blobs } = setUp({ projects: [{ name: 'table' }, away] });
  const tar = pack();
  tar.entry({ name: '.davit.yml' }, 'include: { project: team/ci, file: /x.yml }\nmine: { script: [pwd] }');
  tar.finalize();
  const sourceBlob = await blobs.putBytes(await buffer(tar));
  await expect(ask({ source: 'cli', sourceBlob })).rejects.toMatchObject({ code: 'git/unreachable' });
});

test('a tar of a working tree is searched directly', async () => {
  const { ask, blobs } = setUp();
  const tar = pack();
  tar.entry({ name: './.davit.yml' }, 'mine: { image: busybox, script: [pwd] }');
  tar.entry({ name: '.gitlab-ci.yml' }, FILE);
  tar.finalize();
  const answer = await planned(ask({ source: 'cli', sourceBlob: await blobs.putBytes(await buffer(tar)) }));
  expect(answer.plan.jobs.map((job) => job.key)).toEqual(['mine']);
});

test('a record returns the plan that ran', async () => {
  const { ask, blobs, records, facts } = setUp();
  const compiled = await planned(ask());
  const record: PipelineRecord = {
    version: 1,
    trigger: trigger(),
    plan: compiled.planBlob,
    status: {
      id: 'table/1',
      number: 12,
      project: 'table',
      ref: 'main',
      sha,
      title: 'First',
      source: 'push',
      state: 'success',
      warnings: [],
      startedAt: 1,
      endedAt: 2,
      waitingFor: [],
      jobs: [],
    },
  };
  const deps = { blobs, records, facts };
  const written = await makeRecordPipeline(deps)({ record });
  expect(await makeFindRecord(deps)({ id: 'table/1' })).toMatchObject(written);
  expect(await makeFindRecord(deps)({ id: 'table/2' })).toEqual({ record: undefined });
  const loaded = await makeLoadRecord(deps)(written);
  expect(loaded).toEqual({ record, compiled });
  expect(await records.list('pipelines/table', 10)).toEqual(['pipelines/table/00000001']);
  const later = { ...record, status: { ...record.status, endedAt: 3, state: 'failed' as const } };
  await makeRecordPipeline(deps)({ record: later });
  await makeRecordPipeline(deps)({ record });
  expect((await records.get<PipelineEntry>('pipelines/table/00000001'))?.summary.state).toBe('failed');
});

test('GIT_DEPTH: jobs that ask for more history get a source of their own', async () => {
  const { ask, blobs } = setUp();
  const { plan, source } = await planned(ask({ file: 'deep.yml' }));
  const [deep, usual] = plan.jobs.map((one): Digest => JSON.parse(blobs.text(one.spec)).source);
  expect(usual).toBe(source);
  expect(deep).not.toBe(source);
  expect(deep && (await blobs.has(deep))).toBe(true);
});

test('git answers changes and exists: before..after of a push, the merge base with main of a merge request', async () => {
  const work = join(folder, 'work');
  const git = async (...args: string[]) =>
    (
      await run('git', ['-c', 'user.name=Ada', '-c', 'user.email=a@example.test', '-C', work, ...args])
    ).stdout.trim();
  const commit = async (path: string, text: string) => {
    await writeFile(join(work, path), text);
    await git('add', '.');
    await git('commit', '--quiet', '-m', `Change ${path}`);
    return git('rev-parse', 'HEAD');
  };
  await git('checkout', '--quiet', '-b', 'feature');
  const rules = `
default: { image: x }
docs: { script: x, rules: [{ changes: ["docs-*"] }] }
code: { script: x, rules: [{ changes: { paths: ["code-*"], compare_to: main } }] }
there: { script: x, rules: [{ exists: ["**/docs-a"] }] }
absent: { script: x, rules: [{ exists: [docs-b] }] }
elsewhere: { script: x, rules: [{ exists: { paths: [docs-main], project: table } }] }
always: { script: x, rules: [{ when: on_success }] }
`;
  await writeFile(join(work, 'rules.yml'), rules);
  await writeFile(join(work, 'rules-other.yml'), rules.replace('project: table', 'project: other'));
  const first = await commit('code-a', '1');
  const second = await commit('docs-a', '1');
  await git('checkout', '--quiet', 'main');
  await commit('docs-main', '1');
  // Each is a pipeline of its own: answers are kept per pipeline.
  const ask = (more: Partial<Trigger>) => setUp().ask(more);
  const keys = async (more: Partial<Trigger>) =>
    (await planned(ask({ file: 'rules.yml', ref: 'feature', ...more }))).plan.jobs.map((job) => job.key);

  expect(await keys({ sha: second, before: first })).toEqual([
    'docs',
    'code',
    'there',
    'elsewhere',
    'always',
  ]);
  expect(await keys({ sha: first, before: sha })).toEqual(['code', 'elsewhere', 'always']);
  const mergeRequest = {
    iid: 1,
    sourceBranch: 'feature',
    targetBranch: 'main',
    sourceSha: first,
    title: 'F',
  };
  const merging = { source: 'merge_request', refKind: 'merge_request', mergeRequest } as const;
  expect(await keys({ sha: first, ...merging })).toEqual(['code', 'elsewhere', 'always']);
  expect(await keys({ sha: second, ...merging })).toEqual(['docs', 'code', 'there', 'elsewhere', 'always']);
  // A missing commit cannot be compared with: everything counts as changed.
  expect(await keys({ sha: first, before: 'f'.repeat(40) })).toEqual(['docs', 'code', 'elsewhere', 'always']);

  // A fork may not look into other projects, and gets the same answer as for a missing one.
  const outside = { ref: 'feature', sha: second, before: first, fork: true };
  expect(await keys(outside)).toContain('elsewhere');
  const answer = await ask({ ...outside, file: 'rules-other.yml' });
  expect(answer).toMatchObject({
    kind: 'invalid',
    problems: [expect.stringContaining('"other" does not exist')],
  });
});

test('a child is compiled from files of the source and of artifacts, with the forwarded variables', async () => {
  const { ask, blobs } = setUp();
  const made = '.davit/artifacts/3/g.yml';
  const config = {
    version: 1,
    file: { name: 'trigger of go', text: JSON.stringify({ include: ['ci/two.yml', { local: made }] }) },
    included: { [made]: 'made: {image: x, script: x, rules: [{if: $GIVEN == "1"}]}\n' },
    variables: [{ name: 'GIVEN', value: { literal: '1' }, masked: false, file: false, from: 'pipeline' }],
  };
  const upstream = {
    pipeline: 'table/1' as const,
    job: 'go',
    attempt: 1,
    config: await blobs.putBytes(new TextEncoder().encode(JSON.stringify(config))),
    depth: 1,
    family: 12,
    root: 12,
    origin: 'push' as const,
    chain: [],
  };
  const answer = await planned(ask({ source: 'parent_pipeline', upstream }));
  expect(answer.plan.jobs.map((job) => job.key).toSorted()).toEqual(['made', 'two']);
  const spec = blobs.text(answer.plan.jobs.find((job) => job.key === 'made')?.spec ?? '');
  expect(spec).toContain('"name":"GIVEN","value":{"literal":"1"}');
  expect(spec).toContain('"parent_pipeline"');
});
