/** Deliveries of a real Gitea that davit cannot serve at once, or that mean the end of something. */
import { expect, test } from 'vitest';
import type { DeliveriesPage } from '../../src/plan/model/delivery.ts';
import type { EnvironmentState } from '../../src/plan/model/environments.ts';
import type { ProjectStatus } from '../../src/plan/model/protocol.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { sign } from '../support/deliveries.ts';
import { startGitea, stopGitea } from './support/gitea.ts';
import { ALWAYS, job, ONE_JOB, pipeline, Repository } from './support/repository.ts';
import {
  answerOf,
  davit,
  pipelineOf,
  pipelinesOf,
  STORY_MS,
  succeeds,
  WEBHOOK_SECRET,
  when,
  world,
} from './support/world.ts';

const soon = { timeout: STORY_MS };
const environment = async (slug: string, name: string): Promise<EnvironmentState | undefined> =>
  (await davit().api<ProjectStatus>(`/api/v1/projects/${slug}`)).environments?.find(
    (one) => one.name === name,
  );

await describeWithParts('deliveries of a Gitea', [giteaPart], () => {
  test('without the box "Pull Request Synchronized" an updated request delivers only its push', async () => {
    const events = ['push', 'create', 'pull_request_only'];
    const repository = await Repository.make('boxes', { files: ONE_JOB, events });
    const copy = await repository.copy();
    await copy.git('checkout', '-q', '-b', 'legs');
    await copy.commit({ 'a.txt': 'a' });
    await repository.delivers(2, () => copy.push('legs'));
    await repository.delivery(() => repository.pull('legs'));
    await copy.commit({ 'b.txt': 'b' });
    const updated = await repository.delivery(() => copy.push('legs'));
    // A request of its own is delivered after what came before it.
    const closed = await repository.delivers(1, () =>
      repository.api('PATCH', '/pulls/1', { state: 'closed' }),
    );
    expect([updated.event, ...closed.map(({ event }) => event)]).toEqual(['push', 'pull_request']);
  });

  test('while Temporal stands still Gitea gets a 503 before it gives up', async () => {
    const repository = await Repository.make('still', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.commit({ 'a.txt': 'a' });
    const temporal =
      davit()
        .run()
        .processes.find(({ name }) => name === 'temporal')?.pid ?? 0;
    process.kill(temporal, 'SIGSTOP');
    try {
      const delivered = await repository.delivery(() => copy.push('main'));
      expect(answerOf(delivered)).toMatchObject({ status: 503, error: { code: 'temporal/unreachable' } });
    } finally {
      process.kill(temporal, 'SIGCONT');
    }
  });

  test('an accepted push whose forge is away waits for it, and says so', async () => {
    const repository = await Repository.make('waits', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.commit({ 'a.txt': 'a' });
    const first = await repository.delivery(() => copy.push('main'));
    await succeeds(await pipelineOf(first));
    const before = await copy.head();
    await repository.listens(false);
    const after = await copy.commit({ 'b.txt': 'b' });
    await copy.push('main');
    const commit = { id: after, message: 'While it is away' };
    const payload = { ...Object(first.payload), before, after, head_commit: commit, commits: [commit] };
    const { headers, body } = sign('gitea', 'push', {
      body: JSON.stringify(payload),
      secret: WEBHOOK_SECRET,
    });
    await stopGitea(world().gitea);
    let id = '';
    try {
      const url = `${davit().run().server}/webhooks/gitea`;
      const answer = await fetch(url, { method: 'POST', headers, body });
      id = await pipelineOf({ ...first, status: answer.status, answer: await answer.text() });
      await when(id, 'waits for the forge', ({ waitingFor }) => waitingFor.includes('forge'));
    } finally {
      await startGitea(world().gitea);
    }
    expect(await succeeds(id)).toMatchObject({ sha: after, title: 'While it is away' });
  });

  test('the review environments of a branch and of a request stop when it is gone', async () => {
    const repository = await Repository.make('reviews', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.git('checkout', '-q', '-b', 'legs');
    const name = 'review/$CI_PIPELINE_SOURCE';
    await copy.commit(
      pipeline({
        review: job(['echo up'], { ...ALWAYS, environment: { name, on_stop: 'stop' } }),
        stop: job(['echo down'], {
          rules: [{ when: 'manual', allow_failure: true }],
          environment: { name, action: 'stop' },
        }),
      }),
    );
    await pipelineOf(await repository.delivery(() => copy.push('legs'))).then(succeeds);
    await pipelineOf(await repository.delivery(() => repository.pull('legs'))).then(succeeds);
    const state = async (of: string) => (await environment('reviews', `review/${of}`))?.state;
    expect(await state('push')).toBe('available');
    expect(await state('merge_request_event')).toBe('available');
    await repository.delivery(() => repository.api('PATCH', '/pulls/1', { state: 'closed' }));
    await expect.poll(() => state('merge_request_event'), soon).toBe('stopped');
    expect(await state('push')).toBe('available');
    await repository.delivery(() => copy.push(':legs'));
    await expect.poll(() => state('push'), soon).toBe('stopped');
  });

  test('`davit deliveries` says what came, and why a push started nothing', async () => {
    const repository = await Repository.make('listed', { files: ONE_JOB });
    const copy = await repository.copy();
    const sha = await copy.commit({ 'a.txt': 'a' });
    const first = await repository.delivery(() => copy.push('main'));
    const id = await pipelineOf(first);
    await succeeds(id);
    await repository.delivery(() => repository.redeliver(first));
    await copy.commit({}, 'words [skip ci]');
    await repository.delivery(() => copy.push('main'));
    const { deliveries } = JSON.parse(
      (await davit().cli(['deliveries', 'listed', '--json'])).stdout,
    ) as DeliveriesPage;
    expect(deliveries.slice(0, 3)).toMatchObject([
      { result: 'ignored', reason: expect.stringContaining('skip ci') },
      { result: 'repeated', pipeline: id },
      { result: 'started', pipeline: id, sha, sender: 'writer', ref: expect.stringContaining('main') },
    ]);
  });

  test('the link of a status opens, and a pipeline of a ref runs again without a checkout', async () => {
    const repository = await Repository.make('linked', { files: ONE_JOB });
    const copy = await repository.copy();
    const sha = await copy.commit({ 'a.txt': 'a' });
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await succeeds(id);
    const status = await repository.status(sha, 'davit/push', 'success');
    const page = await fetch(status.target_url);
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
    expect(await page.text()).toContain(id);
    const started = await davit().cli(['start', 'linked', '--ref', 'main']);
    expect(started, started.stderr).toMatchObject({ code: 0 });
    // The list of those that have just ended comes a moment later.
    const listed = { timeout: 30_000 };
    await expect
      .poll(() => pipelinesOf('linked'), listed)
      .toContainEqual(expect.objectContaining({ source: 'api', sha, state: 'success' }));
    const again = await davit().cli(['start', '--again', id]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    await expect.poll(() => pipelinesOf('linked'), listed).toHaveLength(3);
  });
});
