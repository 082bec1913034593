/**
 * A separate davit for a test: its own home and free ports; only the engine and the cache of downloads are
 * shared.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { firewallName } from '../../activities/runtime/container-names.ts';
import { readSettings } from '../../src/config.ts';
import { nodeEnvironment, SMALL_HEAP } from '../../src/local/process/memory.ts';
import { readEvents } from '../../src/cli/client/sse.ts';
import { FINAL_STATES, type PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import type { RunFile, StartResponse, StartRequest } from '../../src/server/api.ts';
import { ROOT } from './source.ts';
import { messageOf } from '../../src/utils/message.ts';

const MAIN = join(ROOT, 'src', 'cli', 'main.ts');
const UP_MS = 180_000;

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}
export interface CommandOptions {
  cwd?: string;
  onText?: (text: string) => void;
  /** More variables; only of `davitAt`. */
  env?: Record<string, string>;
}
export interface OwnDavit {
  home: string;
  run: RunFile;
  installation: string;
  /** Runs a command of davit against it. Never rejects. */
  cli(args: string[], options?: CommandOptions): Promise<Finished>;
  /** Rejects on a response that is not a success. */
  api<T>(path: string, init?: RequestInit): Promise<T>;
  /** Reads from its registry, below /v2/, as the operator of the machine. */
  registry(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Starts a pipeline of a folder and returns its id; by the operator of the machine, or with a user's token. */
  start(slug: string, folder: string, token?: string): Promise<string>;
  /** Resolves with the final status. */
  verdict(id: string, deadlineMs: number): Promise<PipelineStatus>;
  stop(): Promise<void>;
}
/** A davit whose home is known; `davit up` may run or not. */
export interface DavitAt extends Pick<OwnDavit, 'home' | 'cli' | 'api' | 'verdict'> {
  /** Rejects where `davit up` does not run. */
  run(): RunFile;
}
export interface OwnDavitOptions {
  /** More arguments of `davit up`. */
  args?: string[];
  env?: Record<string, string>;
  /** Text of the installation file. */
  config?: string;
  /** Text of `worker.yml`: what this machine's workers may provide to jobs. */
  worker?: string;
  /** Resolves only when workers for these architectures have reported. */
  arches?: string[];
  onText?: (text: string) => void;
}

/** Polls until there is a result; rejects with what it waited for after the deadline. */
export async function eventually<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await delay(25);
  }
}

/** Copies a folder to a git repository with one commit: `NAME` in a new temporary folder. */
export function repositoryOf(folder: string, name = basename(folder)): string {
  const path = join(mkdtempSync(join(tmpdir(), 'davit-repository-')), name);
  cpSync(folder, path, { recursive: true });
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    ['commit', '-q', '-m', 'First'],
  ]) {
    const done = spawnSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
      cwd: path,
      encoding: 'utf8',
    });
    if (done.status !== 0) throw new Error(`git ${args[0]}: ${done.stderr}`);
  }
  return path;
}

function environmentOf(home: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const env = {
    ...process.env,
    ...nodeEnvironment(readSettings()),
    ...more,
    DAVIT_HOME: home,
    CI: 'true',
  };
  for (const name of [
    'DAVIT_CONFIG',
    'DAVIT_SERVER',
    'DAVIT_TOKEN',
    'DAVIT_TOKEN_FILE',
    'DAVIT_REGISTRY',
    'DAVIT_OWN_REGISTRY',
    'DAVIT_REGISTRY_KEY_FILE',
    'TEMPORAL_ADDRESS',
    'DAVIT_WORKER_TOKEN_FILE',
    'DAVIT_KEY_FILE',
  ])
    Reflect.deleteProperty(env, name);
  return env;
}

