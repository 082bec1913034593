import type {
  BlobStore,
  Fleet,
  Includes,
  IncludeSession,
  RecordStore,
  Registries,
  Secrets,
  Source,
} from '../src/adapters/ports.ts';
import { DavitError, type ErrorCode } from '../src/errors.ts';
import type { InstallationFacts, InstallationProject } from '../src/installation.ts';
import { compile } from '../src/pipeline/compile.ts';
import { filesElsewhere } from '../src/pipeline/elsewhere.ts';
import { factsNeeded } from '../src/pipeline/facts.ts';
import { problemText } from '../src/pipeline/problems.ts';
import type { CompileAnswer, CompileRequest } from '../src/pipeline/request.ts';
import type { JobKey } from '../src/plan/ids.ts';
import type { Plan, PlanJob } from '../src/plan/plan.ts';
import type { WorkerReport } from '../src/plan/queues.ts';
import type { Trigger } from '../src/plan/trigger.ts';
import { COUNTERS } from '../src/plan/records.ts';
import { limitsOf, writeCompiled } from './compile-pipeline-blobs.ts';
import { findFile, listFiles, sourceFiles, PIPELINE_FILES } from './compile-pipeline-file.ts';
import { withIncludes } from './compile-pipeline-includes.ts';
import {
  changedFiles,
  fetchSource,
  lastCommits,
  withDepth,
  type FetchedSource,
} from './compile-pipeline-source.ts';
import { readDownstream } from './start-downstream-config.ts';
import { isProtected, projectOf, variablesOf } from './compile-pipeline-variables.ts';
import { wildcardMatches } from '../src/plan/wildcard.ts';
import type { CompileInput, CompileOutput, ControlActivities } from './contract.ts';
import { living, throwIfEnded } from './ship/life.ts';

export interface CompileDeps {
  blobs: BlobStore;
  records: RecordStore;
  source: Source;
  secrets: Secrets;
  registries: Registries;
  fleet: Pick<Fleet, 'live'>;
  includes: Includes;
  facts: InstallationFacts;
}
/** Puts of specs at once: a plan of 1,000 jobs must not open 1,000 connections. */
const PUTS_AT_ONCE = 16;
/** Mistakes of whoever pushed or configured the project: the pipeline says so, and trying again is of no use. */
const USERS_FAULT: readonly ErrorCode[] = [
  'git/no-commit',
  'git/bad-request',
  'git/denied',
  'source/refused',
  'source/no-file',
  'blob/missing',
  'secret/missing',
];

/**
 * From an event to a plan: source, file, variables, plan, blobs, numbers. Idempotent: numbers are claimed under the
 * pipeline's id and blobs are named by what is in them. A mistake of people is answered as `invalid`; an outage rejects and is tried again.
 */
export function makeCompilePipeline(deps: CompileDeps): ControlActivities['compilePipeline'] {
  return (input) =>
    living({ host: 'control' }, async (signal) => {
      try {
        return await compileInput(deps, input, signal);
      } catch (error) {
        throwIfEnded();
        if (!(error instanceof DavitError) || !USERS_FAULT.includes(error.code)) throw error;
        return { kind: 'invalid', problems: [problemOf(error)] };
      }
    });
}

const problemOf = (error: DavitError): string =>
  problemText({
    code: error.code,
    message: error.message,
    hint: error.hint,
    place: error.place,
    severity: 'error',
  });

const projectFacts = (project: InstallationProject, trigger: Trigger): CompileRequest['project'] => ({
  slug: project.name,
  defaultBranch: project.default_branch,
  protectedRef: isProtected(project, trigger),
  variables: variablesOf(project.variables),
  path: project.repository,
  url: pageOf(project),
  gitlabApi: gitlabApi(project),
  cloneUrl: project.clone_url,
  isProtected: (branch) => project.protected_refs.some((pattern) => wildcardMatches(pattern, branch)),
});

