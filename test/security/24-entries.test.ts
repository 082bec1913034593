/** Row 24: the number of entries of an archive and the size that it unpacks to are limited. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { collectArtifacts } from '../../activities/job/files/artifacts.ts';
import { workspaceTar } from '../../activities/job/start/workspace.ts';
import { archiveLimits } from '../../activities/runtime/archive-limits.ts';
import { bytesOf, entries } from '../../activities/runtime/tar.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { installationSchema } from '../../src/installation.ts';
import { put } from '../../src/utils/tar.ts';
import { digest, memoryBlobs } from '../unit/activities/fakes.ts';

const DEFAULTS = archiveLimits(installationSchema.parse({}).limits);
const MIB = 1_024 * 1_024;
/** More than what may be packed as densely as one likes. */
const ZEROS = 70 * MIB;

/** The engine's tar of a directory with so many files, the first of so many zeros. */
function tarOf(files: number, bytes = 0): Readable {
  const archive = pack();
  const fill = async (): Promise<void> => {
    await put(archive, { name: 'out/', type: 'directory' });
    for (let index = 0; index < files; index += 1)
      await put(archive, { name: `out/${index}` }, index === 0 ? Buffer.alloc(bytes) : '');
    archive.finalize();
  };
  fill().catch((error: unknown) => archive.destroy(error instanceof Error ? error : undefined));
  return bytesOf(archive);
}
const zippedOf = async (files: number, bytes = 0): Promise<Buffer> =>
  gzipSync(await buffer(tarOf(files, bytes)));

describe('an archive that a job leaves', () => {
  const collect = (tar: Readable, limits = DEFAULTS) => {
    const engine = { download: async () => tar } as unknown as Engine;
    return collectArtifacts({
      engine,
      blobs: memoryBlobs(),
      container: 'c',
      projectDir: '/builds/a',
      source: digest('a'),
      spec: { paths: ['out'], exclude: [], untracked: false, when: 'on_success' },
      maxBytes: 2 * ZEROS,
      limits,
      now: () => 0,
    });
  };
  test('has a few files', async () => expect((await collect(tarOf(10))).artifact?.files).toBe(10));
  test('has not more empty ones than the installation file allows', async () => {
    expect(DEFAULTS.entries).toBe(100_000);
    await expect(collect(tarOf(6_000), { ...DEFAULTS, entries: 5_000 })).rejects.toMatchObject({
      code: 'archive/limit',
      message: 'artifacts: more than 5000 files and directories.',
    });
  });
  test('is not a bomb', async () => {
    await expect(collect(tarOf(1, ZEROS), { ...DEFAULTS, ratio: 20 })).rejects.toMatchObject({
      code: 'archive/limit',
      message: 'artifacts: the archive unpacks to more than 20 times its size.',
    });
    expect((await collect(tarOf(1, ZEROS), { ...DEFAULTS, ratio: 2_000 })).artifact?.files).toBe(1);
  });
});

describe('an archive that a job is given', () => {
  const fill = async (zipped: Buffer, limits = DEFAULTS): Promise<unknown> => {
    const archive = workspaceTar({
      projectDir: '/builds/a',
      artifacts: [async () => Readable.from([zipped])],
      files: {},
      limits,
    });
    let bytes = 0;
    for await (const piece of archive) bytes += Buffer.byteLength(piece);
    return bytes;
  };
  test('has not too many entries', async () => {
    const zipped = await zippedOf(20);
    await expect(fill(zipped, { ...DEFAULTS, entries: 20 })).rejects.toMatchObject({ code: 'archive/limit' });
    expect(await fill(zipped, { ...DEFAULTS, entries: 21 })).toBeGreaterThan(20 * 512);
  });
  test('is not a bomb', async () => {
    const zipped = await zippedOf(1, ZEROS);
    await expect(fill(zipped, { ...DEFAULTS, ratio: 20 })).rejects.toMatchObject({ code: 'archive/limit' });
    expect(await fill(zipped, { ...DEFAULTS, ratio: 2_000 })).toBeGreaterThan(ZEROS);
  });
});

test('a source that somebody sends is not a bomb', async () => {
  const read = async (): Promise<void> => {
    for await (const { body } of entries(Readable.from([await zippedOf(1, 2 * ZEROS)])))
      for await (const piece of body) void piece;
  };
  await expect(read()).rejects.toMatchObject({
    code: 'source/refused',
    message: 'The source unpacks to more than 200 times its size.',
  });
});
