/**
 * `npm start`: runs the examples by the same code as `davit run` and `davit approve`, and shows their
 * results: the response of the deployed service, digests, and what to try next.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { childEnvironment } from '../config.ts';
import { indexOf, servicePort } from '../local/demo-probe.ts';
import type { Progress } from '../local/process/progress.ts';
import { ARCHES, type Arch } from '../plan/model/ids.ts';
import type { PipelineStatus } from '../plan/model/protocol.ts';
import { platformText } from '../plan/model/spec.ts';
import type { RunFile } from '../server/api.ts';
import type { ApiClient } from './client/api-client.ts';
import { userToken } from './connect.ts';
import type { Cli } from './cli.ts';
import type { Interrupts } from './interrupts.ts';
import { runPipeline, summaryText } from './run/run.ts';
import { plainText } from './view/terminal-text.ts';
import { verdictOf } from './view/status-labels.ts';
import { messageOf } from '../utils/message.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BASE = { repository: 'base', tag: '1' };
const SERVICE = 'table';
const PREFERRED_PORT = 8090;
const CALL_MS = 10_000;
const FAILED = 1;

export interface DemoOptions {
  run: RunFile;
  /** Why there is no swarm to deploy to. */
  noSwarm?: string;
  /** Architectures without a worker: nothing is built for them. */
  missing: readonly { arch: Arch; reason: string }[];
  progress: Progress;
  interrupts: Interrupts;
}

/** Returns the exit code. */
export async function demo(cli: Cli, options: DemoOptions): Promise<number> {
  const { run, interrupts } = options;
  // Always its own server, even if the environment names another one.
  const own: Cli = {
    ...cli,
    settings: { ...cli.settings, serverUrl: run.server, token: undefined },
    exit: 0,
  };
  const { noSwarm, missing } = options;
  const platforms = ARCHES.filter((arch) => !missing.some((one) => one.arch === arch));
  const inputs = missing.length === 0 ? {} : { inputs: { platforms: JSON.stringify(platforms) } };
  for (const { arch, reason } of missing) cli.io.err(`${arch} is left out: ${plainText(reason)}.\n`);
  const base = await indexOf(own.settings, { host: run.registry, ...BASE }, await userToken(own));
  if (base) options.progress.note(`${run.registry}/${BASE.repository}:${BASE.tag} exists: ${base.digest}`);
  else {
    const made = await example(own, 'base', { interrupts, ...inputs });
    if (!made || verdictOf(made) !== 0) return own.exit || FAILED;
  }
  if (noSwarm !== undefined) return withoutDeployment(own, { interrupts, ...inputs }, noSwarm);
  const port = await servicePort(cli.settings, SERVICE, PREFERRED_PORT);
  const last = await example(own, 'table', {
    interrupts,
    ...inputs,
    variables: { TABLE_PORT: String(port) },
    onStatus: gatekeeper(own, interrupts.first),
  });
  if (!last || verdictOf(last) !== 0) return own.exit || FAILED;
  const deployed = last.jobs.find((job) => job.kind === 'deploy');
  if (deployed?.outcome !== 'succeeded') {
    cli.io.err(
      `Nothing was deployed: ${plainText(deployed?.result?.message ?? 'the deployment did not run')}\n`,
    );
    return FAILED;
  }
  await printResult(own, { run, last, port });
  return 0;
}

/** What an engine without a swarm can run: all but the deployment and its gate. Returns the exit code. */
async function withoutDeployment(cli: Cli, options: ExampleOptions, reason: string): Promise<number> {
  cli.io.err(`The deployment is left out: ${reason}.\n`);
  const last = await example(cli, 'table', { ...options, jobs: ['unit', 'apitest', 'push'] });
  if (!last || verdictOf(last) !== 0) return cli.exit || FAILED;
  cli.io.err(`Everything else has run. Nothing was deployed: ${reason}.\n`);
  return 0;
}

interface ExampleOptions {
  interrupts: Interrupts;
  jobs?: string[];
  inputs?: Record<string, string>;
  variables?: Record<string, string>;
  onStatus?(status: PipelineStatus, client: ApiClient): void;
}

