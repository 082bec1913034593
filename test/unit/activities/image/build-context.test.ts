import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { findFile } from '../../../../activities/compile/pipeline-file.ts';
import { buildContext } from '../../../../activities/image/build-context.ts';
import { dockerIgnore } from '../../../../src/match/dockerignore.ts';
import { memoryBlobs } from '../fakes.ts';

async function tar(files: Record<string, string>): Promise<Buffer> {
  const packed = pack();
  for (const [name, text] of Object.entries(files)) packed.entry({ name }, text);
  packed.finalize();
  return buffer(packed);
}
async function untar(stream: NodeJS.ReadableStream): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const reader = extract();
  stream.pipe(reader);
  for await (const entry of reader) files[entry.header.name] = (await buffer(entry)).toString();
  return files;
}

test.each([
  ['node_modules', 'node_modules/a/b.js', true],
  ['/dist', 'dist', true],
  ['dist/', 'dist/x', true],
  ['*.log', 'a.log', true],
  ['*.log', 'sub/a.log', false],
  ['**/*.log', 'a.log', true],
  ['**/*.log', 'x/y/a.log', true],
  ['a/**', 'a/b/c', true],
  ['a/**', 'ab', false],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['[ab].txt', 'b.txt', true],
  ['*\n!keep', 'keep', false],
  ['*\n!keep', 'keep/below', false],
  ['*\n!keep\nkeep/secret', 'keep/secret', true],
  ['# a comment\n\n', 'a', false],
  ['./docs', 'docs/a', true],
  ['a.b', 'axb', false],
])('.dockerignore %j of %s: %s', (text, path, out) => {
  expect(dockerIgnore(text)(path)).toBe(out);
});

// A backtracking matcher would exceed the timeout of the test.
test('a pattern that needs exponential backtracking is matched in linear time', () => {
  expect(dockerIgnore(`${'*a'.repeat(30)}b`)('a'.repeat(5_000))).toBe(false);
});

test('the context is relative to its folder, includes artifacts, and leaves out ignored files', async () => {
  const blobs = memoryBlobs();
  const source = await blobs.putBytes(
    await tar({
      'README.md': 'outside',
      'app/Dockerfile': 'FROM scratch',
      'app/.dockerignore': '*.tmp\nDockerfile',
      'app/main': 'old',
      'app/x.tmp': 'ignored',
    }),
  );
  const artifact = await blobs.putBytes(gzipSync(await tar({ 'app/main': 'new', 'app/bin/tool': 'made' })));
  const context = await buildContext(blobs, {
    tars: [source, artifact],
    context: './app/',
    dockerfile: 'Dockerfile',
  });
  expect(context.dockerfile).toBe('Dockerfile');
  expect(await untar(context.tar)).toEqual({
    Dockerfile: 'FROM scratch',
    '.dockerignore': '*.tmp\nDockerfile',
    main: 'new',
    'bin/tool': 'made',
  });
});

test('a Dockerfile is found by its path in the project, also outside of the context', async () => {
  const blobs = memoryBlobs();
  const source = await blobs.putBytes(await tar({ 'docker/app.Dockerfile': 'FROM x', 'app/a': '1' }));
  const request = { tars: [source], context: 'app', dockerfile: 'docker/app.Dockerfile' };
  const context = await buildContext(blobs, request);
  expect(await untar(context.tar)).toEqual({ a: '1', [context.dockerfile]: 'FROM x' });
  await expect(buildContext(blobs, { ...request, dockerfile: 'nope' })).rejects.toMatchObject({
    code: 'build/no-dockerfile',
  });
});

test('a file that is not an archive, or that leaves its root, is refused', async () => {
  const blobs = memoryBlobs();
  const junk = await blobs.putBytes(new TextEncoder().encode('not a tar'.repeat(200)));
  const escaping = await blobs.putBytes(await tar({ '../etc/passwd': 'x', Dockerfile: 'FROM x' }));
  for (const source of [junk, escaping])
    await expect(
      buildContext(blobs, { tars: [source], context: '.', dockerfile: 'Dockerfile' }),
    ).rejects.toMatchObject({ code: 'source/refused' });
});

test('the pipeline file is the first name that exists', async () => {
  const blobs = memoryBlobs();
  const both = await blobs.putBytes(await tar({ './.gitlab-ci.yml': 'a: 1', '.davit.yml': 'b: 1' }));
  const names = ['.davit.yml', '.gitlab-ci.yml'];
  expect(await findFile(() => blobs.getStream(both), names)).toEqual({ name: '.davit.yml', text: 'b: 1' });
  expect(await findFile(() => blobs.getStream(both), ['.gitlab-ci.yml'])).toEqual({
    name: '.gitlab-ci.yml',
    text: 'a: 1',
  });
  expect(await findFile(() => blobs.getStream(both), ['no'])).toBeUndefined();
});
