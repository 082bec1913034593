/** From a working tree to a started pipeline: check it here, start what it needs, upload it, ask for it, learn its number. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import { liveRun } from '../../local/process/run-file.ts';
import { sourceTar } from '../../worktree/source-tar.ts';
import { deepest } from '../../plan/policy/git-depth.ts';
import { LOCAL_TARGET } from '../../installation.ts';
import type { Digest, PipelineId } from '../../plan/model/ids.ts';
import type { StartRequest } from '../../server/api.ts';
import type { ApiClient } from '../client/api-client.ts';
import { progressOf, type Cli } from '../cli.ts';
import { connect } from '../connect.ts';
import { compileHere, type LocalPlan, type PlanOptions } from '../local/local-plan.ts';
import { isFinal } from '../client/log-follower.ts';
import { problemsText } from '../view/problems-view.ts';

const INVALID = 2;
const UPLOADS = 15;
const LOOKUP_MS = 100;
/** A control worker that is away is said to be so after this. */
const PATIENCE_MS = 5_000;
const MAX_TITLE = 1_000;
const MAX_CHANGED = 200_000;
const MAX_MESSAGE = 16_000;

export interface StartOptions extends PlanOptions {
  /** Ends it as long as nothing has been started. */
  signal: AbortSignal;
  /** Ends the wait for the number of what was started. */
  letGo: AbortSignal;
}
export interface Started {
  client: ApiClient;
  id: PipelineId;
}

