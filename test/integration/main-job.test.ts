/**
 * The main job, end to end, with nothing replaced: `davit up`, examples/base and examples/table by `davit
 * run`, an approval by `davit approve`, a deployment to the local engine's swarm. A secret is planted, and
 * searched wherever it must not be.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../src/plan/model/records.ts';
import { eventually, ownDavit, repositoryOf, type Finished, type OwnDavit } from '../support/davit.ts';
import { freePort } from '../support/port.ts';
import { filesWith, inspected, processes, workflowHistories } from '../support/sinks.ts';
import { ROOT } from '../support/source.ts';

const RUN_MS = 300_000;
const CANARY = `canary-${randomBytes(12).toString('hex')}`;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST =
  'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';

interface Descriptor {
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
}

/** The output of `uname -m` on each. */
const MACHINES = { arm32: 'armv[67]l', arm64: 'aarch64', amd64: 'x86_64' };
/** Serves the machine it runs on; each build step prints where it ran, and is not taken from a cache. */
const MACHINES_DOCKERFILE = `ARG BASE
FROM $BASE
ARG WHEN
RUN echo "$WHEN: build runs on $(uname -m)"
EXPOSE 8080
CMD ["sh", "-c", "nc -ll -p 8080 -e sh -c 'uname -m' & wait"]
`;
const machinesPipeline = (): string =>
  `stages: [test, build, apitest]
${Object.keys(MACHINES)
  .map(
    (arch) => `job-${arch}:
  stage: test
  image: $CI_REGISTRY/base:1
  arch: ${arch}
  services:
    - name: $CI_REGISTRY/base:1
      alias: beside
      entrypoint: [sh, -c]
      command: ["nc -ll -p 8080 -e uname -m & wait"]
  script:
    - echo "job runs on $(uname -m)"
    - for i in $(seq 50); do m=$(timeout 5 nc beside 8080 </dev/null) && [ -n "$m" ] && break; sleep 0.2; done
    - echo "service runs on $m"
`,
  )
  .join('')}
build:
  stage: build
  build:
    context: .
    dockerfile: Dockerfile
    platforms: [arm32, arm64, amd64]
    to: $CI_REGISTRY/machines
    args: { BASE: $CI_REGISTRY/base:1, WHEN: "${randomBytes(4).toString('hex')}-$CI_PIPELINE_IID" }
apitest:
  stage: apitest
  apitest: { image_from: build, port: 8080 }
  image: $CI_REGISTRY/base:1
  script:
    - echo "tested runs on $(timeout 10 nc "$API_HOST" 8080 </dev/null)"
`;

let davit: OwnDavit;
let folder = '';
let base = '';
let table = '';
let port = 0;
let service = '';
/** The content of `docker inspect` and of command lines while the pipelines ran. */
const seen: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-main-job-'));
  writeFileSync(join(folder, 'canary'), CANARY, { mode: 0o600 });
  port = await freePort();
  service = `table-${port}`;
  base = repositoryOf(join(ROOT, 'examples', 'base'));
  table = repositoryOf(join(ROOT, 'examples', 'table'));
  const file = join(table, '.gitlab-ci.yml');
  const yaml = readFileSync(file, 'utf8')
    .replace('TABLE_PORT: "8090"', `TABLE_PORT: "${port}"`)
    .replace('service: table', `service: ${service}`);
  // However a script uses a secret, it must not leave the job.
  const leak = `leak:\n  stage: test\n  image: $BASE\n  script:\n    - echo "the secret is $CANARY, $(echo "$CANARY" | base64)"\n    - sleep 2\n`;
  writeFileSync(file, `${yaml}\n${leak}`);
  davit = await ownDavit({
    args: ['--swarm'],
    arches: ['amd64', 'arm64', 'arm32'],
    config: `variables: { CANARY: { secret: 'file:${join(folder, 'canary')}' } }\nlimits: { release_delay: 1s }\n`,
  });
}, RUN_MS);

afterAll(async () => {
  if (service !== '')
    execFileSync('sh', ['-c', 'docker service rm "$1" >/dev/null 2>&1 || true', 'sh', service]);
  await davit.stop();
  for (const path of [folder, dirname(base), dirname(table)]) rmSync(path, { recursive: true, force: true });
});

/** `davit run`, watched from outside until it ends. */
async function watched(cwd: string): Promise<Finished> {
  let over = false;
  const own = davit.run.processes.map((one) => one.pid);
  const done = davit.cli(['run'], { cwd }).finally(() => {
    over = true;
  });
  await eventually('the end of davit run', RUN_MS, () => {
    seen.push(inspected(`davit.installation=${davit.installation}`), processes(own));
    return over || undefined;
  });
  return done;
}

