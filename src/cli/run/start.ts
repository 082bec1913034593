/**
 * Starts a pipeline of a working tree: checks the file, starts davit if needed, uploads the source, requests
 * a pipeline.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import { liveRun } from '../../local/process/run-file.ts';
import { sourceTar } from '../../worktree/source-tar.ts';
import { deepest } from '../../plan/policy/git-depth.ts';
import { LOCAL_TARGET } from '../../installation.ts';
import type { Digest, PipelineId } from '../../plan/model/ids.ts';
import type { StartRequest, StartResponse } from '../../server/api.ts';
import type { ApiClient } from '../client/api-client.ts';
import { progressOf, type Cli } from '../cli.ts';
import { connect } from '../connect.ts';
import { compileHere, type LocalPlan } from '../local/local-plan.ts';
import type { PlanOptions } from '../local/plan-options.ts';
import { keepName } from '../local/project-name.ts';
import { isFinal } from '../client/log-follower.ts';
import { linear, retry } from '../../utils/retry.ts';
import { problemsText } from '../view/problems-view.ts';

const INVALID = 2;
const MAX_UPLOADS = 15;
const MAX_ASKS = 20;
const LOOKUP_MS = 100;
const LOOKUP_WAIT_S = 5;
/** A missing control worker is reported after this time. */
const REPORT_AFTER_MS = 5_000;
const MAX_TITLE = 1_000;
const MAX_CHANGED = 200_000;
const MAX_MESSAGE = 16_000;

export interface Until {
  /** Aborts as long as nothing has been started. */
  signal: AbortSignal;
  /** Aborts the wait for the number of the started pipeline. */
  letGo: AbortSignal;
}
export type StartOptions = PlanOptions & Until & SetUpOptions;
export interface SetUpOptions {
  /** Set up what is missing on this machine without asking. */
  yes?: boolean;
}
export interface Started {
  client: ApiClient;
  id: PipelineId;
}

