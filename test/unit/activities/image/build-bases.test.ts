import { expect, test } from 'vitest';
import { mustPullBases } from '../../../../activities/image/build-bases.ts';
import type { ImageInfo } from '../../../../src/adapters/ports.ts';

const image = (architecture: 'arm' | 'arm64' | 'amd64', madeHere = false): ImageInfo => ({
  id: 'sha256:x',
  platform: { os: 'linux', architecture, ...(architecture === 'arm' && { variant: 'v6' }) },
  sizeBytes: 1,
  tags: [],
  repoDigests: [],
  madeHere,
  exposedPorts: [],
  user: '',
  entrypoint: [],
  command: [],
  workdir: '',
});
const engine = (images: Record<string, ImageInfo>) => ({
  inspectImage: async (name: string) => images[name],
});

test.each([
  ['all are here for the platform', { a: image('arm64'), b: image('arm64') }, false],
  ['one is here for another platform', { a: image('arm64'), b: image('arm') }, true],
  ['one is not here: a job may pull it for another platform meanwhile', { a: image('arm64') }, true],
  ['one is in no registry', { a: image('arm64', true) }, false],
])('base images: %s', async (_, images, expected) => {
  expect(await mustPullBases(engine(images), ['a', 'b'], 'linux/arm64')).toBe(expected);
});
