/** Builds of forks in a BuildKit of their own, and what they reach from there. Rows 36 and 37. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBuildImage } from '../../activities/image/build-image.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { BuildSpec } from '../../src/plan/model/spec.ts';
import { buildkitPart } from '../parts/engine-parts.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { HELPER_IMAGE, mainEngine } from '../support/engine.ts';
import { memorySecrets } from '../support/job-stores.ts';
import { REGISTRY_USER, startRegistry, type TestRegistry } from '../support/registry.ts';
import { common, json, memoryBlobs, memoryLogs, runInput, testFacts } from '../unit/activities/fakes.ts';

type Files = Record<string, string | { link: string }>;
const BUSYBOX = ['COPY busybox /bin/busybox', 'SHELL ["/bin/busybox", "sh", "-c"]'];
const GUEST = ['FROM scratch', ...BUSYBOX].join('\n');

await describeWithParts('a fork builds', [buildkitPart], ([folder = '']) => {
  const image = `davit-test/builder:${randomUUID().slice(0, 8)}`;
  const installation = randomUUID();
  const blobs = memoryBlobs();
  const containers: string[] = [];
  let engine: Engine;
  let registry: TestRegistry;
  let busybox: Buffer;

  beforeAll(async () => {
    engine = await mainEngine();
    registry = await startRegistry({ auth: true });
    const context = mkdtempSync(join(tmpdir(), 'davit-builder-'));
    try {
      cpSync(folder, context, { recursive: true });
      const lines = [
        `FROM ${HELPER_IMAGE}`,
        ...buildkitPart.files.map((file) => `COPY ${file} /usr/local/bin/`),
      ];
      writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
      execFileSync('docker', ['build', '-q', '-t', image, context], {
        env: { ...process.env, DOCKER_BUILDKIT: '0' },
      });
    } finally {
      rmSync(context, { recursive: true, force: true });
    }
    busybox = execFileSync('docker', ['run', '--rm', HELPER_IMAGE, 'cat', '/bin/busybox'], {
      maxBuffer: 64 * 1024 * 1024,
    });
  });
  afterAll(async () => {
    for (const name of containers) execFileSync('docker', ['rm', '-f', name]);
    execFileSync('docker', ['rmi', '-f', image]);
    await engine.close();
    await registry.stop();
  });

  async function build(
    files: Files,
    more: Partial<BuildSpec> & { builder?: { image: string }; problem?: string } = {},
  ) {
    const { builder = { image }, problem, ...spec } = more;
    const archive = pack();
    archive.entry({ name: 'busybox', mode: 0o755 }, busybox);
    for (const [name, of] of Object.entries(files))
      if (typeof of === 'string') archive.entry({ name }, of);
      else archive.entry({ name, type: 'symlink', linkname: of.link });
    archive.finalize();
    const whole = {
      ...common,
      kind: 'build',
      arch: 'amd64',
      fork: true,
      protectedRef: false,
      source: await blobs.putBytes(await buffer(archive)),
      context: '.',
      dockerfile: 'Dockerfile',
      args: {},
      repository: `${registry.host}/forks/table`,
      tag: `davit-${randomUUID().slice(0, 8)}-amd64`,
      cacheFrom: 'registry',
      cache: { read: [] },
      labels: {},
      ...spec,
    };
    const config = [
      {
        host: registry.host,
        username: REGISTRY_USER.username,
        password: 'env:P' as const,
        insecure: true,
        default: true,
      },
    ];
    const logs = memoryLogs();
    const activity = makeBuildImage({
      blobs,
      logs,
      secrets: memorySecrets(),
      facts: { ...testFacts({ registries: config }), installation },
      registries: configuredRegistries(config, memorySecrets({ 'env:P': REGISTRY_USER.password })),
      engine,
      host: 'h1',
      hostName: 'bench',
      tags: [],
      frontends: ['docker/dockerfile:*'],
      egressProblem: async () => problem,
      ...(builder.image !== '' && { forkBuilder: builder }),
      variant: 'v6',
      now: Date.now,
      freeDiskSpace: async () => ({ runs: 0, images: [], cacheBytes: 0 }),
    });
    const result: JobResult = await new MockActivityEnvironment().run(
      activity,
      runInput(await blobs.putBytes(json(whole)), { kind: 'build' }),
    );
    return { result, text: logs.text() };
  }
  /** What the engine has of davit's for the builds of this file. */
  const remains = async (): Promise<string[]> =>
    [
      ...(await engine.listContainers({ 'davit.installation': installation })),
      ...(await engine.listVolumes({ 'davit.installation': installation })),
      ...(await engine.listNetworks({ 'davit.installation': installation })),
    ].map(({ name }) => name);

  test('an image in a container that is gone afterwards, and davit pushes it to the forks', async () => {
    const dockerfile = `${GUEST}\nARG WHO="a 'quoted' $value"\nRUN echo "$WHO" >/made\nCMD ["/bin/busybox", "cat", "/made"]\n`;
    const { result, text } = await build(
      { Dockerfile: dockerfile, more: 'x' },
      { args: { WHO: `it's "$HOME"` }, labels: { a: 'b c' } },
    );
    expect(result, text).toMatchObject({
      outcome: 'succeeded',
      image: { repository: `${registry.host}/forks/table` },
    });
    expect(await remains()).toEqual([]);
    const name = `${result.image?.repository}@${result.image?.digest}`;
    await engine.pullImage(name, { auth: REGISTRY_USER });
    const ran = execFileSync('docker', ['run', '--rm', name], { encoding: 'utf8' });
    execFileSync('docker', ['rmi', '-f', name]);
    expect(ran).toBe(`it's "$HOME"\n`);
  });

  test('without the caches and images of the engine, its sockets or credentials', async () => {
    const server = `davit-test-${randomUUID().slice(0, 8)}`;
    containers.push(server);
    execFileSync('docker', [
      'run',
      '-d',
      '--name',
      server,
      HELPER_IMAGE,
      'sh',
      '-c',
      'nc -ll -p 8080 -e echo reached',
    ]);
    const look = [
      'RUN --mount=type=cache,id=all,target=/c echo "cache: $(/bin/busybox ls /c)"',
      'RUN /bin/busybox grep CapEff /proc/self/status; /bin/busybox ls /davit /var/run/docker.sock 2>&1 || true',
      'RUN /bin/busybox mount -t tmpfs x /bin 2>&1 || echo no mount',
    ];
    const { result, text } = await build({ Dockerfile: [GUEST, ...look].join('\n') });
    expect(result, text).toMatchObject({ outcome: 'succeeded' });
    expect(text).toMatch(/cache: $/m);
    expect(text).toContain('no mount');
    expect(text).toMatch(/davit: No such file[^]*docker.sock: No such file/);
    // CAP_SYS_ADMIN is bit 21, and the builder's own alone.
    const rights = BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(text)?.[1] ?? 'ffffffff'}`);
    expect(rights & (1n << 21n)).toBe(0n);
    const local = await build({ Dockerfile: `FROM ${HELPER_IMAGE}\n` });
    expect(local.result).toMatchObject({ outcome: 'failed' });
    expect(await remains()).toEqual([]);
  });

  test('nothing through a link into the builder, and nothing that its worker has no builder for', async () => {
    const linked = await build({
      Dockerfile: GUEST,
      way: { link: '/usr/local/bin' },
      'way/buildkitd': 'evil',
    });
    expect(linked.result).toMatchObject({ outcome: expect.stringMatching('failed|errored') });
    expect(linked.result.message).toContain('way/buildkitd is behind the link way');
    const none = await build({ Dockerfile: GUEST }, { builder: { image: '' } });
    expect(none.result).toMatchObject({ outcome: 'failed', kind: 'config' });
    expect(none.result.message).toContain('pipeline of a fork builds no image on this worker');
    const open = await build({ Dockerfile: GUEST }, { problem: 'There is no firewall.' });
    expect(open.result.message).toContain('builds none of forks. There is no firewall.');
    const elsewhere = await build({ Dockerfile: GUEST }, { repository: `${registry.host}/table` });
    expect(elsewhere.result.message).toContain('is no repository of forks');
    const broken = await build({ Dockerfile: GUEST }, { builder: { image: HELPER_IMAGE } });
    expect(broken.result).toMatchObject({
      outcome: 'errored',
      message: expect.stringContaining('does not work on bench'),
    });
    expect(await remains()).toEqual([]);
  });

  test('a Dockerfile that fails is its own fault, and says which step', async () => {
    const { result } = await build({ Dockerfile: `${GUEST}\nRUN echo before; exit 3\n` });
    expect(result).toMatchObject({ outcome: 'failed', kind: 'script' });
    expect(result.message).toContain('exit code: 3');
    expect(await remains()).toEqual([]);
  });
});
