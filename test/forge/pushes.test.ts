/** Branches and tags that come, move, and go at a real Gitea. */
import { beforeAll, expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { job, ONE_JOB, pipeline, Repository, type WorkingCopy } from './support/repository.ts';
import { answerOf, endOf, logOf, pipelineOf, pipelinesOf, SECRETS, statusOf, when } from './support/world.ts';

await describeWithParts('pushes to a Gitea', [giteaPart], () => {
  let repository: Repository;
  let copy: WorkingCopy;
  beforeAll(async () => {
    repository = await Repository.make('pushes', { files: ONE_JOB });
    copy = await repository.copy();
  });

  test('a push runs the file of its commit, once, however often Gitea delivers it', async () => {
    const sha = await copy.commit(
      pipeline({
        unit: job([
          'echo "$CI_COMMIT_SHA $CI_COMMIT_BRANCH of $CI_COMMIT_REF_PROTECTED by $GITLAB_USER_LOGIN"',
        ]),
      }),
      'Better legs\n\nThey are longer.',
    );
    const delivered = await repository.delivery(() => copy.push('main'));
    expect(answerOf(delivered)).toMatchObject({ status: 202, project: 'pushes' });
    const id = await pipelineOf(delivered);
    const status = await endOf(id);
    expect(status).toMatchObject({
      sha,
      ref: 'main',
      state: 'success',
      source: 'push',
      title: 'Better legs',
    });
    expect(await logOf(id, 'unit')).toContain(`${sha} main of true by writer`);
    const again = await repository.delivery(() => repository.redeliver(delivered));
    expect(answerOf(again)).toMatchObject({ status: 202, key: answerOf(delivered).key });
    const next = await copy.commit({ 'next.txt': 'next' });
    await endOf(await pipelineOf(await repository.delivery(() => copy.push('main'))));
    expect((await pipelinesOf('pushes')).map((one) => one.sha)).toEqual([next, sha]);
  });

  test('several branches and tags of one push run one pipeline each', async () => {
    const sha = await copy.commit({ 'a.txt': 'a' });
    await copy.git('branch', 'one');
    await copy.git('branch', 'two');
    await copy.git('tag', 'both');
    const delivered = await repository.delivers(3, () => copy.push('one', 'two', 'both'));
    const ends = await Promise.all(delivered.map(async (one) => endOf(await pipelineOf(one))));
    expect(ends.map(({ ref, sha: of, source }) => `${source} ${ref} ${of}`).toSorted()).toEqual([
      `push one ${sha}`,
      `push two ${sha}`,
      `tag both ${sha}`,
    ]);
  });

  test('[skip ci] in the message starts nothing', async () => {
    await copy.commit({}, 'words [skip ci]');
    const delivered = await repository.delivery(() => copy.push('main'));
    expect(answerOf(delivered)).toMatchObject({ status: 200, ignored: expect.stringContaining('skip ci') });
  });

  test('a new push cancels the pipeline of the one before on its branch', async () => {
    await copy.git('checkout', '-q', '-b', 'fast');
    await copy.commit(pipeline({ slow: job(['echo started', 'sleep 60'], { interruptible: true }) }));
    const first = await pipelineOf(await repository.delivery(() => copy.push('fast')));
    await when(first, 'runs', ({ jobs }) => jobs[0]?.phase === 'running');
    await copy.commit(ONE_JOB);
    const second = await pipelineOf(await repository.delivery(() => copy.push('fast')));
    expect((await endOf(second)).state).toBe('success');
    expect(await endOf(first)).toMatchObject({ state: 'canceled', reason: expect.stringContaining(second) });
  });

  test('a force push back to the commit before runs, and deploys', async () => {
    await copy.git('checkout', '-q', 'main');
    const deploy = (version: string) =>
      pipeline({ deploy: job([`echo deploys ${version}`], { environment: 'prod', resource_group: 'prod' }) });
    const a = await copy.commit(deploy('a'));
    await endOf(await pipelineOf(await repository.delivery(() => copy.push('main'))));
    const b = await copy.commit(deploy('b'));
    await endOf(await pipelineOf(await repository.delivery(() => copy.push('main'))));
    await copy.git('reset', '-q', '--hard', a);
    const back = await pipelineOf(await repository.delivery(() => copy.push('--force', 'main')));
    expect(await endOf(back)).toMatchObject({
      sha: a,
      state: 'success',
      jobs: [{ key: 'deploy', outcome: 'succeeded' }],
    });
    expect(await logOf(back, 'deploy')).toContain('deploys a');
    await copy.git('reset', '-q', '--hard', b);
    const forth = await pipelineOf(await repository.delivery(() => copy.push('--force', 'main')));
    expect(await endOf(forth)).toMatchObject({ sha: b, state: 'success', jobs: [{ outcome: 'succeeded' }] });
  });
});

await describeWithParts('tags at a Gitea', [giteaPart], () => {
  let repository: Repository;
  let copy: WorkingCopy;
  const FILE = pipeline({
    release: job(['echo "tag $CI_COMMIT_TAG of $CI_COMMIT_SHA"', 'echo "protected ${#PROTECTED_SECRET}"'], {
      rules: [{ if: '$CI_COMMIT_TAG' }],
    }),
  });
  beforeAll(async () => {
    repository = await Repository.make('tags', { files: FILE });
    copy = await repository.copy();
    await copy.commit({ 'a.txt': 'a' });
    await repository.delivery(() => copy.push('main'));
  });
  const runs = async (sha: string, act: () => Promise<unknown>): Promise<string> => {
    const id = await pipelineOf(await repository.delivery(act));
    expect(await endOf(id)).toMatchObject({ source: 'tag', sha, state: 'success' });
    return id;
  };

  test('made, annotated, moved, deleted, and made again elsewhere: one pipeline each', async () => {
    const a = await copy.head();
    await copy.git('tag', 'v1.0');
    const first = await runs(a, () => copy.push('v1.0'));
    expect(await logOf(first, 'release')).toContain(`tag v1.0 of ${a}`);

    const b = await copy.commit({ 'b.txt': 'b' });
    await copy.git('tag', '-a', '-m', 'the second', 'v2.0');
    const annotated = await runs(b, () => copy.push('v2.0'));
    expect(await logOf(annotated, 'release')).toContain(`tag v2.0 of ${b}`);

    await copy.git('tag', '-f', 'v1.0', b);
    await runs(b, () => copy.push('--force', 'v1.0'));
    // And back to where it was first: the same event as the first one, for Gitea.
    await copy.git('tag', '-f', 'v1.0', a);
    await runs(a, () => copy.push('--force', 'v1.0'));

    const count = (await pipelinesOf('tags')).length;
    const gone = await repository.delivery(() => copy.push(':v1.0'));
    expect(answerOf(gone)).toMatchObject({ status: 200, ignored: expect.stringContaining('deleted') });
    await copy.git('tag', '-f', 'v1.0', b);
    await runs(b, () => copy.push('v1.0'));
    expect(await pipelinesOf('tags')).toHaveLength(count + 1);
  });

  test('a tag with the name of a protected branch is not protected, a tag of the list is', async () => {
    const of = async (tag: string): Promise<string> => {
      await copy.git('tag', tag);
      const id = await pipelineOf(await repository.delivery(() => copy.push(`refs/tags/${tag}`)));
      await endOf(id);
      expect((await statusOf(id)).protected).toBe(tag === 'main' ? undefined : true);
      return logOf(id, 'release');
    };
    expect(await of('main')).toContain('protected 0');
    expect(await of('stable-1')).toContain(`protected ${SECRETS.protected.length}`);
  });
});
