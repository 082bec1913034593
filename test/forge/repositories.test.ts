/** What a pipeline reads from and leaves at a real Gitea beside its own commit. */
import { afterAll, expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { urlOf } from './support/gitea.ts';
import { removeImages } from './support/images.ts';
import { job, ONE_JOB, pipeline, Repository } from './support/repository.ts';
import { answerOf, endOf, logOf, PEOPLE, pipelineOf, pipelinesOf, succeeds, world } from './support/world.ts';

interface Release {
  tag_name: string;
  name: string;
  body: string;
  author: { login: string };
}

await describeWithParts('repositories of a Gitea', [giteaPart], () => {
  test('a private submodule is fetched at its commit, a private include is read', async () => {
    const library = await Repository.make('library', {
      files: {
        'lib.txt': 'pinned',
        'ci/unit.yml': JSON.stringify({ unit: job(['cat vendor/lib/lib.txt']) }),
      },
    });
    const lib = await library.copy();
    const pinned = await lib.head();
    await lib.commit({ 'lib.txt': 'newer' });
    await lib.push('main');
    const repository = await Repository.make('parent', { files: ONE_JOB });
    const copy = await repository.copy();
    const link = ['update-index', '--add', '--cacheinfo', `160000,${pinned},vendor/lib`];
    await copy.commit({
      '.gitmodules': '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../library.git\n',
      ...pipeline({
        include: [{ project: 'acme/library', file: '/ci/unit.yml' }],
        variables: { GIT_SUBMODULE_STRATEGY: 'recursive' },
      }),
    });
    await copy.git(...link);
    await copy.git('commit', '-q', '-m', 'a submodule');
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await succeeds(id);
    expect(await logOf(id, 'unit')).toContain('pinned');
  });

  test('a release is made once, by the bot; its tag runs a pipeline', async () => {
    const repository = await Repository.make('releases', { files: ONE_JOB });
    const copy = await repository.copy();
    const sha = await copy.commit(
      pipeline({
        release: job(['true'], {
          rules: [{ if: '$CI_COMMIT_TAG == null' }],
          release: { tag_name: 'v1.0.0', name: 'The first', description: 'Better legs' },
        }),
        unit: job(['echo "tag $CI_COMMIT_TAG"'], { rules: [{ if: '$CI_COMMIT_TAG' }] }),
      }),
    );
    const delivered = await repository.delivers(2, () => copy.push('main'));
    const [pushed, tagged] = await Promise.all(delivered.map(pipelineOf));
    expect((await endOf(pushed ?? '')).state).toBe('success');
    expect(await endOf(tagged ?? '')).toMatchObject({ source: 'tag', ref: 'v1.0.0', sha, state: 'success' });
    expect(await repository.api<Release[]>('GET', '/releases')).toMatchObject([
      { tag_name: 'v1.0.0', name: 'The first', body: 'Better legs', author: { login: PEOPLE.bot.name } },
    ]);
  });

  test('an image is built into its registry, and a job runs in it', async () => {
    const image = `${new URL(urlOf(world().gitea)).host}/acme/packages/tool`;
    afterAll(() => removeImages(image));
    const repository = await Repository.make('packages', { files: ONE_JOB });
    const copy = await repository.copy();
    await copy.commit({
      Dockerfile: 'ARG BASE\nFROM $BASE\nCOPY tool.txt /tool.txt\n',
      'tool.txt': 'the tool',
      ...pipeline({
        stages: ['build', 'push', 'test'],
        build: {
          stage: 'build',
          build: {
            context: '.',
            dockerfile: 'Dockerfile',
            platforms: ['amd64'],
            to: image,
            args: { BASE: '$DAVIT_HELPER_IMAGE' },
          },
        },
        push: { stage: 'push', push: { from: 'build', to: image, tags: ['1'], manifest: true } },
        use: { stage: 'test', image: `${image}:1`, script: ['cat /tool.txt'] },
      }),
    });
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    await succeeds(id);
    expect(await logOf(id, 'use')).toContain('the tool');
  });

  test('renamed at Gitea: deliveries are refused with a reason until the installation file follows', async () => {
    const repository = await Repository.make('renamed', { files: ONE_JOB });
    const copy = await repository.copy();
    await repository.api('PATCH', '', { name: 'other-name' });
    await copy.commit({ 'a.txt': 'a' });
    const delivered = await repository.delivery(() => copy.push('main'));
    expect(answerOf(delivered)).toMatchObject({ status: 403, error: { code: 'webhook/repository' } });
    expect(await pipelinesOf('renamed')).toEqual([]);
  });
});
