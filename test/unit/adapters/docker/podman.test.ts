/** Responses of Podman 4.3.1, and how they are interpreted. */
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { engineInfoOf, imageInfo, imageList } from '../../../../src/adapters/docker/response-schemas.ts';
import { buildError } from '../../../../src/adapters/docker/build/build.ts';
import { containerList, containerState } from '../../../../src/adapters/docker/container-state.ts';
import { justBefore } from '../../../../src/adapters/docker/demux.ts';
import { registryConfig, StepLog } from '../../../../src/adapters/docker/build/podman-build.ts';
import { podmanBuildQuery } from '../../../../src/adapters/docker/build/query.ts';
import { untrustedRegistry } from '../../../../src/adapters/docker/podman-trust.ts';
import { pushedDigest } from '../../../../src/adapters/docker/progress.ts';
import { containerBody } from '../../../../src/adapters/docker/requests.ts';
import { engineTraits } from '../../../../src/adapters/docker/traits.ts';
import { swarmObstacle } from '../../../../src/local/setup/swarm.ts';

const VERSION = {
  Components: [{ Name: 'Podman Engine', Version: '4.3.1' }, { Name: 'Conmon' }],
  Version: '4.3.1',
  ApiVersion: '1.41',
  MinAPIVersion: '1.24',
  Arch: 'amd64',
};
const INFO = {
  ID: '66c25ec2-ab12-41f9-abab-8811f866a4c6',
  Name: 'vm',
  Driver: 'overlay',
  DriverStatus: [['Backing Filesystem', 'extfs']],
  NCPU: 2,
  MemTotal: 25276059648,
  ServerVersion: '4.3.1',
  SecurityOptions: ['name=seccomp,profile=default'],
  Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false, RemoteManagers: null },
};

