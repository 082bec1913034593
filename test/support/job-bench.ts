/** A worker's activities on the real engine with stores in memory, for tests of whole jobs. */
import { OWN_LINE } from '../../src/plan/model/log-mark.ts';
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { JobDeps } from '../../activities/job/context/deps.ts';
import type { RunInput } from '../../activities/contract.ts';
import { dockerEngine, type EngineOptions } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { installationSchema, workerSchema } from '../../src/installation.ts';
import type { ApitestSpec, ScriptSpec } from '../../src/plan/model/spec.ts';
import { MemoryBlobs, MemoryLogs, MemoryRecords, memorySecrets, noRegistries, tarOf } from './job-stores.ts';

export const HELPER = 'davit/helper:1';

export class JobBench {
  readonly installation = randomUUID();
  readonly blobs = new MemoryBlobs();
  readonly records = new MemoryRecords();
  readonly logs = new MemoryLogs();
  readonly engine: Engine;
  stopping = new AbortController();
  secrets: Record<string, string> = {};
  closed = false;
  /** Why its engine cannot limit what jobs reach. */
  egressProblem: string | undefined;
  workerConfig: Record<string, unknown> = {};
  limits: Record<string, unknown> = {};
  #background: Promise<unknown>[] = [];
  #jobs = 0;

  private constructor(engine: Engine) {
    this.engine = engine;
  }
  static async open(options: EngineOptions = { address: 'unix:///var/run/docker.sock' }): Promise<JobBench> {
    return new JobBench(await dockerEngine(options));
  }

  deps(): JobDeps {
    const config = { ...installationSchema.parse({ limits: this.limits }), helper_image: HELPER };
    return {
      engine: this.engine,
      blobs: this.blobs,
      records: this.records,
      logs: this.logs,
      secrets: memorySecrets(this.secrets),
      registries: { ...noRegistries(), forImage: configuredRegistries([], memorySecrets()).forImage },
      credentials: { forJob: async () => undefined },
      serverAuthority: async () => undefined,
      workflows: { isClosed: async () => this.closed },
      ack: { beat: async () => 'recorded' },
      facts: { installation: this.installation, config, url: 'http://davit.test' },
      worker: {
        hostId: 'host-1',
        hostName: 'bench',
        version: '0.0.0',
        config: workerSchema.parse({ forks: true, ...this.workerConfig }),
        arches: ['amd64'],
        emulated: [],
        tags: ['amd64', 'gpio'],
      },
      stopping: this.stopping.signal,
      background: (work) => void this.#background.push(work),
      now: Date.now,
      ensureHelper: async () => undefined,
      egressProblem: async () => this.egressProblem,
      freeDiskSpace: async () => ({ runs: 0, images: [], cacheBytes: 0 }),
      heartbeatMs: 100,
    };
  }

  /** A script job's input; `spec` overrides what a plain one has. */
  async input(
    spec: Partial<ScriptSpec> | Partial<ApitestSpec>,
    more: Partial<RunInput> = {},
    files: Record<string, string> = { 'README.md': 'hello\n' },
  ): Promise<RunInput> {
    const job = `job ${++this.#jobs}`;
    const full = {
      version: 1,
      kind: 'script',
      key: job,
      group: job,
      stage: 'test',
      project: 'demo',
      ref: 'main',
      sha: '0'.repeat(40),
      protectedRef: true,
      fork: false,
      source: await this.blobs.putBytes(await tarOf(files)),
      projectDir: '/builds/demo',
      variables: [],
      timeoutMs: 60_000,
      image: { name: HELPER, pullPolicy: 'if-not-present' },
      services: [],
      script: [],
      afterScript: [],
      tags: [],
      ...spec,
    };
    return {
      ref: { pipeline: 'demo/1', job, jobId: this.#jobs, attempt: 1, epoch: 1 },
      kind: full.kind === 'apitest' ? 'apitest' : 'script',
      project: 'demo',
      spec: await this.blobs.putBytes(new TextEncoder().encode(JSON.stringify(full))),
      timeoutMs: full.timeoutMs ?? 60_000,
      dispatchedAt: Date.now(),
      tags: [],
      artifacts: [],
      dotenv: [],
      images: [],
      indexes: [],
      graceMs: 1_000,
      ...more,
    };
  }

  /** The environment of an activity; each is one attempt of one activity. */
  environment(): MockActivityEnvironment {
    return new MockActivityEnvironment(
      {
        workflowExecution: { workflowId: 'pipeline/demo/1', runId: this.installation },
        activityId: 'job/1/1',
      },
      // Failures that a test expects are not logged.
      { logger: new DefaultLogger('ERROR') },
    );
  }

  /** As people read it: without colours and marks. */
  log(input: RunInput): string {
    return this.logs
      .text(input.ref)
      .replaceAll(OWN_LINE, '')
      .replace(/\u001b\[[0-9;]*m/g, '');
  }

  /** Labels of one job's objects on the engine; a parallel test run may have a job of the same name. */
  labels(input: RunInput): Record<string, string> {
    return { 'davit.installation': this.installation, 'davit.job.key': input.ref.job };
  }

  /** Labels of everything that the bench's installation has on the engine. */
  async remains(): Promise<string[]> {
    await this.settled();
    const labels = { 'davit.installation': this.installation };
    const [containers, volumes, networks] = await Promise.all([
      this.engine.listContainers(labels),
      this.engine.listVolumes(labels),
      this.engine.listNetworks(labels),
    ]);
    return [...containers, ...volumes, ...networks].map(({ name }) => name);
  }
  async settled(): Promise<void> {
    await Promise.all(this.#background.splice(0));
  }
  async close(): Promise<void> {
    await this.settled();
    const labels = { 'davit.installation': this.installation };
    for (const { name } of await this.engine.listContainers(labels)) await this.engine.removeContainer(name);
    for (const { name } of await this.engine.listVolumes(labels)) await this.engine.removeVolume(name);
    for (const { name } of await this.engine.listNetworks(labels)) await this.engine.removeNetwork(name);
    await this.engine.close();
  }
}

/** As the worker does when the workflow has cancelled the activity. */
export const cancelActivity = (environment: MockActivityEnvironment): void =>
  environment.cancel('CANCELLED', {
    cancelRequested: true,
    notFound: false,
    paused: false,
    reset: false,
    timedOut: false,
    workerShutdown: false,
  });