/** The davit of a home that another process, or this one, has started with `davit up --detach`. */
export function davitAt(home: string): DavitAt {
  const run = (): RunFile => {
    const found = readRun(home);
    if (!found) throw new Error(`no davit runs with ${home}`);
    return found;
  };
  const token = (): string => readFileSync(join(home, 'keys', 'cli-token'), 'utf8').trim();
  return {
    home,
    run,
    cli: (args, more) => command(args, { ...more, env: environmentOf(home, more?.env) }),
    api: (path, init) => apiOf(run().server, token())(path, init),
    verdict: (id, deadlineMs) => verdictOf({ server: run().server, token: token() }, id, deadlineMs),
  };
}

/** Runs `davit up` with its own home. Rejects with its output if it does not become ready. */
export async function ownDavit(options: OwnDavitOptions = {}): Promise<OwnDavit> {
  const home = mkdtempSync(join(tmpdir(), 'davit-home-'));
  if (options.config !== undefined) writeFileSync(join(home, 'davit.config.yml'), options.config);
  if (options.worker !== undefined) writeFileSync(join(home, 'worker.yml'), options.worker);
  const env = environmentOf(home, options.env);
  const child = spawn(process.execPath, [...SMALL_HEAP, MAIN, 'up', ...(options.args ?? [])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-20_000);
      options.onText?.(text);
    });
  const ended = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(String(code ?? signal))),
  );
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    sweep(home);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const over = ended.then((how) => {
      throw new Error(`davit up ended with ${how}:\n${said}`);
    });
    const run = await Promise.race([over, eventually('run.json', UP_MS, () => readRun(home))]);
    const token = readFileSync(join(home, 'keys', 'cli-token'), 'utf8').trim();
    const api = apiOf(run.server, token);
    await Promise.race([over, eventually('workers', UP_MS, () => reported(api, options))]);
    return {
      home,
      // Rewritten whenever a process starts.
      run: readRun(home) ?? run,
      installation: readFileSync(join(home, 'keys', 'installation-id'), 'utf8').trim(),
      cli: (args, more) => command(args, { ...more, env }),
      api,
      registry: (path, headers) => readRegistry(run, token, { path, headers }),
      start: (slug, folder, user) =>
        startPipeline(user === undefined ? api : apiOf(run.server, user), slug, folder),
      verdict: (id, deadlineMs) => verdictOf({ server: run.server, token }, id, deadlineMs),
      stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`${messageOf(error)}\n${said}`, { cause: error });
  }
}

