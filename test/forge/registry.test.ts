/** Where a project's images are at the registry of a real Gitea. */
import { afterAll, expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { urlOf } from './support/gitea.ts';
import { removeImages } from './support/images.ts';
import { ONE_JOB, pipeline, Repository } from './support/repository.ts';
import { logOf, pipelineOf, succeeds, world } from './support/world.ts';

await describeWithParts('the registry of a Gitea', [giteaPart], () => {
  test('CI_REGISTRY_IMAGE is a place at its registry, and builds go there unless told otherwise', async () => {
    const host = new URL(urlOf(world().gitea)).host;
    const image = `${host}/acme/placed`;
    afterAll(() => removeImages(image));
    const repository = await Repository.make('placed', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.commit({
      Dockerfile: 'ARG BASE\nFROM $BASE\nRUN echo placed >/tool.txt\n',
      ...pipeline({
        stages: ['build', 'push', 'test'],
        build: {
          stage: 'build',
          build: {
            context: '.',
            dockerfile: 'Dockerfile',
            platforms: ['amd64'],
            args: { BASE: '$DAVIT_HELPER_IMAGE' },
          },
        },
        push: { stage: 'push', push: { from: 'build', tags: ['1'], manifest: true } },
        use: {
          stage: 'test',
          image: '$CI_REGISTRY_IMAGE:1',
          script: ['cat /tool.txt', 'echo "$CI_REGISTRY_IMAGE $CI_PROJECT_PATH $CI_PROJECT_URL"'],
        },
      }),
    });
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await succeeds(id);
    expect(await logOf(id, 'use')).toContain(`${image} acme/placed ${urlOf(world().gitea)}/acme/placed`);
  });
});