async function manifest<T>(name: string, reference: string, accept: string): Promise<T> {
  const response = await davit.registry(`${name}/manifests/${reference}`, { accept });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

const platforms = (index: { manifests: Descriptor[] }): string[] =>
  index.manifests
    .map(({ platform }) =>
      [platform?.os, platform?.architecture, platform?.variant].filter(Boolean).join('/'),
    )
    .toSorted();

describe('the main job', () => {
  test(
    'examples/base: one tag for three architectures',
    async () => {
      const done = await watched(base);
      expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
      expect(platforms(await manifest('base', '1', INDEX))).toEqual([
        'linux/amd64',
        'linux/arm/v6',
        'linux/arm64/v8',
      ]);
    },
    RUN_MS,
  );

  test(
    'examples/table: test, build, test on each architecture, push, approval, deployment',
    async () => {
      const running = watched(table);
      const waiting = await Promise.race([
        running.then((done) => {
          throw new Error(`it ended before its gate:\n${done.stdout}${done.stderr}`);
        }),
        eventually('the gate', RUN_MS, async () => {
          const [latest] = await davit.api<PipelineSummary[]>('/api/v1/pipelines?project=table&limit=1');
          return latest?.waitingFor.includes('gate') ? latest : undefined;
        }),
      ]);
      const listed = await davit.cli(['status', waiting.id]);
      expect(listed.stdout).toContain('deploy');
      const approved = await davit.cli(['approve', waiting.id, 'deploy', '--comment', 'looks good']);
      expect(approved, approved.stderr).toMatchObject({ code: 0 });
      const done = await running;
      expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
      const status = await davit.api<PipelineStatus>(`/api/v1/pipelines/${waiting.id}`);
      expect(status.jobs.map((job) => `${job.key} ${job.outcome}`)).toEqual([
        'unit succeeded',
        'build: [arm32] succeeded',
        'build: [arm64] succeeded',
        'build: [amd64] succeeded',
        'apitest: [arm32] succeeded',
        'apitest: [arm64] succeeded',
        'apitest: [amd64] succeeded',
        'push succeeded',
        'deploy succeeded',
        'leak succeeded',
      ]);
      const log = await davit.cli(['logs', waiting.id, 'apitest: [arm32]']);
      expect(log.stdout).toMatch(/REST row[\s\S]*15 passed, 0 failed/);
    },
    RUN_MS,
  );

  test(
    'every job, service, build and container under test runs on the requested architecture, from one tag on one engine',
    async () => {
      const folder = join(dirname(base), 'machines');
      mkdirSync(folder);
      writeFileSync(join(folder, 'Dockerfile'), MACHINES_DOCKERFILE);
      writeFileSync(join(folder, '.gitlab-ci.yml'), machinesPipeline());
      const machines = repositoryOf(folder);
      // Twice: the second run meets the leftovers of the first one on the engine.
      for (const run of [1, 2]) {
        const done = await davit.cli(['run'], { cwd: machines });
        expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
        for (const [arch, machine] of Object.entries(MACHINES)) {
          const log = async (job: string): Promise<string> =>
            (await davit.cli(['logs', `machines/${run}`, job])).stdout;
          expect(await log(`job-${arch}`), arch).toMatch(new RegExp(`job runs on ${machine}`));
          expect(await log(`job-${arch}`), arch).toMatch(new RegExp(`service runs on ${machine}`));
          expect(await log(`build: [${arch}]`), arch).toMatch(new RegExp(`build runs on ${machine}`));
          expect(await log(`apitest: [${arch}]`), arch).toMatch(new RegExp(`tested runs on ${machine}`));
        }
      }
      rmSync(dirname(machines), { recursive: true, force: true });
    },
    2 * RUN_MS,
  );

  test('one tag, three architectures, each image below 15 MB, no secret in any of them', async () => {
    const index = await manifest<{ manifests: Descriptor[] }>('table', '1.0.0', INDEX);
    expect(platforms(index)).toEqual(['linux/amd64', 'linux/arm/v6', 'linux/arm64/v8']);
    for (const { digest } of index.manifests) {
      const image = await manifest<{ config: Descriptor; layers: Descriptor[] }>('table', digest, MANIFEST);
      expect(image.layers.reduce((sum, layer) => sum + layer.size, image.config.size)).toBeLessThan(
        15_000_000,
      );
      const config = await (await davit.registry(`table/blobs/${image.config.digest}`)).text();
      expect(config).toContain('org.opencontainers.image.revision');
      expect(config).not.toContain(CANARY);
    }
  });

  test('the deployed service answers, and runs the digest that was pushed', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/version`);
    expect(await answer.json()).toEqual({ version: '1.0.0', platform: expect.stringMatching(/^linux\//) });
    const inspect = execFileSync('docker', ['service', 'inspect', service], { encoding: 'utf8' });
    const response = await davit.registry('table/manifests/1.0.0', { accept: INDEX });
    expect(inspect).toContain(`${davit.run.registry}/table@${response.headers.get('docker-content-digest')}`);
    expect(inspect).not.toContain(CANARY);
  });

  test('the secret is in no output: histories, inspect, command lines, environments, logs, stored bytes', async () => {
    const masked = await davit.cli(['logs', 'table/1', 'leak']);
    expect(masked.stdout).toMatch(/the secret is \[MASKED\], \[MASKED\]/);
    expect(seen.some((text) => text.includes('"davit.job.key": "leak"'))).toBe(true);
    for (const text of seen) expect(text.includes(CANARY)).toBe(false);
    expect(filesWith(davit.home, CANARY)).toEqual([]);
    const connection = await Connection.connect({ address: davit.run.temporal });
    const histories = await workflowHistories(new Client({ connection, namespace: davit.run.namespace }));
    await connection.close();
    expect([...histories.keys()].map((name) => name.split(' ')[0])).toContain('pipeline/table/1');
    for (const [name, text] of histories) {
      expect(text.includes(CANARY), name).toBe(false);
      expect(text.length, name).toBeGreaterThan(500);
    }
  });

  test('the engine keeps nothing of its jobs', async () => {
    await eventually('an empty engine', 60_000, () => {
      const left = inspected(`davit.installation=${davit.installation}`);
      return left.includes('"davit.job.key"') ? undefined : true;
    });
  }, 90_000);
});