async function readRegistry(
  run: RunFile,
  user: string,
  { path, headers }: { path: string; headers?: Record<string, string> | undefined },
): Promise<Response> {
  const [repository = ''] = path.split(/\/(?:manifests|blobs|tags)\//);
  const basic = Buffer.from(`me:${user}`).toString('base64');
  const reply = await fetch(`${run.server}/registry/token?scope=repository:${repository}:pull`, {
    headers: { authorization: `Basic ${basic}` },
  });
  const { token } = (await reply.json()) as { token: string };
  return fetch(`http://${run.registry}/v2/${path}`, {
    headers: { ...headers, authorization: `Bearer ${token}` },
  });
}

/** An installation keeps a network, a volume and images on the engine; one that is over leaves nothing. */
export function sweep(home: string): void {
  const idFile = join(home, 'keys', 'installation-id');
  if (!existsSync(idFile)) return;
  const label = `label=davit.installation=${readFileSync(idFile, 'utf8').trim()}`;
  const ports = existsSync(join(home, 'ports.json')) ? readFileSync(join(home, 'ports.json'), 'utf8') : '{}';
  const { registry } = JSON.parse(ports) as { registry?: number };
  const docker = (...args: string[]): string => spawnSync('docker', args, { encoding: 'utf8' }).stdout;
  const each = (list: string[], remove: string[]): void => {
    const names = docker(...list)
      .split('\n')
      .filter((name) => name !== '');
    if (names.length > 0) docker(...remove, ...names);
  };
  each(['ps', '-aq', '--filter', label], ['rm', '-f', '-v']);
  each(['network', 'ls', '-q', '--filter', label], ['network', 'rm']);
  each(['volume', 'ls', '-q', '--filter', label], ['volume', 'rm']);
  dropFirewall(readFileSync(idFile, 'utf8').trim());
  if (registry !== undefined)
    each(['images', '--format', '{{.Repository}}:{{.Tag}}', `127.0.0.1:${registry}/*`], ['rmi', '-f']);
}

/** Removes the rules for egress of an installation from this machine, whichever program has set them. */
export function dropFirewall(installation: string): void {
  const name = firewallName(installation);
  spawnSync('nft', ['delete', 'table', 'inet', name]);
  for (const program of ['iptables', 'ip6tables']) {
    const rules = spawnSync(program, ['-t', 'mangle', '-S'], { encoding: 'utf8' }).stdout ?? '';
    const own = rules.split('\n').filter((rule) => rule.includes(name));
    for (const rule of own.filter((one) => one.startsWith('-A')))
      spawnSync(program, ['-w', '-t', 'mangle', ...rule.replace(/^-A/, '-D').split(' ')]);
    for (const rule of own.filter((one) => one.startsWith('-N')))
      spawnSync(program, ['-w', '-t', 'mangle', '-X', rule.slice('-N '.length)]);
  }
}

function readRun(home: string): RunFile | undefined {
  const path = join(home, 'run.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunFile) : undefined;
}

type Api = OwnDavit['api'];
function apiOf(server: string, token: string): Api {
  return async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(init.headers as Record<string, string> | undefined),
    };
    const response = await fetch(`${server}${path}`, { ...init, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  };
}

async function reported(api: Api, options: OwnDavitOptions): Promise<true | undefined> {
  try {
    const workers = await api<WorkerReport[]>('/api/v1/workers');
    const there = new Set(workers.flatMap((worker) => worker.arches));
    return (options.arches ?? ['amd64']).every((arch) => [...there].some((one) => one === arch))
      ? true
      : undefined;
  } catch {
    return undefined; // the server is not up yet
  }
}

function command(
  args: string[],
  options: { cwd?: string; env: NodeJS.ProcessEnv; onText?: (text: string) => void },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        options.onText?.(text);
      });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, ...said }));
  });
}

async function startPipeline(api: Api, slug: string, folder: string): Promise<string> {
  const tar = spawnSync('tar', ['-C', folder, '-cf', '-', '.'], { maxBuffer: 64 * 1024 * 1024 });
  const sha = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: folder, encoding: 'utf8' }).stdout.trim();
  const { digest } = await api<{ digest: `sha256:${string}` }>('/api/v1/blobs', {
    method: 'POST',
    body: tar.stdout,
    headers: { 'content-type': 'application/octet-stream' },
  });
  const request: StartRequest = {
    key: `request:${randomUUID()}`,
    source: 'api',
    ref: 'main',
    refKind: 'branch',
    sha,
    before: '0'.repeat(40),
    title: 'First',
    sourceBlob: digest,
  };
  const { key } = await api<StartResponse>(`/api/v1/projects/${slug}/pipelines`, {
    method: 'POST',
    body: JSON.stringify(request),
    headers: { 'content-type': 'application/json' },
  });
  return eventually('the pipeline of the request', 30_000, async () => {
    const found = await api<{ pipeline?: string }>(
      `/api/v1/projects/${slug}/requests/${encodeURIComponent(key)}?wait=10`,
    );
    return found.pipeline;
  });
}

/** Uses the server's events: polling would show in a measurement. */
async function verdictOf(
  at: { server: string; token: string },
  id: string,
  deadlineMs: number,
): Promise<PipelineStatus> {
  const response = await fetch(`${at.server}/api/v1/pipelines/${id}/events`, {
    headers: { authorization: `Bearer ${at.token}` },
    signal: AbortSignal.timeout(deadlineMs),
  });
  if (!response.ok || !response.body) throw new Error(`events of ${id}: ${response.status}`);
  for await (const { event, data } of readEvents(response.body.pipeThrough(new TextDecoderStream()))) {
    if (event !== 'status') continue;
    const status = JSON.parse(data) as PipelineStatus;
    if (FINAL_STATES.includes(status.state) && status.endedAt !== undefined) return status;
  }
  throw new Error(`the events of ${id} ended before its verdict`);
}
