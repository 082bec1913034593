/** What an image may do to the job that runs in it, and which images a job may run in. Rows 36 and 37. */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobDeps } from '../../activities/job/context/deps.ts';
import type { RunInput } from '../../activities/contract.ts';
import { makeRunJob } from '../../activities/job/run-job.ts';
import { attemptLabels } from '../../activities/runtime/container-names.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { installationSchema, workerSchema } from '../../src/installation.ts';
import { LABELS } from '../../src/plan/model/labels.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { cacheRecordName } from '../../src/plan/model/records.ts';
import type { CacheSpec } from '../../src/plan/model/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { sweep } from '../../workers/parts/janitor.ts';
import { HELPER, JobBench } from '../support/job-bench.ts';
import { memorySecrets } from '../support/job-stores.ts';
import { REGISTRY_USER, startRegistry, type TestRegistry } from '../support/registry.ts';

let bench: JobBench;
const made: string[] = [];
const containers: string[] = [];
beforeAll(async () => {
  bench = await JobBench.open();
});
afterAll(async () => {
  for (const name of containers) execFileSync('docker', ['rm', '-f', name]);
  await bench.close();
  for (const tag of made) execFileSync('docker', ['rmi', '-f', tag]);
});

const run = (input: RunInput): Promise<JobResult> => bench.environment().run(makeRunJob(bench.deps()), input);

/** An image of the helper with these lines behind it, on this engine alone. */
function imageOf(...lines: string[]): string {
  const tag = `davit-test/trust:${randomBytes(4).toString('hex')}`;
  execFileSync('docker', ['build', '-q', '-t', tag, '-'], {
    input: [`FROM ${HELPER}`, ...lines].join('\n'),
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
  });
  made.push(tag);
  return tag;
}

const CACHE: CacheSpec = {
  key: 'deps',
  paths: ['deps/'],
  untracked: false,
  unprotect: false,
  policy: 'pull-push',
  when: 'on_success',
  fallbackKeys: [],
};

describe('labels of an image', () => {
  test('write no cache: neither for a fork nor for another branch', async () => {
    const record = cacheRecordName('demo', 'protected', sha256('deps'));
    const plan = JSON.stringify([{ index: 0, record }]);
    const image = {
      name: imageOf(`LABEL ${LABELS.caches}='${plan}'`),
      pullPolicy: 'if-not-present',
    } as const;
    const script = ['mkdir deps && echo poisoned >deps/a'];
    bench.workerConfig = { fork_images: ['davit-test/trust:*'] };
    for (const of of [{ fork: true }, { fork: false, caches: [{ ...CACHE, policy: 'pull' }] }]) {
      const input = await bench.input({ caches: [CACHE], protectedRef: false, image, script, ...of });
      expect(await run(input)).toMatchObject({ outcome: 'succeeded' });
      expect(bench.log(input)).not.toContain('Created cache');
    }
    expect([...bench.records.records.keys()].filter((name) => name.startsWith('caches/'))).toEqual([]);
  });

  test('make no container of somebody else a thing of davit', async () => {
    const ref = { pipeline: 'demo/9', job: 'gone', attempt: 1 } as const;
    const labels = attemptLabels(bench.installation, { workflowId: 'w', runId: randomUUID() }, ref);
    const lines = Object.entries({ ...labels, [LABELS.kind]: 'job' }).map(
      (one) => `LABEL ${one[0]}="${one[1]}"`,
    );
    const name = `stranger-${randomBytes(4).toString('hex')}`;
    containers.push(name);
    execFileSync('docker', ['create', '--name', name, imageOf(...lines), 'true']);
    const janitor = {
      engine: bench.engine,
      installation: bench.installation,
      workflows: { isClosed: async () => true },
      minAgeMs: 0,
      everyMs: 1,
      askAgainMs: 1,
    };
    expect(await sweep(janitor)).not.toContain(labels[LABELS.run]);
    expect(await bench.engine.inspectContainer(name)).toBeDefined();
  });
});