test('it is recognised', () => {
  expect(engineTraits(VERSION, INFO, 'a')).toEqual({
    api: '1.41',
    podman: true,
    store: 'classic',
    inspectsPlatform: false,
  });
  const info = engineInfoOf(INFO, VERSION, { address: 'a' });
  expect(info).toMatchObject({ kind: 'podman', version: '4.3.1', rootless: false, swarm: 'inactive' });
  expect(swarmObstacle(info)).toBe('Podman has no swarm');
  const rootless = { ...INFO, SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'] };
  expect(engineInfoOf(rootless, { Arch: 'amd64' }, { address: 'a' })).toMatchObject({
    kind: 'docker',
    rootless: true,
  });
});

const inspected = (Status: string) => ({
  Id: '2355d4361d29',
  Name: '/bb',
  Created: '2026-11-29T16:30:34.512501164Z',
  State: {
    Status,
    ExitCode: 0,
    OOMKilled: false,
    Error: '',
    StartedAt: '0001-01-01T00:00:00Z',
    FinishedAt: '0001-01-01T00:00:00Z',
  },
  Config: { Image: 'docker.io/davit/helper:1', Labels: {} },
});
const listed = (State: string) => [
  {
    Id: '75a759c7812c',
    Names: ['/aa'],
    Image: 'docker.io/davit/helper:1',
    Created: 1795969834,
    Labels: null,
    State,
    Status: 'Created',
    NetworkSettings: { Networks: null },
  },
];

describe('states', () => {
  test.each([
    ['configured', 'created'],
    ['initialized', 'created'],
    ['stopping', 'running'],
    ['stopped', 'exited'],
    ['exited', 'exited'],
  ])('%s is %s', (said, status) => {
    expect(containerState(inspected(said))).toMatchObject({ status, image: 'davit/helper:1' });
    expect(containerList(listed(said))).toMatchObject([{ status, name: 'aa', image: 'davit/helper:1' }]);
  });
  test('one that reports no state is an error of its container, and hides no other in a list', () => {
    expect(() => containerState(inspected('unknown'), 'inspect container bb')).toThrow(
      expect.objectContaining({
        code: 'engine/failed',
        message: expect.stringMatching(/^Cannot inspect container bb: .*"unknown"/),
      }),
    );
    expect(containerList(listed('unknown'))).toMatchObject([{ status: 'running' }]);
  });
});

test('a response of another form is a coded error with the place', () => {
  expect(() => containerState({ Id: 1 }, 'inspect container x')).toThrow(
    expect.objectContaining({
      code: 'engine/failed',
      message: expect.stringMatching(/^Cannot inspect container x: .*Id: /),
    }),
  );
  expect(() => engineTraits({}, {}, 'a')).toThrow(expect.objectContaining({ code: 'engine/failed' }));
});

test('names are as short as those of Docker', () => {
  const tags = [
    'docker.io/davit/helper:1',
    'docker.io/library/t:1',
    'localhost/mine:1',
    '127.0.0.1:5000/x:1',
  ];
  expect(imageList([{ Id: 'i', RepoTags: tags, Labels: null }])[0]?.tags).toEqual([
    'davit/helper:1',
    't:1',
    'localhost/mine:1',
    '127.0.0.1:5000/x:1',
  ]);
  const image = {
    Id: 'i',
    Os: 'linux',
    Architecture: 'arm',
    Size: 1,
    RepoDigests: ['docker.io/library/t@sha256:7'],
  };
  expect(imageInfo(image)).toMatchObject({ repoDigests: ['t@sha256:7'], platform: { architecture: 'arm' } });
});

test('a push reports its digest in text', () => {
  const digest = 'sha256:83ead27b6eea17e763894fb22b0fffdbb5f690a7c9d52e989754efa05c9a476d';
  const said = [
    { status: 'The push refers to repository [127.0.0.1:5998/x/y:2]' },
    { status: `2: digest: ${digest} size: 581` },
  ];
  expect(said.map((event) => pushedDigest(event, '2'))).toEqual([undefined, { digest, sizeBytes: 581 }]);
});

describe('a build', () => {
  const log = (lines: string[]): StepLog => {
    const steps = new StepLog();
    for (const line of lines) steps.take(line);
    return steps;
  };
  test('that fails names its step and the lines of it', () => {
    const said =
      'building at STEP "RUN echo before; echo the reason >&2; exit 3": while running runtime: exit status 3\n';
    const steps = log([
      'STEP 1/2: FROM davit/helper:1\n',
      'STEP 2/2: RUN echo before; echo the reason >&2; exit 3\n',
      'before\n',
      'the reas',
      'on\n',
    ]);
    expect(buildError(said, steps)).toMatchObject({
      code: 'engine/build-failed',
      message: expect.stringMatching(/exit status 3.* Step: RUN echo before.*\| before\n {2}\| the reason$/s),
    });
  });
  test('of several stages, too', () => {
    const steps = log(['[1/2] STEP 1/2: FROM x AS base\n', '[2/2] STEP 3/3: RUN false\n']);
    expect(steps.failed).toEqual({ name: 'RUN false', tail: [] });
  });
  test.each([
    [
      'building at STEP "FOO ": Build error: Unknown instruction: "FOO" &imagebuilder.Step{}',
      'engine/build-failed',
    ],
    [
      'building at STEP "COPY nothing /x": checking on sources under "/var/tmp/libpod_builder1134654643/build": copier: stat: "/nothing": no such file or directory',
      'engine/build-failed',
    ],
    ['The target "b" was not found in the provided Dockerfile', 'engine/build-failed'],
    ['stat /var/tmp/libpod_builder4067388190/build/none/D: no such file or directory', 'engine/build-failed'],
    [
      'creating build container: initializing source docker://127.0.0.1:5998/x/nothing:1: reading manifest 1 in 127.0.0.1:5998/x/nothing: manifest unknown: manifest unknown',
      'engine/image-missing',
    ],
    [
      'creating build container: initializing source docker://127.0.0.1:5997/x/y:1: reading manifest 1 in 127.0.0.1:5997/x/y: unauthorized: authentication required',
      'engine/image-denied',
    ],
    [
      'creating build container: initializing source docker://127.0.0.1:1/x:1: pinging container registry 127.0.0.1:1: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
      'registry/unreachable',
    ],
  ])('"%s" is %s', (said, code) => {
    expect(buildError(`${said}\n`, new StepLog()).code).toBe(code);
  });
  test('asks for no cache, and gives credentials in a header that Go can read', () => {
    const query = podmanBuildQuery({
      context: Readable.from([]),
      dockerfile: 'D',
      platform: 'linux/arm/v6',
      tag: 't:1',
      args: { A: 'b' },
      labels: {},
      cacheFrom: ['c'],
      pullBases: false,
      inlineCache: true,
      auth: {},
      signal: AbortSignal.timeout(1_000),
      onLog: () => undefined,
    });
    expect(query).toMatchObject({ layers: '0', platform: 'linux/arm/v6', buildargs: '{"A":"b"}' });
    expect(query).not.toHaveProperty('cachefrom');
    expect(registryConfig({})).toEqual({});
    const header =
      registryConfig({ 'r:5000': { username: 'a', password: '>>>???' } })['X-Registry-Config'] ?? '';
    expect(header).toMatch(/^[\w-]+=*$/);
    expect(header.length % 4).toBe(0);
  });
});

test('a registry without TLS is reported with the setting to write', () => {
  const said =
    'pinging container registry 127.0.0.1:5000: Get "https://127.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client';
  expect(untrustedRegistry(said, '127.0.0.1:5000')).toMatchObject({
    code: 'registry/failed',
    hint: expect.stringMatching(/registries\.conf\.d.*127\.0\.0\.1:5000.*insecure = true/),
  });
  expect(untrustedRegistry('connection refused', 'r')).toBeUndefined();
});

test('its log file has space for a whole log of short lines', () => {
  const create = { name: 'n', image: 'i', labels: {}, volumes: [], logMaxBytes: 100 * 1024 * 1024 };
  expect(containerBody(create, true).HostConfig).toMatchObject({
    LogConfig: { Config: { 'max-size': String(800 * 1024 * 1024) } },
  });
});

test('a log continues from just before a given time', () => {
  expect(justBefore('2026-11-29T16:33:05Z')).toBe('1795969984.999999999');
  expect(justBefore('2026-11-29T16:33:05.5+00:00')).toBe('1795969985.499999999');
});
