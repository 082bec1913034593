import { expect, test } from 'vitest';
import { changesText } from '../../../src/local/setup/changes.ts';
import { sizeText } from '../../../src/utils/size-text.ts';
import { aptSize } from '../../../src/local/setup/debian.ts';
import { swarmObstacle } from '../../../src/local/setup/swarm.ts';

test('a change is told with its size, its reason and its undo', () => {
  const text = changesText([
    { act: 'install', what: 'Debian packages qemu-user-static', why: 'jobs for arm32', size: '12 MB' },
    { act: 'initialise', what: 'a swarm', why: 'deployments', undo: 'docker swarm leave --force' },
  ]);
  expect(text.split('\n')).toEqual([
    '  install     Debian packages qemu-user-static, 12 MB',
    '              jobs for arm32.',
    '  initialise  a swarm',
    '              deployments. Undo: docker swarm leave --force',
    '',
  ]);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [4_954_916, '5.0 MB'],
  [64_000_000, '64 MB'],
  [2_400_000_000, '2.4 GB'],
])('%i bytes are %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test('what apt would download is added up', () => {
  const output = [
    'Reading package lists...',
    'Need to get 6,200 kB of archives.',
    'After this operation, 21.4 MB of additional disk space will be used.',
    "'http://deb.debian.org/pool/a/a_1%2b1_amd64.deb' a_1+1_amd64.deb 5000000 MD5Sum:fad7",
    "'http://deb.debian.org/pool/b/b_1_amd64.deb' b_1_amd64.deb 1200000 SHA256:abcd",
  ].join('\n');
  expect(aptSize(output)).toBe('6.2 MB to download, 21.4 MB on the disk');
});

test.each([
  [{}, undefined],
  [{ liveRestore: true }, /live-restore/],
  [{ rootless: true }, /rootless/],
  [{ rootless: true, swarm: 'manager' }, undefined],
  [{ swarm: 'worker' }, /worker of a swarm/],
  [{ kind: 'podman' }, /Podman/],
] as const)('an engine with %j', (more, obstacle) => {
  const info = { kind: 'docker', rootless: false, liveRestore: false, swarm: 'inactive', ...more } as const;
  const found = swarmObstacle(info);
  if (obstacle === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(obstacle);
});
