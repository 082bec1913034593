/** A server for tests: real stores in its own folder, and a table of pipelines instead of Temporal. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { EnvironmentState, StopEnvironment, StopRef } from '../../src/plan/model/environments.ts';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { uploadPack } from '../../src/adapters/git/upload-pack.ts';
import { diskStores, type DiskStores } from '../../src/adapters/disk/index.ts';
import { fileKeyRing } from '../../src/adapters/keys/key-ring.ts';
import { publicKeys, signMessage } from '../../src/adapters/keys/proofs.ts';
import { serverSealer } from '../../src/adapters/secrets/index.ts';
import { installationSchema, type Installation } from '../../src/installation.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { DeletedRef } from '../../src/plan/model/project-memory.ts';
import type {
  Asker,
  Decision,
  DecisionAnswer,
  JobStatus,
  KeyLookup,
  PipelineStatus,
  RerunRequest,
} from '../../src/plan/model/protocol.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { buildApp } from '../../src/server/app.ts';
import { knownTokens } from '../../src/server/auth.ts';
import {
  DEFAULT_LIMITS,
  type OwnRegistry,
  type ServerDeps,
  type ServerLimits,
  type WebhookProject,
} from '../../src/server/deps.ts';
import type { ProtectionOf } from '../../src/server/forge-protection.ts';
import { serverLog } from '../../src/server/log.ts';
import { serverCredentials } from '../../src/server/registry/credentials.ts';
import { deployTokens } from '../../src/server/registry/deploy-tokens.ts';
import { WorkerFleet } from '../../src/server/workers/fleet.ts';
import { FleetBook } from '../../src/server/workers/fleet-book.ts';
import { RefusedCalls } from '../../src/server/workers/refused-calls.ts';
import { ownImages } from '../../src/server/registry/own-images.ts';
import { WorkerTokens } from '../../src/server/workers/worker-tokens.ts';
import { factsOf } from '../../src/server/start.ts';
import type { ListedPipeline, PendingJob, Workflows } from '../../src/server/workflow-port.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { memorySecrets } from './job-stores.ts';

export const TOKENS = {
  cli: 'cli-token-0123456789abcdef',
  worker: 'worker-token-0123456789abcdef',
  control: 'control-token-0123456789abcdef',
  reader: 'reader-token-0123456789',
  developer: 'developer-token-0123456789',
  operator: 'operator-token-0123456789',
} as const;
export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** Temporal as the server sees it; tests set its responses and read its requests. */
export class FakeWorkflows implements Workflows {
  open = new Map<PipelineId, PipelineStatus>();
  closed = new Map<PipelineId, PipelineStatus>();
  pending: PendingJob[] = [];
  runId = 'the-run';
  triggers: Trigger[] = [];
  reruns: RerunRequest[] = [];
  environments: EnvironmentState[] = [];
  stops: StopEnvironment[] = [];
  decisions: Decision[] = [];
  cancelled: PipelineId[] = [];
  cancelledBy: Asker[] = [];
  lookups = new Map<string, KeyLookup>();
  answer: DecisionAnswer = { accepted: true, message: 'done' };
  asked = 0;
  lookedUp = 0;
  /** Thrown by every call. */
  failure: Error | undefined;
  onTrigger: (trigger: Trigger) => Promise<void> = async () => {};

  #fail(): void {
    if (this.failure) throw this.failure;
  }
  async trigger(trigger: Trigger): Promise<void> {
    this.#fail();
    await this.onTrigger(trigger);
    this.triggers.push(trigger);
  }
  deletions: (DeletedRef & { project: string })[] = [];
  async refDeleted(project: string, deleted: DeletedRef): Promise<void> {
    this.#fail();
    this.deletions.push({ project, ...deleted });
  }
  refStops: (StopRef & { project: string })[] = [];
  async stopRef(project: string, stop: StopRef): Promise<void> {
    this.#fail();
    this.refStops.push({ project, ...stop });
  }
  async rerun(_project: string, request: RerunRequest): Promise<void> {
    this.reruns.push(request);
  }
  async stopEnvironment(_project: string, stop: StopEnvironment): Promise<void> {
    this.stops.push(stop);
  }
  async decide(id: PipelineId, decision: Decision): Promise<DecisionAnswer | 'closed'> {
    this.#fail();
    if (!this.open.has(id)) return 'closed';
    this.decisions.push(decision);
    return this.answer;
  }
  async cancel(id: PipelineId, by: Asker): Promise<'accepted' | 'closed'> {
    this.cancelledBy.push(by);
    if (!this.open.has(id)) return 'closed';
    this.cancelled.push(id);
    return 'accepted';
  }
  async describe(
    id: PipelineId,
  ): Promise<{ open: boolean; runId: string; pending: PendingJob[] } | undefined> {
    const { runId } = this;
    this.#fail();
    if (this.open.has(id)) return { open: true, runId, pending: this.pending };
    return this.closed.has(id) ? { open: false, runId, pending: [] } : undefined;
  }
  async status(id: PipelineId): Promise<PipelineStatus | undefined> {
    this.asked += 1;
    return this.open.get(id) ?? this.closed.get(id);
  }
  async project(slug: string) {
    const { environments } = this;
    return slug === 'table'
      ? { project: slug, running: [...this.open.keys()], locks: [], environments }
      : undefined;
  }
  async lookup(_slug: string, key: string): Promise<KeyLookup | undefined> {
    this.lookedUp += 1;
    return this.lookups.get(key);
  }
  async list(filter: { limit: number }): Promise<ListedPipeline[]> {
    this.#fail();
    return [...this.open.values(), ...this.closed.values()].slice(0, filter.limit).map((status) => ({
      id: status.id,
      open: this.open.has(status.id),
      startedAt: status.startedAt,
      ref: status.ref,
      sha: status.sha,
      state: status.state,
      waitingFor: status.waitingFor,
    }));
  }
  async oldestOpen(): Promise<number | undefined> {
    this.#fail();
    const starts = [...this.open.values()].map((one) => one.startedAt);
    return starts.length > 0 ? Math.min(...starts) : undefined;
  }
  async healthy(): Promise<boolean> {
    return this.failure === undefined;
  }
}

