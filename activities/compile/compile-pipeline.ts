import type {
  BlobStore,
  Fleet,
  Forge,
  Includes,
  RecordStore,
  Registries,
  Rights,
  Secrets,
  Source,
} from '../../src/adapters/ports.ts';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { compile } from '../../src/compiler/compile.ts';
import { remoteFiles } from '../../src/compiler/remote-exists.ts';
import { factsNeeded } from '../../src/compiler/changes-needed.ts';
import { problemText } from '../../src/compiler/problems.ts';
import type { CompileResult, CompileRequest } from '../../src/compiler/request.ts';
import type { JobKey } from '../../src/plan/model/ids.ts';
import type { Plan, PlanJob, PlanTrust } from '../../src/plan/model/plan.ts';
import type { WorkerReport } from '../../src/plan/model/queues.ts';
import { titleOf } from '../../src/plan/model/text.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { COUNTERS } from '../../src/plan/model/records.ts';
import { limitsOf, writeCompiled } from '../runtime/compiled-blobs.ts';
import { listFiles, sourceFiles } from './pipeline-file.ts';
import { announced } from './announce.ts';
import { openPins, withIncludes, type Pins } from './includes.ts';
import { admitted, forkRefusal, forkWarnings } from './fork-pipeline.ts';
import { permitted } from './permissions.ts';
import { openRequestsOf } from './open-requests.ts';
import { requestOf } from './request.ts';
import { protectionOf } from './verify-ref.ts';
import { changedFiles, fetchSource, lastCommits, withSources, type FetchedSource } from './source.ts';
import { projectOf } from '../../src/compiler/variables/installation.ts';
import type { CompileInput, CompileOutput, ControlActivities } from '../contract.ts';
import { knownProject } from '../runtime/project-access.ts';
import { withForgeRefs } from '../runtime/protected-refs.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { throwIfEnded } from '../runtime/failures.ts';

export interface CompileDeps {
  blobs: BlobStore;
  records: RecordStore;
  source: Source;
  secrets: Secrets;
  registries: Registries;
  fleet: Pick<Fleet, 'live'>;
  includes: Includes;
  rights: Pick<Rights, 'protection'>;
  facts: InstallationFacts;
  forge: Pick<Forge, 'openRequests'>;
  /** Tells the forge. */
  report: ControlActivities['reportCommitStatus'];
}
/** Number of specs stored in parallel: a plan of 1,000 jobs must not open 1,000 connections. */
const PUTS_AT_ONCE = 16;
/**
 * Mistakes of the author or of the project's configuration: the pipeline reports them, and a retry does not
 * help. None of them is about the content of the pipeline file.
 */
const USERS_FAULT: readonly ErrorCode[] = [
  'git/no-commit',
  'git/bad-request',
  'git/denied',
  'git/moved',
  'source/refused',
  'source/no-file',
  'blob/missing',
  'secret/missing',
];
/** Nobody asks for a pipeline by pushing a branch without a file, as in GitLab. */
const isUnasked = ({ source, file }: Trigger): boolean =>
  file === undefined && ['push', 'tag', 'merge_request', 'schedule'].includes(source);

/**
 * Makes a plan from an event: source, file, variables, plan, blobs, numbers. Idempotent: numbers are claimed
 * under the pipeline's id, and blobs are named by their content. A user's mistake is returned as `invalid`;
 * an outage rejects and is retried.
 */
export function makeCompilePipeline(deps: CompileDeps): ControlActivities['compilePipeline'] {
  return (input) =>
    withHeartbeat({ host: 'control' }, async (signal) => {
      try {
        return await announced(input, deps.report, () => compileInput(deps, input, signal));
      } catch (error) {
        throwIfEnded();
        // The same file would overflow the stack on every attempt.
        if (error instanceof RangeError) return { kind: 'invalid', problems: [problemOf(tooDeep(error))] };
        if (!(error instanceof DavitError) || !USERS_FAULT.includes(error.code)) throw error;
        if (error.code === 'source/no-file' && isUnasked(input.trigger))
          return { kind: 'empty', reason: error.message };
        const problems = [problemOf(notMoved(error, input.trigger))];
        return error.code === 'source/no-file'
          ? { kind: 'invalid', problems }
          : { kind: 'invalid', problems, cause: 'source' };
      }
    });
}

const tooDeep = (cause: RangeError): DavitError =>
  new DavitError('language/too-large', 'The pipeline file is nested deeper than davit reads.', { cause });

/** Gitea does not move the ref when a pull request of a fork is reopened with new commits. */
function notMoved(error: DavitError, { refKind, ref, sha }: CompileInput['trigger']): DavitError {
  if (error.code !== 'git/no-commit' || refKind !== 'merge_request') return error;
  return new DavitError(
    error.code,
    `The forge reported the commit ${sha.slice(0, 12)} for this request, and its ${ref} does not hold it.`,
    {
      hint: 'Push to the branch of the request again: the forge moves the ref with it. Gitea does not move it when the request of a fork is reopened.',
    },
  );
}

const problemOf = (error: DavitError): string =>
  problemText({
    code: error.code,
    message: error.message,
    hint: error.hint,
    place: error.place,
    severity: 'error',
  });

