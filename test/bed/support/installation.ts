/**
 * davit on a bed, in a process each as an installation on several machines has them: Temporal, the server with TLS, a
 * registry with TLS and the server's tokens, the control worker, and workers for engines anywhere. All on the head.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { readSettings } from '../../../src/config.ts';
import { nodeEnvironment, SMALL_HEAP } from '../../../src/local/process/memory.ts';
import { certificateOf } from '../../../src/local/setup/keys.ts';
import { registryConfig } from '../../../src/local/setup/registry.ts';
import { temporalArguments } from '../../../src/local/setup/temporal-server.ts';
import { FINAL_STATES, type PipelineStatus } from '../../../src/plan/model/protocol.ts';
import { TOKEN_PATH } from '../../../src/server/registry/token-path.ts';
import { eventually, type Finished } from '../../support/davit.ts';
import { ROOT } from '../../support/source.ts';
import { askServer, openDoor, type Reply } from './api.ts';
import { SERVER_NAME, type Bed } from './bed.ts';
import type { Machine } from './machine.ts';
import { INSIDE, type Started } from './space.ts';

const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const READY_MS = 300_000;
const POLL_MS = 200;
const PORTS = { server: 8420, temporal: 7233, temporalUi: 8233, registry: 5000 } as const;
export const HOME = `${INSIDE}/davit`;
export const SERVER = `https://${SERVER_NAME}:${PORTS.server}`;
export const REGISTRY = `${SERVER_NAME}:${PORTS.registry}`;
const CA = `${HOME}/ca/ca.crt`;
const WHERE_ENGINES_LOOK = `/etc/docker/certs.d/${REGISTRY}/ca.crt`;

/** Environment of davit on a machine of the bed: nothing of the machine that the test runs on. */
export function davitEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const settings = readSettings();
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:DAVIT_|TEMPORAL_|DOCKER_|VITEST|NODE_)/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    ...nodeEnvironment(settings),
    CI: 'true',
    DAVIT_CACHE: settings.cache,
    DAVIT_HOME: HOME,
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...more,
  };
}

/** Starts a program again whenever it ends, as the supervisor of a worker does. */
const AGAIN = [
  ...['sh', '-c', 'trap "kill \\$now; exit" TERM; while :; do "$@" & now=$!; wait $now; sleep 3; done', 'sh'],
];

interface How {
  /** What it says when it is ready; a worker keeps a file. */
  ready?: RegExp;
  env?: Readonly<Record<string, string>>;
  /** The main file of another davit. */
  main?: string;
  /** It may never come up: it is not waited for, and started again whenever it ends. */
  anyway?: true;
}

export interface FleetWorker {
  process: Started;
  /** SIGTERM: its jobs continue. */
  stop(): Promise<void>;
}

export class BedDavit {
  readonly #bed: Bed;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Map<string, Started>();

