import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineSources } from '../../../src/config.ts';
import { contextPlace, knownSockets } from '../../../src/local/setup/engine-places.ts';

let user = '';
let sources: EngineSources;
beforeEach(() => {
  user = mkdtempSync(join(tmpdir(), 'davit-places-'));
  sources = { dockerFolder: join(user, '.docker'), userFolder: user, tempFolder: join(user, 'tmp') };
});
afterEach(() => rmSync(user, { recursive: true }));

const file = (path: string, text: string): void => {
  mkdirSync(dirname(join(user, path)), { recursive: true });
  writeFileSync(join(user, path), text);
};
const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');
const context = (name: string, docker: object): void =>
  file(
    `.docker/contexts/meta/${idOf(name)}/meta.json`,
    JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker } }),
  );
const current = (name: string): void => file('.docker/config.json', JSON.stringify({ currentContext: name }));

describe('the docker context', () => {
  test('none, and the default one, are the default socket', async () => {
    expect(await contextPlace(sources)).toBeUndefined();
    current('default');
    expect(await contextPlace(sources)).toBeUndefined();
    file('.docker/config.json', '{"auths": {}}');
    expect(await contextPlace(sources)).toBeUndefined();
  });

  test('the current one counts, and DOCKER_CONTEXT before it', async () => {
    context('colima', { Host: 'unix:///c.sock', SkipTLSVerify: false });
    context('board', { Host: 'ssh://pi@board' });
    current('colima');
    expect(await contextPlace(sources)).toEqual({
      by: 'the docker context "colima"',
      address: 'unix:///c.sock',
    });
    expect(await contextPlace({ ...sources, context: 'board' })).toMatchObject({ address: 'ssh://pi@board' });
  });

  test('its TLS files are those of the engine', async () => {
    context('far', { Host: 'tcp://far:2376' });
    file(`.docker/contexts/tls/${idOf('far')}/docker/ca.pem`, 'PEM');
    current('far');
    expect(await contextPlace(sources)).toMatchObject({
      address: 'tcp://far:2376',
      certPath: join(user, '.docker', 'contexts', 'tls', idOf('far'), 'docker'),
    });
  });

  test.each([
    ['an unknown one', () => current('gone'), /not defined/],
    [
      'one without a check of certificates',
      () => context('x', { Host: 'tcp://x', SkipTLSVerify: true }),
      /check/,
    ],
    ['one without an engine', () => context('x', {}), /names no Docker engine/],
    ['a file that is something else', () => file('.docker/config.json', '['), /not a file of Docker/],
  ])('%s is reported', async (_what, write, problem) => {
    current('x');
    write();
    expect(await contextPlace(sources)).toMatchObject({ problem: expect.stringMatching(problem) as string });
  });
});

test('sockets of known programs are looked for in one order', async () => {
  for (const path of ['.colima/work/x', '.colima/_lima/x', 'tmp/podman/podman-machine-default-api.sock'])
    file(path, '');
  const found = await knownSockets({ ...sources, runtimeFolder: '/run/user/1' });
  expect(found.map(({ address, by }) => `${by}: ${address.replace(user, '~')}`)).toEqual([
    'the default socket: unix:///var/run/docker.sock',
    'Docker Desktop: unix://~/.docker/run/docker.sock',
    'Docker Desktop: unix://~/.docker/desktop/docker.sock',
    'rootless Docker: unix:///run/user/1/docker.sock',
    'Colima: unix://~/.colima/default/docker.sock',
    'Colima: unix://~/.colima/work/docker.sock',
    'Colima: unix://~/.config/colima/default/docker.sock',
    'Rancher Desktop: unix://~/.rd/docker.sock',
    'OrbStack: unix://~/.orbstack/run/docker.sock',
    'Podman: unix:///run/user/1/podman/podman.sock',
    'Podman: unix:///run/podman/podman.sock',
    'podman machine: unix://~/.local/share/containers/podman/machine/podman.sock',
    'podman machine: unix://~/tmp/podman/podman-machine-default-api.sock',
  ]);
});