/** Undefined if there is nothing to run or the file is invalid; both are printed, and `cli.exit` is set. */
export async function startPipeline(cli: Cli, options: StartOptions): Promise<Started | undefined> {
  const plan = await compileHere(cli, options);
  if (!reportPlan(cli, plan, cli.settings.serverUrl !== undefined)) return undefined;
  if (!(await makeReady(cli, plan, options.yes === true))) return undefined;
  const client = await connect(cli);
  try {
    const sent = await upload(cli, client, { plan, options });
    const request = requestOf(plan, sent, options);
    const { slug } = plan.project;
    await keepName(cli.settings, plan.project);
    const send = (): Promise<StartResponse> => client.start(slug, request, options.signal);
    return { client, id: await requestPipeline(cli, { client, send, ...options }) };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** A remote server may know projects that this machine does not. */
function reportPlan(cli: Cli, { answer, file }: LocalPlan, remote: boolean): boolean {
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  cli.io.err(problemsText(problems, cli.io.errColor));
  if (answer.kind === 'plan') return true;
  const elsewhere = (code: string): boolean => code === 'include/refused' || code === 'include/unreachable';
  if (remote && answer.kind === 'invalid' && problems.every((one) => elsewhere(one.code))) {
    cli.io.err('This machine cannot read these includes; the server will check them.\n');
    return true;
  }
  cli.exit = answer.kind === 'invalid' ? INVALID : 0;
  cli.io.err(
    answer.kind === 'empty'
      ? `Nothing to run: ${answer.reason}\n`
      : `${file.name} is not valid. Nothing was started.\n`,
  );
  return false;
}

/**
 * Starts davit if it is not running, and a swarm if a job deploys to this machine; asks before anything is set up. A
 * remote server is used as it is. False if the person declines.
 */
async function makeReady(cli: Cli, { answer }: LocalPlan, yes: boolean): Promise<boolean> {
  if (cli.settings.serverUrl) return true;
  const deploys = answer.kind === 'plan' && answer.jobs.some(({ job }) => job.target === LOCAL_TARGET);
  const runs = (await liveRun(cli.settings)) !== undefined;
  if (runs && !deploys) return true;
  // The engine's client is a third of what a run loads, and most runs do not need it.
  const { mayChange } = await import('../consent.ts');
  const swarm = { make: deploys && 'if-possible', use: false } as const;
  if (!(await mayChange(cli, { swarm, yes, command: 'davit run --yes' }))) return false;
  const { settings } = cli;
  if (!runs) {
    cli.io.err('davit is not running; starting it in the background (stop it with: davit down).\n');
    const { upDetached } = await import('../../local/process/daemonize.ts');
    const none = { make: false, use: false };
    await upDetached(settings, { swarm: none, onLine: (line) => cli.io.err(`${line}\n`) });
  }
  if (!deploys) return true;
  const { askEngine } = await import('../../local/setup/docker.ts');
  const { settleSwarm } = await import('../../local/setup/swarm.ts');
  const local = await askEngine(settings);
  try {
    const reason = await settleSwarm(settings, local, { ...swarm, progress: progressOf(cli) });
    // Only the deployments fail: the rest of the pipeline is none of theirs.
    if (reason !== undefined) cli.io.err(`The deploy jobs will fail, the others run: ${reason}.\n`);
    return true;
  } finally {
    await local.engine.close();
  }
}

interface UploadedSource {
  digest: Digest;
  sha: string;
}

/** Each upload creates a new tar, because a stream cannot be read twice. */
async function upload(
  cli: Cli,
  client: ApiClient,
  { plan, options }: { plan: LocalPlan; options: StartOptions },
): Promise<UploadedSource> {
  const jobs = plan.answer.kind === 'plan' ? plan.answer.jobs : [];
  const depth = deepest(jobs.map((one) => one.spec));
  let count = 0;
  const send = async (): Promise<UploadedSource> => {
    count += 1;
    const source = await sourceTar(plan.project, options.ref, depth);
    if (count === 1 && source.submodules.length > 0)
      cli.io.err(`Submodules are not uploaded: ${source.submodules.join(', ')}\n`);
    if (count === 1 && source.unnamed.length > 0)
      cli.io.err(`Files whose names are not UTF-8 are not uploaded: ${source.unnamed.join(', ')}\n`);
    try {
      const stored = await client.putBlob(source.tar, options.signal);
      await source.done;
      return { digest: stored.digest, sha: source.facts.sha };
    } catch (error) {
      source.tar.destroy();
      await source.done.catch(() => undefined); // it ended because its reader failed; the reader's error counts
      throw error;
    }
  };
  return retry(send, {
    retryable: (error) => !isFinal(error),
    backoff: linear(LOOKUP_MS),
    maxAttempts: MAX_UPLOADS,
    signal: options.signal,
    onWait: () => {
      if (count === 1) cli.io.err(`The server at ${client.url} does not respond; retrying.\n`);
    },
  });
}

function requestOf(
  { project, facts, changed, lastCommits, here }: LocalPlan,
  sent: UploadedSource,
  options: StartOptions,
): StartRequest {
  return {
    key: `request:${randomUUID()}`,
    ref: facts.ref.slice(0, 255),
    refKind: facts.refKind,
    sha: sent.sha,
    before: facts.before,
    title: facts.title.slice(0, MAX_TITLE),
    message: facts.message.slice(0, MAX_MESSAGE),
    sourceBlob: sent.digest,
    file: options.file,
    changed: bounded(changed),
    lastCommits,
    jobs: options.jobs && options.jobs.length > 0 ? options.jobs : undefined,
    variables: options.variables,
    inputs: options.inputs,
    defaultBranch: facts.defaultBranch,
    here: here ? true : undefined,
    origin: project.origin,
    source: 'cli',
  };
}

/** Paths are part of the request. If there are too many, none are sent, and everything counts as changed. */
const bounded = (changed: LocalPlan['changed']): LocalPlan['changed'] =>
  changed && JSON.stringify(changed).length <= MAX_CHANGED ? changed : undefined;

/**
 * The number of the pipeline that `send` requests, as often as is needed. Prints why it has to wait, and on failure that the
 * pipeline may start nevertheless.
 */
export async function requestPipeline(
  cli: Cli,
  options: Until & { client: ApiClient; send(): Promise<StartResponse> },
): Promise<PipelineId> {
  const { client, send, signal, letGo } = options;
  const onAway = (error: unknown): void => {
    const why = error instanceof DavitError ? error.message : `${client.url} does not respond.`;
    cli.io.err(`${why} Retrying; the pipeline starts only once.\n`);
  };
  let sent: StartResponse;
  try {
    sent = await retryUntil(signal, send, onAway);
  } catch (error) {
    if (signal.aborted || !isFinal(error))
      cli.io.err('The pipeline was requested and may still start; check with: davit pipelines\n');
    throw error;
  }
  return numberOf(cli, client, { slug: sent.project, key: sent.key, signal: letGo });
}

/**
 * Retries while the server is unreachable: the key ensures a single start. Calls `onAway` after the first
 * failure.
 */
function retryUntil<T>(
  signal: AbortSignal,
  ask: () => Promise<T>,
  onAway?: (error: Error) => void,
): Promise<T> {
  let told = false;
  return retry(ask, {
    final: isFinal,
    retryable: () => true,
    backoff: linear(LOOKUP_MS),
    maxAttempts: MAX_ASKS,
    signal,
    onWait: (error) => {
      if (!told) onAway?.(error);
      told = true;
    },
  });
}

/** The project workflow assigns the number, on a control worker. */
async function numberOf(
  cli: Cli,
  client: ApiClient,
  { slug, key, signal }: { slug: string; key: string; signal: AbortSignal },
): Promise<PipelineId> {
  const since = Date.now();
  let reported = false;
  for (;;) {
    const known = await retryUntil(signal, () => client.lookup(slug, key, { waitS: LOOKUP_WAIT_S, signal }));
    if (known.pipeline) return known.pipeline;
    if (known.state === 'refused' || known.state === 'duplicate')
      throw new DavitError('usage/invalid', known.message ?? 'The server did not start this pipeline.');
    if (!reported && Date.now() - since > REPORT_AFTER_MS) {
      cli.io.err('The pipeline is waiting for a control worker; check with: davit doctor\n');
      reported = true;
    }
    await delay(LOOKUP_MS, undefined, { signal });
  }
}
