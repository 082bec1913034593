/**
 * The real parts that a job needs: Temporal, server, control worker in this process, architecture workers as
 * processes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../src/cli/client/api-client.ts';
import { fileKeyRing, rotateKeyFile } from '../../src/adapters/keys/key-ring.ts';
import { signMessage } from '../../src/adapters/keys/proofs.ts';
import { readSettings, type Settings } from '../../src/config.ts';
import { installationSchema } from '../../src/installation.ts';
import { FINAL_STATES, type PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { type RunningServer, startServer } from '../../src/server/start.ts';
import { pipelineStatus, signalTrigger } from '../../src/temporal/calls.ts';
import { wireWorker, type WorkerPorts } from '../../src/wiring.ts';
import { run as runControl } from '../../workers/control.ts';
import { eventually } from './davit.ts';
import { tarOf } from './job-stores.ts';
import { startTemporal, type TestTemporal } from './temporal.ts';

export interface ArchProcess {
  pid: number;
  /** Its output. */
  text(): string;
  /** Resolves when it has ended by itself. */
  gone(): Promise<void>;
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export class SmallDavit {
  readonly installation: string;
  readonly temporal: TestTemporal;
  readonly ports: WorkerPorts;
  readonly #home: string;
  readonly #serve: (port: number) => Promise<RunningServer>;
  #server: RunningServer;
  readonly #settings: Settings;
  readonly #cliToken: string;
  #stop = new AbortController();
  #control: Promise<void>;
  readonly #workers = new Set<ArchProcess>();

  private constructor(of: {
    installation: string;
    temporal: TestTemporal;
    ports: WorkerPorts;
    home: string;
    server: RunningServer;
    serve: (port: number) => Promise<RunningServer>;
    settings: Settings;
    cliToken: string;
  }) {
    this.installation = of.installation;
    this.temporal = of.temporal;
    this.ports = of.ports;
    this.#home = of.home;
    this.#server = of.server;
    this.#serve = of.serve;
    this.#settings = of.settings;
    this.#cliToken = of.cliToken;
    this.#control = runControl({ settings: of.settings, signal: this.#stop.signal });
  }

  static async start(limits: Record<string, unknown> = {}): Promise<SmallDavit> {
    const home = await mkdtemp(join(tmpdir(), 'davit-small-'));
    const workerToken = randomUUID();
    const workerTokenFile = join(home, 'keys', 'worker-token');
    await mkdir(join(home, 'keys'));
    await writeFile(workerTokenFile, workerToken, { mode: 0o600 });
    const cliToken = randomUUID();
    const temporal = await startTemporal();
    const installation = randomUUID();
    const serve = (port: number): Promise<RunningServer> =>
      startServer({
        settings: { logLevel: 'silent' },
        installation: installationSchema.parse({ limits }),
        installationId: installation,
        cliToken,
        controlToken: workerToken,
        registry: '127.0.0.1:1',
        temporal,
        dataDir: join(home, 'data'),
        port,
      });
    const server = await serve(0);
    const settings: Settings = {
      ...readSettings(),
      home,
      workerTokenFile,
      controlTokenFile: join(home, 'keys', 'control-token'),
      serverUrl: server.url,
      temporalAddress: temporal.address,
      temporalNamespace: temporal.namespace,
    };
    const ports = await wireWorker(settings);
    const davit = new SmallDavit({ installation, temporal, ports, home, server, serve, settings, cliToken });
    await davit.newMachineToken();
    return davit;
  }

  /** Arch workers have a token of their own; this replaces it, and revokes the former one. */
  async newMachineToken(): Promise<void> {
    const { client } = this;
    const former = await client.workerTokens();
    const { token } = await client.createWorkerToken({ name: 'machine', forks: true });
    await writeFile(this.#machineTokenFile, token, { mode: 0o600 });
    for (const { name, id } of former) await client.revokeWorkerTokens({ name, id });
  }
  /** An operator. */
  get client(): ApiClient {
    return new ApiClient(this.#server.url, this.#cliToken);
  }
  rotateKey(): void {
    rotateKeyFile(join(this.#home, 'data', 'installation-key'));
  }

  get #machineTokenFile(): string {
    return join(this.#home, 'keys', 'machine-token');
  }

  /** Like an upgrade: the old server ends, the new one takes its address. */
  async replaceServer(): Promise<void> {
    await this.#server.close();
    this.#server = await this.#serve(Number(new URL(this.#server.url).port));
  }
  /** Sends SIGTERM to the control worker, and starts a new one. */
  async replaceControl(): Promise<void> {
    this.#stop.abort();
    await this.#control;
    this.#stop = new AbortController();
    this.#control = runControl({ settings: this.#settings, signal: this.#stop.signal });
  }

  /**
   * Replaces the control worker by a process that kills itself (control-worker-main.ts) when that activity
   * has done its work for a pipeline that a job starts. Resolves when it polls for tasks; `replaceControl`
   * restores the other one.
   */
  async dyingControl(activity: 'startDownstream' | 'claimPipeline'): Promise<ArchProcess> {
    this.#stop.abort();
    await this.#control;
    return this.#spawn('control-worker-main.ts', [activity]);
  }

  /** Resolves when it polls for tasks. */
  async worker(arches = 'amd64', config = '', env: Record<string, string> = {}): Promise<ArchProcess> {
    const configFile = join(this.#home, `worker-${randomUUID()}.yml`);
    await writeFile(configFile, config);
    const own = { TEST_WORKER_CONFIG: configFile, DAVIT_WORKER_TOKEN_FILE: this.#machineTokenFile, ...env };
    return this.#spawn('arch-worker-main.ts', [arches], own);
  }

  async #spawn(main: string, args: string[], env: Record<string, string> = {}): Promise<ArchProcess> {
    const { serverUrl, temporalAddress, temporalNamespace, workerTokenFile } = this.#settings;
    const child = spawn(process.execPath, [join(import.meta.dirname, main), ...args], {
      env: {
        ...process.env,
        DAVIT_HOME: this.#home,
        DAVIT_SERVER: serverUrl,
        DAVIT_WORKER_TOKEN_FILE: workerTokenFile,
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_NAMESPACE: temporalNamespace,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return this.#ready(child);
  }

  async #ready(child: ChildProcess): Promise<ArchProcess> {
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const gone = once(child, 'exit');
    const worker: ArchProcess = {
      pid: child.pid ?? 0,
      text: () => said,
      gone: async () => {
        await gone;
        this.#workers.delete(worker);
      },
      end: async (signal) => {
        child.kill(signal);
        const [code] = await gone;
        this.#workers.delete(worker);
        return typeof code === 'number' ? code : null;
      },
    };
    this.#workers.add(worker);
    await eventually('a worker', 60_000, () => {
      if (child.exitCode !== null) throw new Error(`the worker ended: ${said}`);
      return said.includes('ready\n') ? true : undefined;
    });
    return worker;
  }

  /** Starts a pipeline of this file and returns its id. */
  async start(
    project: string,
    yaml: string,
    more: Record<string, string> = {},
  ): Promise<`${string}/${number}`> {
    const tar = await tarOf({ '.gitlab-ci.yml': yaml, 'README.md': 'hello\n', ...more });
    const trigger: Trigger = {
      project,
      source: 'cli',
      key: `request:${randomUUID()}`,
      deliveryId: randomUUID(),
      ref: 'main',
      refKind: 'branch',
      sha: '1'.repeat(40),
      before: '0'.repeat(40),
      title: 'a test',
      actor: 'ada',
      sourceBlob: await this.ports.blobs.putBytes(tar),
      fork: false,
      receivedAt: Date.now(),
    };
    const keys = fileKeyRing(join(this.#home, 'data', 'installation-key'));
    const proof = signMessage(keys, { kind: 'trigger', trigger });
    await signalTrigger(this.temporal.client, { ...trigger, proof });
    return `${project}/1`;
  }

  /** The workflow's current status; undefined before it exists. */
  status(id: `${string}/${number}`): Promise<PipelineStatus | undefined> {
    return pipelineStatus(this.temporal.client, id).catch(() => undefined);
  }
  verdict(id: `${string}/${number}`, deadlineMs: number): Promise<PipelineStatus> {
    return eventually(`the end of ${id}`, deadlineMs, async () => {
      const status = await this.status(id);
      return status && FINAL_STATES.includes(status.state) ? status : undefined;
    });
  }
  async log(id: `${string}/${number}`, job: string, attempt = 1): Promise<string> {
    const ref = { pipeline: id, job, attempt };
    if (!(await this.ports.logs.state(ref))) return '';
    const { bytes } = await this.ports.logs.read(ref, 0, 4 * 1_024 * 1_024);
    return new TextDecoder().decode(bytes).replace(/\u001b\[[0-9;]*m/g, '');
  }
  untilLogged(id: `${string}/${number}`, job: string, text: string): Promise<string> {
    return eventually(`${text} in the log of ${job}`, 60_000, async () => {
      const log = await this.log(id, job);
      return log.includes(text) ? log : undefined;
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.end('SIGKILL')));
    this.#stop.abort();
    await this.#control.catch(() => undefined); // its open work is irrelevant now
    await this.#server.close();
    await this.temporal.close();
    const engine = await this.ports.engine();
    const labels = { 'davit.installation': this.installation };
    for (const { name } of await engine.listContainers(labels)) await engine.removeContainer(name);
    for (const { name } of await engine.listVolumes(labels)) await engine.removeVolume(name);
    for (const { name } of await engine.listNetworks(labels)) await engine.removeNetwork(name);
    await engine.close();
    await rm(this.#home, { recursive: true, force: true });
  }
}
