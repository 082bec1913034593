/** What a real Gitea is told about a commit, and what its required checks make of it. */
import { expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { startGitea, stopGitea } from './support/gitea.ts';
import { ALWAYS, job, ONE_JOB, pipeline, Repository } from './support/repository.ts';
import { decide, endOf, PEOPLE, pipelineOf, succeeds, when, world } from './support/world.ts';

const contexts = async (repository: Repository, sha: string): Promise<string[]> => [
  ...new Set((await repository.statuses(sha)).map(({ context, status }) => `${context} ${status}`)),
];

await describeWithParts('commit statuses at a Gitea', [giteaPart], () => {
  test('branch, tag and request of one commit have a status each; a required check looks at its own', async () => {
    const repository = await Repository.make('checks', { files: ONE_JOB });
    const rule = { rule_name: 'main', enable_status_check: true, status_check_contexts: ['davit/mr'] };
    await repository.api('POST', '/branch_protections', { ...rule, enable_push: true });
    const copy = await repository.copy();
    await copy.git('checkout', '-q', '-b', 'legs');
    const sha = await copy.commit(
      pipeline({ unit: job(['test "$CI_PIPELINE_SOURCE" != merge_request_event'], ALWAYS) }),
    );
    await copy.git('tag', 'v1');
    const pushed = await repository.delivers(2, () => copy.push('legs', 'v1'));
    const opened = await repository.delivery(() => repository.pull('legs'));
    for (const one of [...pushed, opened]) await endOf(await pipelineOf(one));
    const failed = await repository.status(sha, 'davit/mr', 'failure');
    expect(failed.description).toContain('failed');
    await repository.status(sha, 'davit/push', 'success');
    await repository.status(sha, 'davit/tag', 'success');
    const merge = () => repository.api('POST', '/pulls/1/merge', { Do: 'merge' }, PEOPLE.writer);
    await expect(merge()).rejects.toThrow(/405/);

    const mended = await copy.commit(pipeline({ unit: job(['true'], ALWAYS) }));
    await repository.delivers(2, () => copy.push('legs'));
    await repository.status(mended, 'davit/mr', 'success');
    await merge();
  });

  test('a forge that is away at the end of a pipeline hears of it when it is back', async () => {
    const repository = await Repository.make('pending', { files: ONE_JOB });
    const copy = await repository.copy();
    const sha = await copy.commit(
      pipeline({ unit: job(['true'], { when: 'manual', allow_failure: false }) }),
    );
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await when(id, 'waits', ({ jobs }) => jobs[0]?.phase === 'manual');
    const waiting = await repository.status(sha, 'davit/push', 'pending');
    await stopGitea(world().gitea);
    try {
      await decide(id, 'play', 'unit');
      expect((await endOf(id)).state).toBe('success');
    } finally {
      await startGitea(world().gitea);
    }
    const last = await repository.status(sha, 'davit/push', 'success');
    expect(last.target_url).toBe(waiting.target_url);
  });

  test('a pipeline that waits for a person says so', async () => {
    const repository = await Repository.make('gates', { files: ONE_JOB });
    const copy = await repository.copy();
    const sha = await copy.commit(
      pipeline({ deploy: job(['true'], { gate: { approvers: ['operator'] }, environment: 'prod' }) }),
    );
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await when(id, 'waits', ({ waitingFor }) => waitingFor.includes('gate'));
    await expect
      .poll(async () => (await repository.statuses(sha)).map((one) => one.description).join('\n'), {
        timeout: 30_000,
      })
      .toContain('waits for a person');
    await decide(id, 'play', 'deploy');
    await repository.status(sha, 'davit/push', 'success');
  });

  test('what has nothing to run, and a branch without a pipeline file, turn nothing green or red', async () => {
    const repository = await Repository.make('silent', { files: ONE_JOB });
    const copy = await repository.copy();
    const requests = { rules: [{ if: '$CI_PIPELINE_SOURCE == "merge_request_event"' }] };
    const nothing = await copy.commit(pipeline({ workflow: requests, unit: job(['true']) }));
    const first = await pipelineOf(await repository.delivery(() => copy.push('main')));
    expect((await endOf(first)).state).toBe('skipped');
    await copy.git('rm', '-q', '.gitlab-ci.yml');
    const without = await copy.commit({ 'index.html': '<h1>Legs</h1>' });
    const second = await pipelineOf(await repository.delivery(() => copy.push('main')));
    expect((await endOf(second)).state).toBe('skipped');
    // The status of the next commit is told after theirs would have been.
    const sha = await copy.commit(ONE_JOB);
    await repository.delivery(() => copy.push('main'));
    await repository.status(sha, 'davit/push', 'success');
    expect(await contexts(repository, nothing)).toEqual([]);
    expect(await contexts(repository, without)).toEqual([]);
  });

  test('a fork sets no status that a required check looks at', async () => {
    const repository = await Repository.make('forked', { files: ONE_JOB });
    const copy = await repository.copy(PEOPLE.stranger);
    const sha = await copy.commit(pipeline({ unit: job(['true'], ALWAYS) }));
    const delivered = await repository.delivery(() => copy.push('HEAD:refs/for/main', '-o', 'topic=green'));
    await succeeds(await pipelineOf(delivered));
    await repository.status(sha, 'davit/fork', 'success');
    expect((await contexts(repository, sha)).filter((one) => !one.startsWith('davit/fork '))).toEqual([]);
  });
});