async function example(cli: Cli, name: string, options: ExampleOptions): Promise<PipelineStatus | undefined> {
  cli.io.err(`\nexamples/${name}: davit run\n`);
  const here: Cli = { ...cli, cwd: join(ROOT, 'examples', name), exit: 0 };
  const write = (text: string): void => cli.io.out(text);
  const last = await runPipeline(here, { ...options, write, color: cli.io.outColor });
  cli.exit = here.exit;
  if (last) cli.io.out(summaryText(last, cli.io.outColor));
  return last;
}

/** Handles each gate once: asks the person at the terminal, or calls `davit approve` if there is none. */
function gatekeeper(cli: Cli, signal: AbortSignal): (status: PipelineStatus, client: ApiClient) => void {
  const asked = new Set<string>();
  return (status, client) => {
    for (const job of status.jobs) {
      if (job.phase !== 'gate' || asked.has(job.key)) continue;
      asked.add(job.key);
      decide(cli, { id: status.id, job: job.key, client, signal }).catch((error: unknown) => {
        const why = messageOf(error);
        cli.io.err(
          `The gate is still waiting (${plainText(why)}). Approve it with: davit approve ${status.id} ${job.key}\n`,
        );
      });
    }
  };
}

interface GateRequest {
  id: PipelineStatus['id'];
  job: string;
  client: ApiClient;
  signal: AbortSignal;
}

async function decide(cli: Cli, { id, job, client, signal }: GateRequest): Promise<void> {
  if (!cli.io.interactive) return approveByCommand(cli, id, job);
  const lines = createInterface({ input: cli.io.stdin, output: process.stderr });
  try {
    const answer = await lines.question(
      `\n${id} waits for approval of "${plainText(job)}". Deploy it? [y/N] `,
      { signal },
    );
    const yes = /^y(es)?$/i.test(answer.trim());
    const comment = 'asked by npm start';
    await client.decide(id, { job, action: yes ? 'play' : 'reject', comment, confirm: yes });
  } finally {
    lines.close();
  }
}

function approveByCommand(cli: Cli, id: string, job: string): Promise<void> {
  cli.io.err(`No terminal for questions, running: ./davit approve ${id} ${job}\n`);
  return new Promise((resolve, reject) => {
    const args = ['approve', id, job, '--comment', 'npm start without a terminal'];
    const child = spawn(join(ROOT, 'davit'), args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: childEnvironment({
        DAVIT_HOME: cli.settings.home,
        DAVIT_CACHE: cli.settings.cache,
        DAVIT_SERVER: cli.settings.serverUrl,
        DAVIT_TOKEN: undefined,
      }),
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`davit approve ended with ${code ?? 0}`)),
    );
  });
}

async function printResult(
  cli: Cli,
  { run, last, port }: { run: RunFile; last: PipelineStatus; port: number },
): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const lines = ['', `The deployed service at ${url}:`];
  for (const path of ['/health', '/version']) lines.push(`  GET ${path}  ${await call(`${url}${path}`)}`);
  for (const job of last.jobs) {
    const index = job.result?.index;
    if (!index) continue;
    lines.push(`${index.repository}:${index.tags.join(', ')}  ${index.digest}`);
    for (const one of index.platforms) lines.push(`  ${platformText(one.platform).padEnd(14)} ${one.digest}`);
  }
  const ui = run.temporalUi;
  if (ui) lines.push(`Temporal UI: ${ui}/namespaces/${run.namespace}/workflows`);
  lines.push(
    'Try next (in another terminal):',
    `  ./davit status ${last.id}          what ran, and who approved it`,
    `  ./davit logs ${last.id} unit       what a job wrote`,
    '  cd examples/table && ../../davit run unit',
    `  curl -X PUT --data hello ${url}/rows/1 && curl ${url}/rows/1`,
    '  ./davit doctor',
    '',
  );
  cli.io.out(`${plainText(lines.join('\n'))}\n`);
}

/**
 * The response in one line. The deployment has converged, so a service that does not respond at once is
 * broken.
 */
async function call(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(CALL_MS) });
    return `${response.status} ${(await response.text()).slice(0, 500).trim()}`;
  } catch (error) {
    return `no response: ${messageOf(error)}`;
  }
}
