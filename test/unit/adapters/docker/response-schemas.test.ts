import { expect, test } from 'vitest';
import { archOf, engineInfoOf, platform } from '../../../../src/adapters/docker/response-schemas.ts';
import { containerBody, labelFilter } from '../../../../src/adapters/docker/requests.ts';
import type { ContainerCreate } from '../../../../src/adapters/ports.ts';

const least: ContainerCreate = { name: 'n', image: 'i', labels: {}, volumes: [], logMaxBytes: 1000 };

test('a container without options gets exactly this HostConfig', () => {
  expect(containerBody(least).HostConfig).toEqual({
    AutoRemove: false,
    RestartPolicy: { Name: 'no' },
    Privileged: false,
    Init: false,
    NetworkMode: 'default',
    Mounts: [],
    Binds: [],
    Devices: [],
    ExtraHosts: [],
    CapDrop: ['NET_RAW'],
    LogConfig: { Type: 'json-file', Config: { 'max-size': '2000', 'max-file': '2' } },
  });
});

test('a container with every option sets these keys and no others', () => {
  const body = containerBody({
    ...least,
    entrypoint: ['/e'],
    command: ['--privileged'],
    user: '1:2',
    workdir: '/w',
    env: ['A=b\n"c'],
    network: { name: 'net', aliases: ['db'] },
    volumes: [{ volume: 'v', path: '/p' }],
    devices: ['/dev/a', '/dev/a:/dev/b:r'],
    bindEngineSocket: true,
    privileged: true,
    init: true,
    memoryBytes: 5,
    cpus: 1.5,
    pids: 100,
    noNewPrivileges: true,
    hosts: ['h:1.2.3.4'],
  });
  expect(body).toMatchInlineSnapshot(`
    {
      "AttachStderr": false,
      "AttachStdin": false,
      "AttachStdout": false,
      "Cmd": [
        "--privileged",
      ],
      "Entrypoint": [
        "/e",
      ],
      "Env": [
        "A=b
    "c",
      ],
      "HostConfig": {
        "AutoRemove": false,
        "Binds": [
          "/var/run/docker.sock:/var/run/docker.sock",
        ],
        "Devices": [
          {
            "CgroupPermissions": "rwm",
            "PathInContainer": "/dev/a",
            "PathOnHost": "/dev/a",
          },
          {
            "CgroupPermissions": "r",
            "PathInContainer": "/dev/b",
            "PathOnHost": "/dev/a",
          },
        ],
        "ExtraHosts": [
          "h:1.2.3.4",
        ],
        "Init": true,
        "LogConfig": {
          "Config": {
            "max-file": "2",
            "max-size": "2000",
          },
          "Type": "json-file",
        },
        "Memory": 5,
        "MemorySwap": 5,
        "Mounts": [
          {
            "Source": "v",
            "Target": "/p",
            "Type": "volume",
          },
        ],
        "NanoCpus": 1500000000,
        "NetworkMode": "net",
        "PidsLimit": 100,
        "Privileged": true,
        "RestartPolicy": {
          "Name": "no",
        },
        "SecurityOpt": [
          "no-new-privileges",
        ],
      },
      "Image": "i",
      "Labels": {
        "davit.installation": "",
        "davit.job.attempt": "",
        "davit.job.caches": "",
        "davit.job.key": "",
        "davit.job.marked": "",
        "davit.job.pipeline": "",
        "davit.job.run": "",
        "davit.job.tested": "",
        "davit.job.workflow": "",
        "davit.kind": "",
      },
      "NetworkingConfig": {
        "EndpointsConfig": {
          "net": {
            "Aliases": [
              "db",
            ],
          },
        },
      },
      "OpenStdin": false,
      "Tty": false,
      "User": "1:2",
      "WorkingDir": "/w",
    }
  `);
});

test('the container that sets the firewall has the rights for that, and is on the network of the machine', () => {
  const { HostConfig } = containerBody({ ...least, firewall: true, noNewPrivileges: true });
  expect(HostConfig).toMatchObject({
    Privileged: false,
    NetworkMode: 'host',
    UsernsMode: 'host',
    CapAdd: ['NET_ADMIN', 'NET_RAW'],
    SecurityOpt: ['no-new-privileges', 'label=disable'],
    Binds: ['/:/host:ro', '/run:/host/run'],
  });
  expect(HostConfig).not.toHaveProperty('CapDrop');
});

test('an unknown field of a request never reaches the engine', () => {
  const smuggled: ContainerCreate = Object.assign({}, least, {
    CapAdd: ['ALL'],
    PidMode: 'host',
    HostConfig: { Binds: ['/:/h'] },
  });
  expect(containerBody(smuggled)).toEqual(containerBody(least));
});

test.each([
  [{ mode: 'host' } as const, 'host'],
  [{ mode: 'none' } as const, 'none'],
  [{ mode: { container: 'x' } } as const, 'container:x'],
  [{ name: 'n', aliases: [] }, 'n'],
])('network %j is mode %s', (network, mode) => {
  expect(containerBody({ ...least, network }).HostConfig).toMatchObject({ NetworkMode: mode });
});

test('labels become one filter', () => {
  expect(JSON.parse(labelFilter({ a: 'b', c: '' }))).toEqual({ label: ['a=b', 'c='] });
});

test('architectures by all their names', () => {
  expect(['x86_64', 'amd64', 'aarch64', 'arm64', 'arm', 'armv7l', 'armv6l'].map(archOf)).toEqual([
    'amd64',
    'amd64',
    'arm64',
    'arm64',
    'arm32',
    'arm32',
    'arm32',
  ]);
  expect(platform('arm', 'v6')).toEqual({ os: 'linux', architecture: 'arm', variant: 'v6' });
  expect(platform('arm64', '')).toEqual({ os: 'linux', architecture: 'arm64', variant: 'v8' });
});

test('a 32-bit system on a 64-bit kernel is arm32', () => {
  const info = {
    ID: 'x',
    Name: 'pi',
    ServerVersion: '20',
    Driver: 'overlay2',
    NCPU: 4,
    MemTotal: 1,
    Architecture: 'aarch64',
  };
  expect(engineInfoOf(info, { Arch: 'arm' }, { address: 'unix:///x' })).toMatchObject({
    arch: 'arm32',
    swarm: 'inactive',
  });
});
