import { expect, test } from 'vitest';
import { sizeText } from '../../../../src/utils/size-text.ts';
import { diskText, type DiskView } from '../../../../src/cli/view/disk-view.ts';

const stored = { project: 'shop', logs: 1, sources: 20, artifacts: 300, caches: 4_000, others: 50_000 };
const pushed = { project: 'shop', images: 600_000, pipelines: 100_000, caches: 7_000_000, bytes: 7_500_000 };
const worker = (hostId: string, buildCache?: DiskView['workers'][number]['buildCache']) => ({
  hostId,
  hostName: `host ${hostId}`,
  buildCache,
});
const view = (more: Partial<DiskView> = {}): DiskView => ({
  usage: { projects: [stored], rest: 70 },
  images: { own: { registry: 'r:5000', projects: [pushed], total: 7_500_000, complete: true }, others: [] },
  workers: [],
  removable: 8_000,
  ...more,
});

test('each project with what it has where, the largest first, and its total with each layer once', () => {
  const base = { project: 'base', images: 9_000_000, pipelines: 0, caches: 0, bytes: 9_000_000 };
  const own = { registry: 'r:5000', projects: [pushed, base], total: 10_000_000, complete: true };
  const lines = diskText(view({ images: { own, others: ['ghcr.io'] } }), false).split('\n');
  expect(lines[1]?.split(/\s{2,}/)).toEqual([
    'base',
    '0 B',
    '0 B',
    '0 B',
    '0 B',
    '0 B',
    '9.0 MB',
    '0 B',
    '9.0 MB',
  ]);
  expect(lines[2]?.split(/\s{2,}/)).toEqual([
    'shop',
    '1 B',
    '20 B',
    '300 B',
    '4.0 kB',
    '50 kB',
    '700 kB',
    '7.0 MB',
    '7.6 MB',
  ]);
  expect(lines.slice(3, -1)).toEqual([
    'Named by no ended pipeline: 70 B. The next collection removes 8.0 kB.',
    'Images and layers at r:5000: 10 MB, 6.5 MB less than the sum: projects share layers.',
    "Images at ghcr.io are not counted: a registry that is not davit's does not say what is davit's.",
  ]);
});

test('what is not known is said', () => {
  expect(diskText(view({ images: 'The registry does not respond.' }), false)).toContain(
    'Images are not counted: The registry does not respond.',
  );
  const own = { registry: 'r:5000', projects: [], total: 0, complete: false };
  expect(diskText(view({ images: { own, others: [] } }), false)).toContain('It has more than was counted.');
});

test('the build cache of each engine once, with its bound', () => {
  const known = { bytes: 9_000, unusedBytes: 5_000 };
  const workers = [
    worker('a', known),
    worker('a', known),
    worker('a'),
    worker('b'),
    worker('c', { ...known, maxBytes: 10_000 }),
  ];
  expect(diskText(view({ workers }), false).match(/^Build cache of .*$/gm)).toEqual([
    'Build cache of host a: 9.0 kB, 5.0 kB of it unused; no bound.',
    'Build cache of host c: 9.0 kB, 5.0 kB of it unused; at most 10 kB.',
  ]);
});

test('sizes are short', () => {
  expect([0, 999, 1_000, 12_345, 5e9, 7e15].map(sizeText)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '12 kB',
    '5.0 GB',
    '7000 TB',
  ]);
});
