/** Pull requests at a real Gitea: of branches, of forks, and of people who may only read (AGit). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EnvironmentState } from '../../src/plan/model/environments.ts';
import type { ProjectStatus } from '../../src/plan/model/protocol.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { HELPER } from '../support/job-bench.ts';
import { urlOf, type Delivered } from './support/gitea.ts';
import { ALWAYS, job, ONE_JOB, pipeline, Repository, WorkingCopy } from './support/repository.ts';
import {
  answerOf,
  davit,
  decide,
  decisionOf,
  endOf,
  logOf,
  PEOPLE,
  pipelineOf,
  pipelinesOf,
  SECRETS,
  statusOf,
  succeeds,
  when,
  world,
} from './support/world.ts';

const ADMISSION = 'run this fork';
const isPull = ({ event }: Delivered): boolean => event.startsWith('pull_request');

/** A fork of `stranger`, who may read the project and nothing else. */
async function forkOf(repository: Repository): Promise<WorkingCopy> {
  await repository.api('POST', '/forks', {}, PEOPLE.stranger);
  const path = `${PEOPLE.stranger.name}/${repository.path.split('/')[1]}`;
  return WorkingCopy.make(path, PEOPLE.stranger, 'main');
}

/** Pushes a branch of the fork and makes a request of it. Resolves with the request's pipeline. */
async function forkRuns(repository: Repository, fork: WorkingCopy, branch: string): Promise<string> {
  await fork.push(`HEAD:refs/heads/${branch}`);
  const open = () => repository.pull(`stranger:${branch}`, { account: PEOPLE.stranger });
  return pipelineOf(await repository.delivery(open));
}

/** Prints lengths and encoded bytes of what a fork must not have. */
const STEAL = job(
  ['echo "plain ${#PLAIN_SECRET} protected ${#PROTECTED_SECRET}"', 'env | od -An -tx1 | tr -d " \\n"'],
  ALWAYS,
);
const hex = (text: string): string => Buffer.from(text).toString('hex');
const environmentsOf = async (slug: string): Promise<readonly EnvironmentState[]> =>
  (await davit().api<ProjectStatus>(`/api/v1/projects/${slug}`)).environments ?? [];