async function compileInput(
  deps: CompileDeps,
  input: CompileInput,
  signal: AbortSignal,
): Promise<CompileOutput> {
  const { trigger } = input;
  const project = await withForgeRefs(deps.rights, projectOf(deps.facts, trigger));
  const refusal = forkRefusal(project, trigger);
  if (refusal !== undefined) return { kind: 'empty', reason: refusal };
  const [{ pointers = [], ...fetched }, openMergeRequests] = await Promise.all([
    fetchSource(deps, project, { trigger, signal }),
    openRequestsOf(deps.forge, trigger, signal),
  ]);
  const { protectedRef, warning } = await protectionOf(deps, project, { trigger, signal });
  const known = await knownProject(deps.records, trigger);
  const request = await requestOf(deps, input, {
    ...{ project, known, openMergeRequests, fetched, protectedRef },
  });
  const warnings = warning === undefined ? [] : [warning];
  const more = { warnings, trust: { protectedRef, fork: trigger.fork }, fleet: request.fleet };
  const session = deps.includes.open({ project: project.name, fork: trigger.fork, signal });
  const pins = await openPins(deps, input.id, {
    elsewhere: (wants) => session.answer(wants),
    changed: (names) => changedFiles(deps, project, { trigger, names, signal }),
    trigger,
  });
  const asking = { project, pins, signal };
  let answer = await compiled(deps, request, asking);
  // Another attempt has stored its answers first, and they are the ones to use.
  if (answer.kind !== 'invalid' && !(await pins.keep())) answer = await compiled(deps, request, asking);
  if (answer.kind !== 'plan') return output(deps, { input, project, fetched, answer, ...more });
  const { includes, limits } = deps.facts.config;
  const sources = await withSources(deps, project, {
    ...{ trigger, jobs: answer.jobs, signal, pointers },
    allowHosts: includes.allow_hosts,
    lfsBytes: limits.lfs_bytes,
  });
  const { jobs } = sources;
  warnings.push(...sources.warnings);
  return output(deps, { input, project, fetched, answer: { ...answer, jobs }, ...more });
}

interface AnswersRequest {
  project: InstallationProject;
  signal: AbortSignal;
  pins: Pins;
}

async function compiled(
  deps: CompileDeps,
  request: CompileRequest,
  asking: AnswersRequest,
): Promise<CompileResult> {
  const { pins } = asking;
  const source = sourceFiles(() => deps.blobs.getStream(request.source));
  const whole = await withIncludes(request, { ...source, ...pins });
  return compile({ ...whole, ...(await sourceFacts(deps, whole, asking)) });
}

/**
 * The facts about the source that conditions of the file need; nothing is fetched if no condition needs any.
 */
async function sourceFacts(
  deps: CompileDeps,
  request: CompileRequest,
  { project, pins, signal }: AnswersRequest,
): Promise<Pick<CompileRequest, 'changed' | 'files' | 'elsewhere' | 'lastCommits'>> {
  const needed = factsNeeded(request);
  const { trigger } = request;
  const lists = needed.files && !request.files;
  return {
    changed: await pins.changed(needed.changed),
    lastCommits: await lastCommits(deps, project, { trigger, paths: needed.lastCommits ?? [], signal }),
    elsewhere: await remoteFiles((wants) => pins.elsewhere(wants), needed.elsewhere ?? []),
    files: lists ? await listFiles(await deps.blobs.getStream(request.source)) : request.files,
  };
}

interface Compiled {
  input: CompileInput;
  project: InstallationProject;
  fetched: FetchedSource;
  answer: CompileResult;
  /** In addition to the variables of the file. */
  /** About the source and its protection. */
  warnings: string[];
  trust: PlanTrust;
  fleet: readonly WorkerReport[];
}

async function output(deps: CompileDeps, compiled: Compiled): Promise<CompileOutput> {
  const { answer, input } = compiled;
  if (answer.kind === 'empty') return { kind: 'empty', reason: answer.reason };
  if (answer.kind === 'invalid') return { kind: 'invalid', problems: answer.problems.map(problemText) };
  const permissions = {
    facts: deps.facts,
    project: compiled.project,
    trigger: input.trigger,
    ...compiled.trust,
  };
  const permittedJobs = answer.jobs.map((one) => permitted(one, permissions));
  const modes = new Map(Object.entries(compiled.project.resource_modes));
  const jobs: PlanJob[] = await bounded(permittedJobs, PUTS_AT_ONCE, async ({ job, spec }) => {
    const bytes = new TextEncoder().encode(JSON.stringify(spec));
    const mode = job.resourceGroup === undefined ? undefined : modes.get(job.resourceGroup);
    return { ...job, ...(mode && { resourceMode: mode }), spec: await deps.blobs.putBytes(bytes) };
  });
  const { trigger } = input;
  const gateExpiryMs = deps.facts.config.limits.gate_expiry;
  const whole: Plan = { ...answer.plan, trust: compiled.trust, jobs };
  const plan = await admitted(deps, whole, { project: compiled.project, trigger, gateExpiryMs });
  const kept = {
    jobIds: await jobIds(deps.records, input, plan.jobs),
    warnings: [
      ...forkWarnings(trigger, compiled.fleet),
      ...compiled.warnings,
      ...answer.warnings.map(problemText),
    ],
    source: compiled.fetched.source,
  };
  const planBlob = await writeCompiled(deps.blobs, plan, kept);
  // A reconciled event has the name of its ref in place of it.
  const title = trigger.reconciled && titleOf(compiled.fetched.commit.message);
  return { kind: 'plan', plan, planBlob, ...kept, limits: limitsOf(deps.facts), ...(title && { title }) };
}

/** CI_JOB_ID of each job, in file order; compiling the same pipeline again gives the same ids. */
async function jobIds(
  records: RecordStore,
  input: CompileInput,
  jobs: readonly PlanJob[],
): Promise<Record<JobKey, number>> {
  const claim = `${input.trigger.project}.${input.iid}.${jobs.length}`;
  const first = await records.allocate(COUNTERS.jobs, claim, jobs.length);
  return Object.fromEntries(jobs.map((job, at) => [job.key, first + at]));
}

/** Maps in order, with at most `width` calls in parallel. */
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