  private constructor(bed: Bed) {
    this.#bed = bed;
    this.#env = davitEnvironment({
      DAVIT_SERVER: SERVER,
      DAVIT_OWN_REGISTRY: REGISTRY,
      TEMPORAL_ADDRESS: `127.0.0.1:${PORTS.temporal}`,
    });
  }

  get head(): Machine {
    return this.#bed.head;
  }

  /** `config`: more of the installation file. Resolves when the control worker takes work. */
  static async start(bed: Bed, config: Readonly<Record<string, unknown>> = {}): Promise<BedDavit> {
    const davit = new BedDavit(bed);
    await davit.head.write(
      `${HOME}/davit.config.yml`,
      stringify({
        url: SERVER,
        listen: { host: '0.0.0.0', port: PORTS.server },
        tls: { cert: `${HOME}/ca/server.crt`, key: `${HOME}/ca/server.key` },
        registries: [{ host: REGISTRY, default: true, ca_file: CA }],
        ...config,
      }),
    );
    await davit.done(['ca', 'init']);
    for (const name of ['server', 'registry'])
      await davit.done(['ca', 'issue', name, '--for', name, '--host', SERVER_NAME]);
    // What an operator copies to each machine.
    const authority = await davit.head.read(CA);
    await Promise.all(
      bed.machines.map(async (machine) => {
        await machine.write(WHERE_ENGINES_LOOK, authority);
        // The builder of an engine before 23 reads the folder when the engine starts.
        await machine.restartEngine();
      }),
    );
    await davit.startTemporal();
    await davit.startServer();
    await openDoor(bed.head.space, PORTS.server);
    await davit.#startRegistry();
    await davit.#startDavit('control', ['worker', '--control']);
    return davit;
  }

  async startServer(): Promise<void> {
    await this.#startDavit('server', ['server'], { ready: /server at / });
  }

  async startTemporal(): Promise<void> {
    const binary = join(readSettings().cache, 'temporal-1.5.1', 'temporal');
    const args = temporalArguments({ home: HOME, port: PORTS.temporal, uiPort: PORTS.temporalUi });
    this.#running.set('temporal', await this.head.space.start('temporal', [binary, ...args], this.#env));
  }

  async #startRegistry(): Promise<void> {
    const key = await this.head.read(`${HOME}/keys/registry-key.pem`);
    await this.head.write(`${HOME}/registry-cert.pem`, certificateOf(key));
    const auth = { realm: `${SERVER}${TOKEN_PATH}`, certificate: '' };
    const tls = { certificate: `${HOME}/ca/registry.crt`, key: `${HOME}/ca/registry.key` };
    const plain = registryConfig(HOME, PORTS.registry, auth);
    await this.head.write(
      `${HOME}/registry.yml`,
      stringify({ ...plain, http: { addr: `0.0.0.0:${PORTS.registry}`, tls } }),
    );
    const words = ['docker-registry', 'serve', `${HOME}/registry.yml`];
    this.#running.set('registry', await this.head.space.start('registry', words, this.#env));
    const listens = `require('node:net').connect(${PORTS.registry}, '127.0.0.1', () => process.exit(0))`;
    await eventually('the registry', READY_MS, () =>
      this.head.run(process.execPath, '-e', listens).then(
        () => true as const,
        () => undefined, // not yet
      ),
    );
  }

  /** A process of davit. Resolves when it is ready. */
  async #startDavit(name: string, args: readonly string[], how: How = {}): Promise<Started> {
    const { ready, env, main = MAIN, anyway } = how;
    const readyFile = `${INSIDE}/${name}.ready`;
    await this.head.run('rm', '-f', readyFile);
    const words = [...[process.execPath, ...SMALL_HEAP, main, ...args]];
    const started = await this.head.space.start(name, anyway ? [...AGAIN, ...words] : words, {
      ...this.#env,
      DAVIT_READY_FILE: readyFile,
      ...env,
    });
    this.#running.set(name, started);
    if (anyway) return started;
    await eventually(`${name} is ready`, READY_MS, async () => {
      if (started.isOver()) throw new Error(`${name} ended:\n${await started.text()}`);
      if (ready) return ready.test(await started.text()) ? true : undefined;
      return (await this.head.run('sh', '-c', `[ ! -e ${readyFile} ] || echo there`)) === ''
        ? undefined
        : true;
    });
    return started;
  }

  /** `args` of `davit worker`. Resolves when it takes work. */
  async worker(
    name: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<FleetWorker> {
    return this.anyWorker(name, args, { env });
  }
  /** One that may not come up, or that is another davit. */
  async anyWorker(name: string, args: readonly string[], how: How): Promise<FleetWorker> {
    const started = await this.#startDavit(name, ['worker', ...args], how);
    return { process: started, stop: () => started.stop() };
  }
  process(name: string): Started {
    const found = this.#running.get(name);
    if (!found) throw new Error(`No process ${name}.`);
    return found;
  }

  /** Runs a command of davit on the head. Never rejects. */
  cli(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ): Promise<Finished> {
    const words = [`--chdir=${options.cwd ?? '/'}`, process.execPath, MAIN, ...args];
    const [first, ...rest] = this.head.space.enter('env', ...words);
    return new Promise((resolve, reject) => {
      const child = spawn(first, rest, {
        env: { ...this.#env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const)
        child[name].setEncoding('utf8').on('data', (text: string) => {
          said[name] += text;
        });
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? -1, ...said }));
    });
  }
  /** The same; rejects with its output where it does not succeed. */
  async done(args: readonly string[], options?: Parameters<BedDavit['cli']>[1]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, options);
    if (code !== 0) throw new Error(`davit ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** A copy of a folder of this repository, as a git repository on the head. Returns its path there. */
  async project(folder: string, change: (files: string) => Promise<void> = async () => {}): Promise<string> {
    const name = basename(folder);
    const outside = join(this.head.space.folder, 'projects', name);
    await mkdir(outside, { recursive: true });
    await cp(folder, outside, { recursive: true });
    await change(outside);
    const inside = `${INSIDE}/projects/${name}`;
    const git = 'git -c user.name=Ada -c user.email=ada@example.com';
    await this.head.run(
      ...(['sh', '-ec', `cd ${inside}; git init -q -b main; git add -A; ${git} commit -q -m First`] as const),
    );
    return inside;
  }

  /** Starts the pipeline of a project; `ended` resolves when the command that follows it has ended. */
  async start(
    project: string,
    args: readonly string[] = [],
  ): Promise<{ id: string; ended: Promise<Finished> }> {
    const name = basename(project);
    const before = await this.#newest(name);
    let over = false;
    const ended = this.cli(['run', ...args], { cwd: project }).finally(() => (over = true));
    const id = await eventually(`a pipeline of ${name}`, READY_MS, async () => {
      const newest = await this.#newest(name);
      if (over && newest === before) throw new Error(JSON.stringify(await ended));
      return newest === before ? undefined : newest;
    });
    return { id, ended };
  }

  /** Runs the pipeline of a project to its end, and approves its gates. */
  async pipeline(project: string, args: readonly string[] = []): Promise<PipelineStatus> {
    const { id, ended } = await this.start(project, args);
    let over = false;
    void ended.then(() => (over = true));
    const approved = new Set<string>();
    while (!over) {
      const status = await this.status(id);
      for (const { key, phase } of status.jobs)
        if (phase === 'gate' && !approved.has(key)) {
          approved.add(key);
          await this.done(['approve', id, key]);
        }
      if (FINAL_STATES.includes(status.state)) break;
      await delay(POLL_MS);
    }
    await ended;
    return this.status(id);
  }
  async #newest(project: string): Promise<string | undefined> {
    const { status, text } = await this.ask(`/api/v1/pipelines?limit=1&project=${project}`);
    return status === 200 ? (JSON.parse(text) as { id: string }[])[0]?.id : undefined;
  }
  /** A request to the server's API, with the operator's token. */
  ask(path: string, json?: unknown): Promise<Reply> {
    return askServer(this.head.space, basename(HOME), path, json);
  }
  status(id: string): Promise<PipelineStatus> {
    return eventually(`the status of ${id}`, READY_MS, async () => {
      const { status, text } = await this.ask(`/api/v1/pipelines/${id}`);
      if (status === 200) return JSON.parse(text) as PipelineStatus;
      if (status === 0 || status >= 500) return undefined;
      throw new Error(`${id}: ${status} ${text}`);
    });
  }
  /** The log of a job as soon as it has this text. */
  untilLogged(id: string, job: string, text: string): Promise<string> {
    return eventually(`${text} in the log of ${job}`, READY_MS, async () => {
      const log = await this.log(id, job);
      return log.includes(text) ? log : undefined;
    });
  }
  /** Empty while there is none. */
  async log(id: string, job: string): Promise<string> {
    const { status, text } = await this.ask(`/api/v1/pipelines/${id}/log?job=${encodeURIComponent(job)}`);
    return status === 200 ? text.replace(/\u001b\[[0-9;]*m/g, '') : '';
  }
}