await describeWithParts('pull requests at a Gitea', [giteaPart], () => {
  test('of a branch: opened, updated, closed; labels start nothing; a merge is a push', async () => {
    const repository = await Repository.make('pulls', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.git('checkout', '-q', '-b', 'legs');
    const file = pipeline({
      unit: job(
        [
          'echo "$CI_MERGE_REQUEST_IID $CI_MERGE_REQUEST_SOURCE_BRANCH_NAME to $CI_MERGE_REQUEST_TARGET_BRANCH_NAME"',
        ],
        {
          rules: [
            { if: '$CI_PIPELINE_SOURCE == "merge_request_event"' },
            { if: '$CI_COMMIT_BRANCH == "main"' },
          ],
        },
      ),
    });
    const first = await copy.commit(file);
    await repository.delivery(() => copy.push('legs'));
    const opened = await repository.delivery(() => repository.pull('legs'));
    const id = await pipelineOf(opened);
    expect(await endOf(id)).toMatchObject({ source: 'merge_request', sha: first, state: 'success' });
    expect(await logOf(id, 'unit')).toContain('1 legs to main');

    const second = await copy.commit({ 'more.txt': 'more' });
    const updated = (await repository.delivers(2, () => copy.push('legs'))).find(isPull);
    expect(updated && (await endOf(await pipelineOf(updated)))).toMatchObject({
      sha: second,
      state: 'success',
    });

    const count = (await pipelinesOf('pulls')).length;
    const renamed = await repository.delivery(() =>
      repository.api('PATCH', '/pulls/1', { title: 'Other legs' }),
    );
    expect(answerOf(renamed)).toMatchObject({ status: 200, ignored: expect.stringContaining('edited') });
    const closed = await repository.delivery(() => repository.api('PATCH', '/pulls/1', { state: 'closed' }));
    expect(answerOf(closed).status).toBeLessThan(300);
    expect(await pipelinesOf('pulls')).toHaveLength(count);
    const reopened = await repository.delivery(() => repository.api('PATCH', '/pulls/1', { state: 'open' }));
    expect(answerOf(reopened).status).toBe(202);
    await decisionOf(reopened);

    const merge = () => repository.api('POST', '/pulls/1/merge', { Do: 'merge' });
    const pushed = (await repository.delivers(2, merge)).find(({ event }) => event === 'push');
    expect(pushed && (await endOf(await pipelineOf(pushed)))).toMatchObject({
      ref: 'main',
      state: 'success',
    });
  });

  test('of a fork: a person is asked first; then it runs without secrets, and its update asks again', async () => {
    const repository = await Repository.make('asked', { files: ONE_JOB });
    const fork = await forkOf(repository);
    const sha = await fork.commit(pipeline({ steal: STEAL }));
    const id = await forkRuns(repository, fork, 'better');
    const waiting = await when(id, 'waits', ({ waitingFor }) => waitingFor.includes('gate'));
    expect(waiting).toMatchObject({ fork: true, sha });
    expect(waiting.jobs.map(({ key, phase }) => `${key} ${phase}`)).toEqual([
      `${ADMISSION} gate`,
      'steal created',
    ]);
    await decide(id, 'play', ADMISSION);
    await succeeds(id);
    const log = await logOf(id, 'steal');
    expect(log).toContain('plain 0 protected 0');
    for (const secret of Object.values(SECRETS)) expect(log).not.toContain(hex(secret));

    await fork.commit(pipeline({ steal: STEAL, more: STEAL }));
    const updated = await repository.delivery(() => fork.push('HEAD:refs/heads/better'));
    expect(updated.event).toBe('pull_request_sync');
    const next = await pipelineOf(updated);
    await when(next, 'waits', ({ waitingFor }) => waitingFor.includes('gate'));
    await decide(next, 'reject', ADMISSION);
    expect((await endOf(next)).jobs.some(({ outcome }) => outcome === 'succeeded')).toBe(false);
  });

  test('by AGit, of somebody who may only read: a fork, without secrets and without a release', async () => {
    const repository = await Repository.make('agit', { files: ONE_JOB });
    const copy = await repository.copy(PEOPLE.stranger);
    await copy.commit(
      pipeline({
        steal: STEAL,
        release: job(['true'], { ...ALWAYS, release: { tag_name: 'v9.9', description: 'mine' } }),
        deploy: job(['true'], { ...ALWAYS, environment: 'prod' }),
      }),
    );
    const push = () => copy.push('HEAD:refs/for/main', '-o', 'topic=mine');
    const delivered = await repository.delivery(push);
    expect(delivered.payload).toMatchObject({ pull_request: { head: { label: '' } } });
    const id = await pipelineOf(delivered);
    // Its release and its environment are left out.
    const status = await succeeds(id);
    expect(status.fork).toBe(true);
    expect(status.protected).toBeUndefined();
    const log = await logOf(id, 'steal');
    expect(log).toContain('plain 0 protected 0');
    const { botToken } = world();
    for (const secret of [...Object.values(SECRETS), botToken]) expect(log).not.toContain(hex(secret));
    expect(await repository.api('GET', '/releases')).toEqual([]);
    expect(await repository.api('GET', '/tags')).toEqual([]);
    expect(await environmentsOf('agit')).toEqual([]);
  });
});

await describeWithParts('a fork at a Gitea and what belongs to the project', [giteaPart], () => {
  describe('environments and locks', () => {
    let repository: Repository;
    let fork: WorkingCopy;
    beforeAll(async () => {
      repository = await Repository.make('shop', { files: ONE_JOB });
      fork = await forkOf(repository);
    });
    const deploy = (more: Record<string, unknown>, script = ['echo deploys']) =>
      pipeline({
        deploy: job(script, {
          environment: { name: 'prod', url: 'http://shop.example.com' },
          resource_group: 'prod',
          ...ALWAYS,
          ...more,
        }),
      });

    test('its "deployment" is none: an older pipeline of the project still deploys', async () => {
      const copy = await repository.copy();
      await copy.commit(deploy({ rules: [{ when: 'manual', allow_failure: false }] }));
      const older = await pipelineOf(await repository.delivery(() => copy.push('main')));
      await when(older, 'waits', ({ jobs }) => jobs[0]?.phase === 'manual');
      await fork.commit(deploy({ environment: { name: 'prod', url: 'http://evil.example.com' } }));
      await succeeds(await forkRuns(repository, fork, 'evil'));
      await decide(older, 'play', 'deploy');
      expect(await endOf(older)).toMatchObject({ state: 'success', jobs: [{ outcome: 'succeeded' }] });
      expect(await environmentsOf('shop')).toMatchObject([{ name: 'prod', url: 'http://shop.example.com' }]);
    });

    test('its lock is another one: the project does not wait for it', async () => {
      await fork.commit(deploy({}, ['echo started', 'sleep 100']));
      const held = await forkRuns(repository, fork, 'held');
      await when(held, 'runs', ({ jobs }) =>
        jobs.some(({ key, phase }) => key === 'deploy' && phase === 'running'),
      );
      const copy = await repository.copy();
      await copy.commit(deploy({}));
      const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
      expect(await endOf(id)).toMatchObject({ state: 'success' });
      expect((await statusOf(held)).endedAt).toBeUndefined();
      await davit().api(`/api/v1/pipelines/${held}/cancel`, { method: 'POST' });
      await endOf(held);
    });
  });

  describe('a private image of the registry', () => {
    const image = (): string => `${new URL(urlOf(world().gitea)).host}/acme/private:1`;
    beforeAll(() => {
      const config = mkdtempSync(join(tmpdir(), 'davit-docker-'));
      const docker = (args: string[], input = ''): string =>
        execFileSync('docker', ['--config', config, ...args], {
          input,
          encoding: 'utf8',
          stdio: ['pipe', 'pipe', 'pipe'],
          env: { ...process.env, DOCKER_BUILDKIT: '0' },
        });
      const content = `FROM ${HELPER}\nRUN echo proprietary-content >/source.txt\n`;
      docker(['build', '-q', '-t', image(), '-'], content);
      docker(['login', '-u', 'bot', '--password-stdin', image().split('/')[0] ?? ''], world().botToken);
      docker(['push', '-q', image()]);
      docker(['rmi', image()]);
    });
    afterAll(() => {
      execFileSync('docker', ['rmi', '-f', image()], { stdio: 'ignore' });
    });

    test('is there for the project, and not for a fork, although the engine has it', async () => {
      const file = pipeline({ read: { ...ALWAYS, image: image(), script: ['cat /source.txt'] } });
      const repository = await Repository.make('images', { files: ONE_JOB });
      const copy = await repository.copy();
      await copy.commit(file);
      const own = await pipelineOf(await repository.delivery(() => copy.push('main')));
      await succeeds(own);
      expect(await logOf(own, 'read')).toContain('proprietary-content');
      const fork = await forkOf(repository);
      const id = await forkRuns(repository, fork, 'theft');
      expect((await endOf(id)).state).toBe('failed');
      expect(await logOf(id, 'read')).not.toContain('proprietary-content');
    });
  });
});
