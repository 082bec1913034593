/**
 * A pipeline is assembled once: with the real git and a real https server, a second attempt of the compile
 * activity and a retry of the pipeline give the same plan, even if its inputs have changed.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLoadRecord, makeRecordPipeline } from '../../activities/pipeline/record-pipeline.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';
import { testCompiler } from '../support/compiler.ts';
import { asActivity, testFacts } from '../unit/activities/fakes.ts';

const run = promisify(execFile);
let folder: string;
let server: HttpsFiles;
let sha: string;

const inRepo =
  (name: string) =>
  async (...args: string[]): Promise<string> => {
    const who = ['-c', 'user.name=A', '-c', 'user.email=a@e.test', '-C', join(folder, name)];
    return (await run('git', [...who, ...args])).stdout.trim();
  };
async function commit(name: string, files: Record<string, string | undefined>): Promise<void> {
  const git = inRepo(name);
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, name, path);
    if (text === undefined) await rm(file);
    else {
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text);
    }
  }
  await git('add', '-A');
  await git('commit', '--quiet', '-m', 'Change');
}
const job = (name: string, said: string): string => `${name}: { image: x, script: ["echo ${said}"] }\n`;
const component = (said: string): string =>
  `spec:\n  inputs: { job: { default: made } }\n---\n"$[[ inputs.job ]]": { image: x, script: ["echo ${said}"] }\n`;
const comparing = '{ changes: { paths: [new], compare_to: main } }';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-pinned-'));
  server = await httpsFiles(folder);
  server.files.set('/r.yml', job('remote', 'one'));
  for (const name of ['ci', 'table']) {
    await mkdir(join(folder, name));
    await inRepo(name)('init', '--quiet', '--initial-branch=main');
  }
  await commit('ci', { 'templates/build.yml': component('one'), 'p.yml': job('project', 'one'), marker: '' });
  await inRepo('ci')('tag', '1.0.0');
  await commit('table', {
    'changed.yml': job('included-by-changes', 'x'),
    'exists.yml': job('included-by-exists', 'x'),
    '.gitlab-ci.yml': `
include:
  - { component: git.example.test/team/ci/build@~latest, inputs: { job: built } }
  - { project: team/ci, file: p.yml }
  - { remote: "${server.url}r.yml" }
  - { local: changed.yml, rules: [${comparing}] }
  - { local: exists.yml, rules: [{ exists: { paths: [marker], project: team/ci } }] }
changed: { image: x, script: x, rules: [${comparing}] }
exists: { image: x, script: x, rules: [{ exists: { paths: [marker], project: team/ci } }] }
`,
  });
  await inRepo('table')('checkout', '--quiet', '-b', 'feature');
  await commit('table', { new: '' });
  sha = await inRepo('table')('rev-parse', 'HEAD');
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** All inputs of the pipeline except its own commit. */
async function changeTheWorld(): Promise<void> {
  await commit('ci', {
    'templates/build.yml': component('two'),
    'p.yml': job('project', 'two'),
    marker: undefined,
  });
  await inRepo('ci')('tag', '2.0.0');
  server.files.set('/r.yml', job('remote', 'two'));
  await inRepo('table')('branch', '--quiet', '--force', 'main', 'feature');
}

function davit() {
  const facts = testFacts({
    projects: [
      { name: 'table', clone_url: `file://${folder}/table` },
      {
        name: 'ci',
        repository: 'team/ci',
        forge_url: 'https://git.example.test',
        clone_url: `file://${folder}/ci`,
      },
    ],
    registries: [{ host: '127.0.0.1:5000', default: true }],
    includes: { allow_hosts: ['localhost'], ca_file: server.caFile },
  });
  const { compile, blobs, records } = testCompiler(facts);
  const trigger: Trigger = {
    project: 'table',
    source: 'push',
    key: 'k',
    deliveryId: 'd',
    ref: 'feature',
    refKind: 'branch',
    sha,
    before: '0'.repeat(40),
    title: 'First',
    actor: 'ada',
    fork: false,
    receivedAt: 1_700_000_000_000,
  };
  const said = (spec: string): string => JSON.parse(blobs.text(spec)).script.join(' ');
  const ask = async (id: PipelineId) => {
    const answer = await asActivity(compile, { id, iid: Number(id.split('/')[1]), number: 12, trigger });
    if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
    const jobs = Object.fromEntries(answer.plan.jobs.map((one) => [one.key, said(one.spec)]));
    return { answer, jobs };
  };
  return { ask, trigger, deps: { blobs, records, facts } };
}

test('a second attempt, and a retry of the pipeline, use the files and decisions of the first', async () => {
  const { ask, trigger, deps } = davit();
  const first = await ask('table/1');
  expect(first.jobs).toEqual({
    built: 'echo one',
    project: 'echo one',
    remote: 'echo one',
    'included-by-changes': 'echo x',
    'included-by-exists': 'echo x',
    changed: 'x',
    exists: 'x',
  });
  const { answer } = first;
  const status = { ...statusOf(trigger), id: 'table/1' as const };
  const { record } = await makeRecordPipeline(deps)({
    record: { version: 1, status, trigger, plan: answer.planBlob },
  });
  await changeTheWorld();
  const asked = server.asked.length;
  expect((await ask('table/1')).jobs).toEqual(first.jobs);
  expect(server.asked.length).toBe(asked);
  const again = await makeLoadRecord(deps)({ record });
  expect(again.compiled?.plan).toEqual(answer.plan);
  // A new pipeline of the same commit sees the changes.
  expect((await ask('table/2')).jobs).toEqual({ built: 'echo two', project: 'echo two', remote: 'echo two' });
});

const statusOf = (trigger: Trigger): Omit<PipelineRecord['status'], 'id'> => ({
  number: 12,
  project: trigger.project,
  ref: trigger.ref,
  sha: trigger.sha,
  title: trigger.title,
  source: trigger.source,
  state: 'failed',
  warnings: [],
  startedAt: 1,
  endedAt: 2,
  waitingFor: [],
  jobs: [],
});