/** Undefined when there is nothing to run, or the file has mistakes: both have been told, `cli.exit` is set. */
export async function startPipeline(cli: Cli, options: StartOptions): Promise<Started | undefined> {
  const plan = await compileHere(cli, options);
  if (!tellPlan(cli, plan, cli.settings.serverUrl !== undefined)) return undefined;
  await makeReady(cli, plan);
  const client = await connect(cli);
  try {
    const sent = await upload(cli, client, { plan, options });
    const request = requestOf(plan, sent, options);
    const { slug } = plan.project;
    await ask(cli, { client, slug, request, signal: options.signal });
    return { client, id: await numberOf(cli, client, { slug, key: request.key, signal: options.letGo }) };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** A server elsewhere (`remote`) may know projects that this machine does not. */
function tellPlan(cli: Cli, { answer, file }: LocalPlan, remote: boolean): boolean {
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  cli.io.err(problemsText(problems, cli.io.errColor));
  if (answer.kind === 'plan') return true;
  const elsewhere = (code: string): boolean => code === 'include/refused' || code === 'include/unreachable';
  if (remote && answer.kind === 'invalid' && problems.every((one) => elsewhere(one.code))) {
    cli.io.err('This machine cannot read these includes; the server looks at them itself.\n');
    return true;
  }
  cli.exit = answer.kind === 'invalid' ? INVALID : 0;
  cli.io.err(
    answer.kind === 'empty'
      ? `Nothing to run: ${answer.reason}\n`
      : `${file.name} cannot be run. Nothing was started.\n`,
  );
  return false;
}

/** Starts what is not up, and gives a deployment to this machine its swarm. A server elsewhere is used as it is. */
async function makeReady(cli: Cli, { answer }: LocalPlan): Promise<void> {
  const { settings } = cli;
  if (settings.serverUrl) return;
  if (!(await liveRun(settings))) {
    cli.io.err('davit is not running here: starting it in the background (davit down ends it).\n');
    const { upDetached } = await import('../../local/process/daemonize.ts');
    await upDetached(settings, { swarm: false, onLine: (line) => cli.io.err(`${line}\n`) });
  }
  const deploys = answer.kind === 'plan' && answer.jobs.some(({ job }) => job.target === LOCAL_TARGET);
  if (!deploys) return;
  // The engine's client is a third of what a run loads, and most runs do not need it.
  const { askEngine } = await import('../../local/setup/docker.ts');
  const { ensureSwarm } = await import('../../local/setup/swarm.ts');
  const local = await askEngine(settings);
  try {
    await ensureSwarm(settings, local, progressOf(cli));
  } finally {
    await local.engine.close();
  }
}

interface Sent {
  digest: Digest;
  sha: string;
}

/** The tar is made anew for each try: a stream cannot be read twice. */
async function upload(
  cli: Cli,
  client: ApiClient,
  { plan, options }: { plan: LocalPlan; options: StartOptions },
): Promise<Sent> {
  const jobs = plan.answer.kind === 'plan' ? plan.answer.jobs : [];
  const depth = deepest(jobs.map((one) => one.spec));
  for (let count = 1; ; count += 1) {
    const source = await sourceTar(plan.project, options.ref, depth);
    if (count === 1 && source.submodules.length > 0)
      cli.io.err(`Submodules are left out: ${source.submodules.join(', ')}\n`);
    try {
      const stored = await client.putBlob(source.tar, options.signal);
      await source.done;
      return { digest: stored.digest, sha: source.facts.sha };
    } catch (error) {
      source.tar.destroy();
      await source.done.catch(() => undefined); // it ended because its reader did, whose error is the one
      if (options.signal.aborted || count >= UPLOADS || isFinal(error)) throw error;
    }
    if (count === 1) cli.io.err(`The server at ${client.url} does not answer; trying again.\n`);
    await delay(LOOKUP_MS * count, undefined, { signal: options.signal });
  }
}

function requestOf(
  { facts, changed, lastCommits, here }: LocalPlan,
  sent: Sent,
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
    source: 'cli',
  };
}

/** Paths travel with the request. Too many to send are too many to compare: then everything counts as changed. */
const bounded = (changed: LocalPlan['changed']): LocalPlan['changed'] =>
  changed && JSON.stringify(changed).length <= MAX_CHANGED ? changed : undefined;

/** Whoever waits is told why; whoever gives up, that it may be on its way all the same. */
async function ask(
  cli: Cli,
  of: { client: ApiClient; slug: string; request: StartRequest; signal: AbortSignal },
): Promise<void> {
  const { client, signal } = of;
  const onAway = (error: unknown): void => {
    const why = error instanceof DavitError ? error.message : `${client.url} does not answer.`;
    cli.io.err(`${why} The pipeline is asked for again; it starts once.\n`);
  };
  try {
    await retryUntil(signal, () => client.start(of.slug, of.request, signal), onAway);
  } catch (error) {
    if (signal.aborted || !isFinal(error))
      cli.io.err('The pipeline was asked for, and may start yet: `davit pipelines` shows whether it did.\n');
    throw error;
  }
}

/** Asks again while the server is away: the key makes sure that it starts once. `onAway` is told of the first failure. */
async function retryUntil<T>(
  signal: AbortSignal,
  ask: () => Promise<T>,
  onAway?: (error: unknown) => void,
): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || isFinal(error) || count >= 20) throw error;
      if (count === 1) onAway?.(error);
    }
    await delay(LOOKUP_MS * count, undefined, { signal });
  }
}

/** The pipeline's number is given by the project workflow, on a control worker. */
async function numberOf(
  cli: Cli,
  client: ApiClient,
  { slug, key, signal }: { slug: string; key: string; signal: AbortSignal },
): Promise<PipelineId> {
  const since = Date.now();
  let told = false;
  for (;;) {
    const known = await retryUntil(signal, () => client.lookup(slug, key, signal));
    if (known.pipeline) return known.pipeline;
    if (known.state === 'refused' || known.state === 'duplicate')
      throw new DavitError('usage/invalid', known.message ?? 'The server did not start this pipeline.');
    if (!told && Date.now() - since > PATIENCE_MS) {
      cli.io.err('The pipeline waits for a control worker (davit doctor).\n');
      told = true;
    }
    await delay(LOOKUP_MS, undefined, { signal });
  }
}
