/** What git and Gitea allow beside the usual: names of refs and files, and large files. */
import { beforeAll, expect, test } from 'vitest';
import { describeWithParts } from '../parts/with-parts.ts';
import { giteaPart } from '../parts/gitea.ts';
import { job, ONE_JOB, pipeline, Repository, type WorkingCopy } from './support/repository.ts';
import { endOf, logOf, pipelineOf, pipelinesOf, succeeds } from './support/world.ts';

await describeWithParts('deleted and pushed again at a Gitea', [giteaPart], () => {
  let repository: Repository;
  let copy: WorkingCopy;
  beforeAll(async () => {
    repository = await Repository.make('again', { files: ONE_JOB });
    copy = await repository.copy();
  });

  test('a tag at the same commit runs again', async () => {
    await copy.commit({ 'tagged.txt': 'tagged' });
    await copy.git('tag', 'v1.0');
    await endOf(await pipelineOf(await repository.delivery(() => copy.push('v1.0'))));
    await repository.delivers(2, () => copy.push(':v1.0'));
    await repository.delivery(() => copy.push('v1.0'));
    await expect.poll(async () => (await pipelinesOf('again')).length, { timeout: 30_000 }).toBe(2);
  });

  test('a branch at the same commit runs again', async () => {
    const sha = await copy.commit({ 'a.txt': 'a' });
    await endOf(await pipelineOf(await repository.delivery(() => copy.push('main:refs/heads/t'))));
    const before = (await pipelinesOf('again')).length;
    await repository.delivery(() => copy.push(':t'));
    await repository.delivery(() => copy.push('main:refs/heads/t'));
    await expect.poll(async () => (await pipelinesOf('again')).length, { timeout: 30_000 }).toBe(before + 1);
    const [newest] = await pipelinesOf('again');
    expect(await endOf(newest?.id ?? '')).toMatchObject({ ref: 't', sha, state: 'success' });
  });
});

await describeWithParts('odd names at a Gitea', [giteaPart], () => {
  let repository: Repository;
  let copy: WorkingCopy;
  beforeAll(async () => {
    repository = await Repository.make('odd', { files: ONE_JOB });
    copy = await repository.copy();
  });

  test.each(["fix/don't-crash", 'a&b', 'v2(final)', 'emoji-🚀', '$(id)'])(
    'a branch %s runs',
    async (name) => {
      const sha = await copy.commit(pipeline({ unit: job(['echo "of $CI_COMMIT_BRANCH."']) }));
      const id = await pipelineOf(await repository.delivery(() => copy.push(`HEAD:refs/heads/${name}`)));
      expect(await succeeds(id)).toMatchObject({ ref: name, sha });
      expect(await logOf(id, 'unit')).toContain(`of ${name}.`);
    },
  );

  test('a request into a branch with an odd name, whose rules ask for changes, runs', async () => {
    await copy.push("HEAD:refs/heads/into'it");
    await copy.git('checkout', '-q', '-b', 'work');
    const rules = [{ if: '$CI_MERGE_REQUEST_IID', changes: ['legs.txt'] }];
    await copy.commit({ 'legs.txt': 'legs', ...pipeline({ unit: job(['echo changed'], { rules }) }) });
    await repository.delivery(() => copy.push('work'));
    const opened = await repository.delivery(() => repository.pull('work', { base: "into'it" }));
    expect(await endOf(await pipelineOf(opened))).toMatchObject({ state: 'success' });
  });

  test('a file whose name is not UTF-8 is in the job, with its bytes', async () => {
    await copy.git('checkout', '-q', 'main');
    const blob = await copy.git('hash-object', '-w', '.gitlab-ci.yml');
    await copy.commit(pipeline({ unit: job(['printf %s caf* | od -An -tx1']) }));
    copy.indexBytes(
      Buffer.concat([Buffer.from(`100644 ${blob}\tcaf`), Buffer.of(0xe9), Buffer.from('.txt')]),
    );
    await copy.git('commit', '-q', '-m', 'a name in latin1');
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    expect((await endOf(id)).state).toBe('success');
    expect(await logOf(id, 'unit')).toContain('63 61 66 e9 2e 74 78 74');
  });

  test('a forge without LFS fails the jobs that need its objects, and others have the pointers', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 100000\n`;
    await copy.commit({
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'model.bin': pointer,
      ...pipeline({ unit: job(['wc -c <model.bin']) }),
    });
    const id = await pipelineOf(await repository.delivery(() => copy.push('main')));
    const status = await endOf(id);
    expect(status.state).toBe('failed');
    expect(JSON.stringify(status.jobs)).toContain('Git LFS');
    await copy.commit(
      pipeline({ unit: job(['wc -c <model.bin'], { variables: { GIT_LFS_SKIP_SMUDGE: '1' } }) }),
    );
    const pointers = await pipelineOf(await repository.delivery(() => copy.push('main')));
    expect((await endOf(pointers)).state).toBe('success');
  });
});
