/** Row 24: the number of entries of an archive is limited, however small they are. */
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { collectArtifacts, MAX_ENTRIES } from '../../activities/job/files/artifacts.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { digest, memoryBlobs } from '../unit/activities/fakes.ts';

/** The engine's tar of a directory with this number of empty files. */
function tarOf(files: number): Readable {
  const archive = pack();
  archive.entry({ name: 'out/', type: 'directory' });
  for (let index = 0; index < files; index += 1) archive.entry({ name: `out/${index}` }, '');
  archive.finalize();
  return Readable.from(archive, { objectMode: false });
}

const collect = (files: number) => {
  const engine = { download: async () => tarOf(files) } as unknown as Engine;
  return collectArtifacts({
    engine,
    blobs: memoryBlobs(),
    container: 'c',
    projectDir: '/builds/a',
    source: digest('a'),
    spec: { paths: ['out'], exclude: [], untracked: false, when: 'on_success' },
    maxBytes: 1_000_000,
    now: () => 0,
  });
};

test('a few files are kept, too many are refused', async () => {
  expect((await collect(10)).artifact?.files).toBe(10);
  await expect(collect(MAX_ENTRIES)).rejects.toMatchObject({ code: 'job/artifacts' });
});