export interface TestServer {
  app: FastifyInstance;
  deps: ServerDeps;
  workflows: FakeWorkflows;
  stores: DiskStores;
  folder: string;
  installation: Installation;
  /** All log lines of the server. */
  logged(): string;
  close(): Promise<void>;
}

export async function testServer(
  options: {
    projects?: unknown[];
    workers?: unknown[];
    secrets?: Record<string, string>;
    limits?: Partial<ServerLimits>;
    protectionOf?: ProtectionOf;
    ownRegistry?: OwnRegistry;
    codec?: ServerDeps['codec'];
    temporalUi?: string;
  } = {},
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-server-'));
  const stores = await diskStores(folder);
  const installation = installationSchema.parse({
    projects: options.projects ?? [],
    workers: options.workers ?? [],
    users: (['reader', 'developer', 'operator'] as const).map((role) => ({
      name: `the ${role}`,
      role,
      token_sha256: sha256(TOKENS[role]),
    })),
  });
  const webhooks = installation.projects.flatMap((project): WebhookProject[] => {
    const secret = options.secrets?.[project.name];
    return secret === undefined ? [] : [{ project, secret }];
  });
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const facts = () => factsOf({ installation, installationId: 'the-installation' }, 'http://davit.test');
  const workflows = new FakeWorkflows();
  const keys = fileKeyRing(join(folder, 'keys'));
  const workerTokens = await WorkerTokens.open(stores.records);
  const deps: ServerDeps = {
    ...stores,
    fleet: new WorkerFleet(await FleetBook.open(stores.records)),
    refusedCalls: new RefusedCalls(),
    certificateTrouble: async () => undefined,
    storeSpace: async () => ({ freeBytes: 50e9, totalBytes: 100e9 }),
    workflows,
    workerTokens,
    keys,
    proofs: {
      sign: (message) => signMessage(keys, message),
      facts: () => ({ keys: publicKeys(keys), requiredFrom: 0 }),
    },
    sealer: serverSealer(keys, TOKENS.worker),
    tokens: knownTokens({
      users: installation.users,
      cliToken: TOKENS.cli,
      controlToken: TOKENS.control,
      workerToken: () => (workerTokens.sharedOff ? undefined : TOKENS.worker),
      workers: () => [...installation.workers, ...workerTokens.list()],
      owner: 'me',
    }),
    uploadPack: uploadPack(),
    secrets: memorySecrets(options.secrets),
    credentials: serverCredentials(keys, stores.logs),
    deployTokens: deployTokens(stores.records),
    ...(options.ownRegistry && {
      ownRegistry: options.ownRegistry,
      images: ownImages(options.ownRegistry, facts),
    }),
    protectionOf: options.protectionOf ?? (async () => undefined),
    resolveRef: async ({ default_branch }, { ref = default_branch ?? 'main', refKind = 'branch' }) => ({
      ref,
      refKind,
      sha: (ref === 'main' ? 'd' : 'e').repeat(40),
    }),
    webhooks,
    facts,
    proxies: [],
    codec: options.codec,
    temporal: { namespace: 'davit', ui: options.temporalUi },
    version: '0.0.0',
    log: serverLog(pino({ level: 'debug' }, sink), [
      ...Object.values(TOKENS),
      ...webhooks.map((one) => one.secret),
    ]),
    limits: { ...DEFAULT_LIMITS, statusMs: 20, ...options.limits },
  };
  const app = buildApp(deps);
  return {
    app,
    deps,
    workflows,
    stores,
    folder,
    installation,
    logged: () => lines.join(''),
    close: async () => {
      await app.close();
      await stores.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const job = (key: string, more: Partial<JobStatus> = {}): JobStatus => ({
  key,
  stage: 'test',
  kind: 'script',
  phase: 'created',
  allowedToFail: false,
  attempt: 1,
  epoch: 1,
  jobId: 1,
  queue: 'arm32',
  since: 1,
  decisions: [],
  ...more,
});
export const pipeline = (id: PipelineId, more: Partial<PipelineStatus> = {}): PipelineStatus => ({
  id,
  number: 1,
  project: 'table',
  ref: 'main',
  sha: 'a'.repeat(40),
  title: 'a title',
  source: 'push',
  state: 'running',
  warnings: [],
  startedAt: 1,
  waitingFor: [],
  jobs: [],
  ...more,
});
