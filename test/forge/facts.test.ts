/** What a pipeline knows of its repository at a real Gitea. */
import { expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { ALWAYS, job, ONE_JOB, pipeline, Repository } from './support/repository.ts';
import { endOf, logOf, pipelineOf } from './support/world.ts';

await describeWithParts('facts of a repository at a Gitea', [giteaPart], () => {
  test('its default branch is the one that Gitea says', async () => {
    const repository = await Repository.make('trunk', { files: ONE_JOB, branch: 'trunk' });
    const copy = await repository.copy(undefined, 'trunk');
    const rules = [{ if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH' }];
    await copy.commit(pipeline({ unit: job(['echo "default $CI_DEFAULT_BRANCH"'], { rules }) }));
    const id = await pipelineOf(await repository.delivery(() => copy.push('trunk')));
    expect((await endOf(id)).state).toBe('success');
    expect(await logOf(id, 'unit')).toContain('default trunk');
  });

  test('a branch pipeline knows the open merge requests of its branch', async () => {
    const repository = await Repository.make('open', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.git('checkout', '-q', '-b', 'legs');
    const file = pipeline({
      workflow: {
        rules: [
          { if: '$CI_PIPELINE_SOURCE == "merge_request_event"' },
          { if: '$CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS', when: 'never' },
          { if: '$CI_COMMIT_BRANCH' },
        ],
      },
      unit: job(['echo runs'], ALWAYS),
    });
    await copy.commit(file);
    const alone = await pipelineOf(await repository.delivery(() => copy.push('legs')));
    expect((await endOf(alone)).state).toBe('success');
    await repository.delivery(() => repository.pull('legs'));
    await copy.commit({ 'a.txt': 'a' });
    const ends = await Promise.all(
      (await repository.delivers(2, () => copy.push('legs'))).map(async (one) =>
        endOf(await pipelineOf(one)),
      ),
    );
    expect(ends.map(({ source, state }) => `${source} ${state}`).toSorted()).toEqual([
      'merge_request success',
      'push skipped',
    ]);
  });
});
