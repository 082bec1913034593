/** Row 22: a directory, then a link in its place, then a file below it (CVE-2021-32803). */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { extract, pack, type Header } from 'tar-stream';
import { expect, test } from 'vitest';
import { workspaceTar } from '../../activities/job/start/workspace.ts';

async function tar(entries: (Partial<Header> & { name: string })[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) archive.entry(entry, entry.type === 'file' ? 'x' : '');
  archive.finalize();
  return buffer(Readable.from(archive, { objectMode: false }));
}

/**
 * Where an engine writes each file: it follows the links that exist when the entry arrives, and replaces a
 * link by a directory.
 */
async function written(artifacts: Parameters<typeof tar>[0][]): Promise<string[]> {
  const source = await tar([]);
  const zipped = await Promise.all(artifacts.map(async (entries) => gzipSync(await tar(entries))));
  const links = new Map<string, string>();
  const files: string[] = [];
  const entries = workspaceTar({
    projectDir: '/builds/demo',
    source: async () => Readable.from([source]),
    artifacts: zipped.map((one) => async () => Readable.from([one])),
    files: {},
    limits: { entries: 100, ratio: 100 },
  }).pipe(extract());
  for await (const entry of entries) {
    const { name, type, linkname } = entry.header;
    const path = `/${name.replace(/\/$/, '')}`;
    if (type === 'symlink') links.set(path, linkname ?? '');
    else if (type === 'directory') links.delete(path);
    else {
      const link = [...links.keys()].find((one) => path.startsWith(`${one}/`));
      files.push(link === undefined ? path : path.replace(link, links.get(link) ?? ''));
    }
    entry.resume();
  }
  return files.filter((path) => path.includes('after'));
}

const directory = { name: 'x/', type: 'directory' } as const;
const link = { name: 'x', type: 'symlink', linkname: '/davit' } as const;
const file = { name: 'x/after', type: 'file' } as const;

test.each([
  ['in three archives', [[directory], [link], [file]]],
  ['in one', [[directory, link, file]]],
  ['link first', [[link], [file]]],
  ['a deeper one', [[{ name: 'x/y/', type: 'directory' }], [link], [{ name: 'x/y/after', type: 'file' }]]],
  [
    'the link in place of the project',
    [[{ name: './', type: 'symlink', linkname: '/davit' }], [{ name: 'after', type: 'file' }]],
  ],
] as [string, Parameters<typeof tar>[0][]][])(
  '%s: the file stays in the project',
  async (_what, artifacts) => {
    const paths = await written(artifacts);
    expect(paths).toHaveLength(1);
    expect(paths[0]).toMatch(/^\/builds\/demo\//);
  },
);
