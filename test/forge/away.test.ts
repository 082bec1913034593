/** A Gitea that is away while a pipeline waits and runs. */
import { expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { startGitea, stopGitea } from './support/gitea.ts';
import { job, ONE_JOB, pipeline, Repository } from './support/repository.ts';
import { decide, endOf, logOf, pipelineOf, when, world } from './support/world.ts';

await describeWithParts('a Gitea that is away', [giteaPart], () => {
  test('a pipeline that has its source runs to its end without it', async () => {
    const repository = await Repository.make('away', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.commit({
      'legs.txt': 'four legs',
      ...pipeline({
        stages: ['go', 'test'],
        go: job(['echo goes'], { stage: 'go', when: 'manual', allow_failure: false }),
        unit: job(['cat legs.txt'], { stage: 'test' }),
      }),
    });
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await when(id, 'waits', ({ jobs }) => jobs[0]?.phase === 'manual');
    await stopGitea(world().gitea);
    try {
      await decide(id, 'play', 'go');
      expect((await endOf(id)).state).toBe('success');
      expect(await logOf(id, 'unit')).toContain('four legs');
    } finally {
      await startGitea(world().gitea);
    }
  });
});