describe('an image that the engine has', () => {
  let closed: TestRegistry;
  let open: TestRegistry;
  beforeAll(async () => {
    [closed, open] = await Promise.all([startRegistry({ auth: true }), startRegistry()]);
  });
  afterAll(() => Promise.all([closed.stop(), open.stop()]));

  /** A worker that has the account of the closed registry; the open one is the installation's own. */
  function worker(): JobDeps {
    const deps = bench.deps();
    const registries = [
      { host: closed.host, username: REGISTRY_USER.username, password: 'env:P' },
      { host: open.host, default: true },
    ];
    const projects = ['demo', 'beta', 'base'].map((name) => ({
      name,
      ...(name === 'base' && { images_to: ['demo'] }),
    }));
    const config = installationSchema.parse({ registries, projects });
    return {
      ...deps,
      facts: { ...deps.facts, config: { ...config, helper_image: HELPER } },
      registries: configuredRegistries(config.registries, memorySecrets({ 'env:P': REGISTRY_USER.password })),
      worker: {
        ...deps.worker,
        config: workerSchema.parse({ forks: true, fork_images: ['davit-test/given:*'] }),
      },
    };
  }
  /** The image under that name in its registry, and not on the engine. */
  async function pushed(name: string): Promise<void> {
    execFileSync('docker', ['tag', imageOf(`LABEL x=${randomUUID()}`), name]);
    const auth = name.startsWith(closed.host) ? REGISTRY_USER : undefined;
    const signal = AbortSignal.timeout(60_000);
    await bench.engine.push(name, { auth, signal, onLog: () => undefined });
    execFileSync('docker', ['rmi', name]);
    made.push(name);
  }
  /** Outcome and message of a job in that image. */
  async function job(deps: JobDeps, name: string, more: object = {}): Promise<string> {
    const image = { name, pullPolicy: 'if-not-present' } as const;
    const input = await bench.input({ image, script: ['true'], ...more });
    const { outcome, message }: JobResult = await bench.environment().run(makeRunJob(deps), input);
    return `${outcome} ${message ?? ''}\n${bench.log(input)}`;
  }

  test('a private one that a job of the project has pulled is not for a fork', async () => {
    const name = `${closed.host}/acme/private:1`;
    await pushed(name);
    const deps = worker();
    expect(await job(deps, name)).toContain('succeeded');
    const { id } = (await bench.engine.inspectImage(name)) ?? { id: '' };
    for (const asked of [name, id, id.slice(7, 19)])
      expect(await job(deps, asked, { fork: true })).not.toContain('succeeded');
    expect(await job(deps, name, { fork: true })).toContain('Jobs of forks pull without credentials');
    expect(await job(deps, id.slice(7, 19))).not.toContain('succeeded');
    const services = [{ name, pullPolicy: 'if-not-present', aliases: ['x'], variables: [] }];
    expect(await job(deps, HELPER, { fork: true, services })).not.toContain('succeeded');
    // The project's own job goes on, with its registry away too.
    await closed.pause();
    expect(await job(worker(), name)).toMatch(/^succeeded[^]*does not respond/);
    expect(await job(worker(), name, { fork: true })).not.toContain('succeeded');
    await closed.resume();
    // What the account may not read any more is not used.
    const stranger = { ...worker(), registries: configuredRegistries([], memorySecrets()) };
    expect(await job(stranger, name)).not.toContain('succeeded');
  });

  test('one of another project is not used, wherever it is; public ones and those that are given are', async () => {
    const deps = worker();
    const [own, beta, base] = ['demo', 'beta', 'base'].map((project) => `${open.host}/${project}/x:1`);
    for (const name of [own, beta, base]) await pushed(name ?? '');
    execFileSync('docker', ['pull', '-q', beta ?? '']);
    expect(await job(deps, beta ?? '')).toContain('is of the project beta');
    for (const name of [own, base]) expect(await job(deps, name ?? '')).toContain('succeeded');
    expect(await job(deps, beta ?? '', { local: true })).toContain('succeeded');
    for (const name of [own, base])
      expect(await job(deps, name ?? '', { fork: true })).not.toContain('succeeded');
  });

  test('one that was made there is for all projects, and for forks where the worker names it', async () => {
    const name = imageOf();
    const given = `davit-test/given:${randomBytes(4).toString('hex')}`;
    execFileSync('docker', ['tag', name, given]);
    made.push(given);
    expect(await job(worker(), name)).toContain('succeeded');
    expect(await job(worker(), name, { fork: true })).toContain('fork_images');
    expect(await job(worker(), given, { fork: true })).toContain('succeeded');
  });
});
