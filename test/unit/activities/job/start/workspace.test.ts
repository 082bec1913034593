import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract, type Header, pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { reroot, workspaceTar } from '../../../../../activities/job/start/workspace.ts';
import { inside } from '../../../../../activities/runtime/path-inside.ts';

type Given = Partial<Header> & { name: string; text?: string };
async function tar(entries: Given[]): Promise<Buffer> {
  const archive = pack();
  for (const { text, ...header } of entries) archive.entry(header, text ?? '');
  archive.finalize();
  return buffer(Readable.from(archive, { objectMode: false }));
}

interface Found {
  header: Header;
  text: string;
}
async function unpack(stream: Readable): Promise<Found[]> {
  const found: Found[] = [];
  const entries = stream.pipe(extract());
  for await (const entry of entries) {
    found.push({ header: entry.header, text: (await buffer(entry)).toString() });
  }
  return found;
}

const made = async (source: Given[], artifacts: Given[][] = []): Promise<Found[]> => {
  const bytes = await tar(source);
  const zipped = await Promise.all(artifacts.map(async (entries) => gzipSync(await tar(entries))));
  return unpack(
    workspaceTar({
      projectDir: '/builds/demo',
      source: async () => Readable.from([bytes]),
      artifacts: zipped.map((one) => async () => Readable.from([one])),
      files: { run: 'supervisor', variables: 'secret' },
      limits: { entries: 1_000, ratio: 1_000 },
    }),
  );
};

describe('workspaceTar', () => {
  test('every part is in its place, with open modes, owned by root', async () => {
    const found = await made([
      { name: './', type: 'directory', mode: 0o700 },
      { name: 'src/deep/a.sh', mode: 0o700, uid: 1000, text: 'x' },
      { name: 'b.txt', mode: 0o600, text: 'y' },
    ]);
    const modes = Object.fromEntries(found.map(({ header }) => [header.name, header.mode]));
    expect(modes).toEqual({
      'builds/': 0o777,
      'builds/demo/': 0o777,
      'builds/demo.tmp/': 0o777,
      'davit/': 0o777,
      'builds/demo/src/': 0o777,
      'builds/demo/src/deep/': 0o777,
      'builds/demo/src/deep/a.sh': 0o777,
      'builds/demo/b.txt': 0o666,
      'davit/run': 0o666,
      'davit/variables': 0o666,
    });
    expect(found.every(({ header }) => header.uid === 0 && header.gid === 0)).toBe(true);
  });

  test("a later artifact follows an earlier one and the source, davit's files follow all", async () => {
    const found = await made(
      [{ name: 'a', text: 'source' }],
      [[{ name: 'a', text: 'first' }], [{ name: 'a', text: 'second' }]],
    );
    const texts = found.filter(({ header }) => header.type === 'file').map(({ text }) => text);
    expect(texts).toEqual(['source', 'first', 'second', 'supervisor', 'secret']);
  });

  test('nothing leaves the project, and devices are left out', async () => {
    const found = await made([
      { name: '../../etc/passwd', text: 'x' },
      { name: '/etc/shadow', text: 'x' },
      { name: 'ok/../../../davit/run', text: 'x' },
      { name: 'null', type: 'character-device' },
      { name: 'pipe', type: 'fifo' },
      { name: 'hard', type: 'link', linkname: '../../etc/passwd' },
      { name: 'soft', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'fine', text: 'x' },
    ]);
    const names = found.map(({ header }) => header.name).filter((name) => name.startsWith('builds/demo/'));
    expect(names).toEqual(['builds/demo/', 'builds/demo/soft', 'builds/demo/fine']);
    expect(found.filter(({ header }) => header.name === 'davit/run')).toHaveLength(1);
  });

  test('any name stays inside', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', 'a', '', 'b\0', 'C:'), { maxLength: 8 }), (parts) => {
        const path = inside(parts.join('/'));
        if (path === undefined) return;
        expect(path.split('/')).not.toContain('..');
        expect(path.startsWith('/')).toBe(false);
        const header = { name: parts.join('/'), type: 'file', size: 0, mode: 0o644 } as Header;
        const name = reroot(header, '/builds/demo')?.name ?? '';
        expect(name === 'builds/demo' || name.startsWith('builds/demo/')).toBe(true);
      }),
    );
  });

  test('a source that breaks off ends the archive with an error', async () => {
    const broken = workspaceTar({
      projectDir: '/builds/demo',
      source: async () =>
        Readable.from(
          (async function* () {
            yield await tar([{ name: 'a', text: 'x'.repeat(100) }]).then((bytes) => bytes.subarray(0, 540));
            throw new Error('the store went away');
          })(),
        ),
      artifacts: [],
      files: {},
      limits: { entries: 1_000, ratio: 1_000 },
    });
    await expect(unpackAll(broken)).rejects.toThrow('the store went away');
  });
});

async function unpackAll(stream: Readable): Promise<void> {
  for await (const chunk of stream) void chunk;
}