async function compileInput(
  deps: CompileDeps,
  input: CompileInput,
  signal: AbortSignal,
): Promise<CompileOutput> {
  const { facts } = deps;
  const project = projectOf(facts, input.trigger);
  const fetched = await fetchSource(deps, project, { trigger: input.trigger, signal });
  const names = input.trigger.file === undefined ? PIPELINE_FILES : [input.trigger.file];
  const { upstream } = input.trigger;
  const given = upstream && (await readDownstream(deps.blobs, upstream.config));
  const file = given?.file ?? (await findFile(await deps.blobs.getStream(fetched.source), names));
  if (!file) throw new DavitError('source/no-file', `The source has no ${names.join(' and no ')}.`);
  const fleet = await deps.fleet.live();
  const request: CompileRequest = {
    file,
    trigger: input.trigger,
    iid: input.iid,
    number: input.number,
    project: projectFacts(project, input.trigger),
    instanceVariables: variablesOf(facts.config.variables),
    registry: (await deps.registries.default()).host,
    helperImage: facts.config.helper_image,
    defaultImage: facts.config.default_image,
    defaultArch: facts.config.default_arch,
    fleet,
    targets: targetsOf(facts, fleet),
    serverUrl: facts.url,
    limits: { jobTimeoutMs: facts.config.limits.job_timeout, gateExpiryMs: facts.config.limits.gate_expiry },
    ...fetched,
    ...(given && { forwarded: given.variables, included: given.included }),
  };
  const session = deps.includes.open({ project: project.name, fork: input.trigger.fork, signal });
  const changed = (wanted: readonly string[]) =>
    changedFiles(deps, project, { trigger: input.trigger, names: wanted, signal });
  const source = { ...sourceFiles(() => deps.blobs.getStream(fetched.source)), changed };
  const whole = await withIncludes(deps, input.id, { request, source, session });
  const known = await sourceFacts(deps, { project, request: whole, changed, session, signal });
  const answer = compile({ ...whole, ...known });
  if (answer.kind !== 'plan') return output(deps, { input, project, fetched, answer });
  const jobs = [...(await withDepth(deps, project, { trigger: input.trigger, jobs: answer.jobs, signal }))];
  return output(deps, { input, project, fetched, answer: { ...answer, jobs } });
}

interface Asking {
  project: InstallationProject;
  request: CompileRequest;
  signal: AbortSignal;
  changed: (names: readonly string[]) => ReturnType<typeof changedFiles>;
  session: IncludeSession;
}

/** What conditions of the file ask about the source; nothing is fetched for those that ask nothing. */
async function sourceFacts(
  deps: CompileDeps,
  { request, project, changed, session, signal }: Asking,
): Promise<Pick<CompileRequest, 'changed' | 'files' | 'elsewhere' | 'lastCommits'>> {
  const needed = factsNeeded(request);
  const { trigger } = request;
  const lists = needed.files && !request.files;
  return {
    changed: await changed(needed.changed),
    lastCommits: await lastCommits(deps, project, { trigger, paths: needed.lastCommits ?? [], signal }),
    elsewhere: await filesElsewhere((wants) => session.answer(wants), needed.elsewhere ?? []),
    files: lists ? await listFiles(await deps.blobs.getStream(request.source)) : request.files,
  };
}

interface Compiled {
  input: CompileInput;
  project: InstallationProject;
  fetched: FetchedSource;
  answer: CompileAnswer;
}

/** Those of the installation file; without any, those that workers were started for. */
function targetsOf(facts: InstallationFacts, fleet: readonly WorkerReport[]): string[] {
  const named = facts.config.targets.map((target) => target.name);
  return named.length > 0 ? named : [...new Set(fleet.flatMap((worker) => worker.targets))];
}

const gitlabApi = ({ forge, forge_url }: InstallationProject): string | undefined =>
  forge === 'gitlab' && forge_url ? `${forge_url.replace(/\/+$/, '')}/api` : undefined;

/** Page of the project at the forge, for CI_PROJECT_URL. */
function pageOf(project: InstallationProject): string | undefined {
  if (!project.forge_url || !project.repository || !URL.canParse(project.forge_url)) return undefined;
  return new URL(project.repository, `${project.forge_url.replace(/\/+$/, '')}/`).href;
}

async function output(deps: CompileDeps, what: Compiled): Promise<CompileOutput> {
  const { answer, input } = what;
  if (answer.kind === 'empty') return { kind: 'empty', reason: answer.reason };
  if (answer.kind === 'invalid') return { kind: 'invalid', problems: answer.problems.map(problemText) };
  const modes = new Map(Object.entries(what.project.resource_modes));
  const jobs: PlanJob[] = await bounded(answer.jobs, PUTS_AT_ONCE, async ({ job, spec }) => {
    const bytes = new TextEncoder().encode(JSON.stringify(spec));
    const mode = job.resourceGroup === undefined ? undefined : modes.get(job.resourceGroup);
    return { ...job, ...(mode && { resourceMode: mode }), spec: await deps.blobs.putBytes(bytes) };
  });
  const plan: Plan = { ...answer.plan, jobs };
  const kept = {
    jobIds: await jobIds(deps.records, input, jobs),
    warnings: answer.warnings.map(problemText),
    source: what.fetched.source,
  };
  const planBlob = await writeCompiled(deps.blobs, plan, kept);
  return { kind: 'plan', plan, planBlob, ...kept, limits: limitsOf(deps.facts) };
}

/** CI_JOB_ID of each job, in file order; the same ones when the same pipeline is compiled again. */
async function jobIds(
  records: RecordStore,
  input: CompileInput,
  jobs: readonly PlanJob[],
): Promise<Record<JobKey, number>> {
  const claim = `${input.trigger.project}.${input.iid}.${jobs.length}`;
  const first = await records.allocate(COUNTERS.jobs, claim, jobs.length);
  return Object.fromEntries(jobs.map((job, at) => [job.key, first + at]));
}

/** Maps in order, at most `width` at once. */
async function bounded<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += width)
    results.push(...(await Promise.all(items.slice(at, at + width).map(work))));
  return results;
}
