/**
 * From a spec to a started container. Independent steps run in parallel: a trivial job costs little more than
 * `docker run`. The container starts only after the server has recorded its host, and after the mask set is
 * durable.
 */
import { platformText, type CommonSpec } from '../../../src/plan/model/spec.ts';
import type { ContainerCreate, ContainerState } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { retryUntilReachable, retryWhileStoreUnavailable } from '../../runtime/retry-policies.ts';
import { type FoundCaches, findCaches } from '../cache/cache.ts';
import { startSidecars } from '../sidecars/sidecars.ts';
import { endMarkScript } from '../../runtime/log/end-mark.ts';
import { removeObjects } from '../container/cleanup.ts';
import { hasStarted, runTimeOf } from '../container/follow.ts';
import { ensureImage, platformOf, type WantedImage } from '../container/image.ts';
import { archOf, type Job, type StartProgress } from '../context/job.ts';
import { info, warning } from '../../runtime/log/log-lines.ts';
import { saveMasks, masksOf } from './mask-set.ts';
import { LABELS } from '../../runtime/container-names.ts';
import { type AskedLimits, jobRights, limitsOf, mustBeFiltered, mustHaveRights } from '../context/rights.ts';
import { type RunnerOptions, runnerOptions } from './runner-options.ts';
import { startCommand } from './entrypoint.ts';
import { EXIT_RESERVED, scriptText, supervisorText, variablesText } from './supervisor-script.ts';
import { fillSpec, resolvedOf } from './resolved.ts';
import { mustFit, type ResolvedVariables, sideEnvironments } from './variables.ts';
import { workspaceTar } from './workspace.ts';
import type { SideEnvironments, Sidecars } from '../sidecars/types.ts';
import { archiveLimits } from '../../runtime/archive-limits.ts';
import { useOf } from '../../runtime/spec.ts';
import { startEarly } from '../../runtime/start-early.ts';

/** The engine keeps more of a log than davit does, so rotation loses nothing while a worker is down. */
const ENGINE_LOG_FACTOR = 4;

/**
 * Returns how long the container has run (ms). Attaches to a container that runs or has ended, and creates
 * nothing then. Sidecars are awaited before other failures: a cleanup must not race with their start.
 */
export async function prepare(job: Job, progress: StartProgress): Promise<number> {
  const { deps, lease } = job;
  mustHaveRights(job.spec, job.input.tags, deps.worker);
  await mustBeFiltered(job.spec, deps);
  if (job.input.ref.epoch > 1) await removeHalf(job);
  const volume = startEarly(deps.engine.createVolume(job.name, { ...job.labels, [LABELS.kind]: 'volume' }));
  const acknowledged = startEarly(lease.acknowledge());
  const plan = await resolve(job);
  job.log.hide(masksOf(plan.masked));
  const signal = AbortSignal.any([lease.signal, AbortSignal.timeout(job.input.timeoutMs)]);
  const masksKept = startEarly(
    retryWhileStoreUnavailable(signal, () => saveMasks(deps, job.name, plan.masked)),
  );
  const notes: string[] = [];
  const pulled = startEarly(ensureImage(deps, plan.wanted, { signal, say: (text) => notes.push(text) }));
  const fetched = findCaches(job, plan.resolved.values); // never rejects
  const { environments, platform } = plan;
  const sidecars = await startSidecars(job, { environments, platform, acknowledged });
  const image = await pulled;
  job.image = image;
  const caches = await fetched;
  lease.signal.throwIfAborted();
  await volume;
  const request = {
    image: { id: image.id, platform: platformText(image.platform), entrypoint: image.entrypoint },
    open: plan.resolved.open,
    sidecars,
    labels: caches.labels,
    limits: plan.limits,
  };
  const existing = await makeContainer(job, request);
  if (existing) return runTimeOf(deps.engine, existing);
  sayHead(job, plan, [...notes, ...sidecars.notes, ...caches.notes]);
  await Promise.all([
    filling(job, { resolved: plan.resolved, caches: caches.archives, request }),
    acknowledged,
    masksKept,
    // The beginning of the log is durable too: a resume starts behind it.
    sidecars.ready().then(() => job.log.flush()),
  ]);
  return start(job, progress);
}

/** What is known of a job before anything is created for it. */
interface StartPlan {
  /** Architecture of the job, for its sidecars. */
  platform: string;
  wanted: WantedImage;
  resolved: ResolvedVariables;
  environments: SideEnvironments;
  /** Values that the log must not show. */
  masked: string[];
  limits: AskedLimits;
  warnings: string[];
}

async function resolve(job: Job): Promise<StartPlan> {
  const { deps } = job;
  const resolved = await resolvedOf(job);
  mustFit(resolved.variables);
  await fillSpec(job);
  const { spec } = job;
  const own = spec.image.platform ?? (await scriptPlatform(job));
  const runner = runnerOptions(resolved.values);
  const environments = await sideEnvironments(spec, deps.secrets, resolved.values);
  return {
    platform: platformOf(deps, archOf(job)),
    wanted: {
      name: spec.image.name,
      platform: own,
      pullPolicy: spec.image.pullPolicy,
      ask: spec,
      use: useOf(spec, job.input),
    },
    resolved,
    environments,
    masked: [...resolved.masked, ...environments.masked],
    limits: runner.limits,
    warnings: [...resolved.warnings, ...runner.warnings],
  };
}

/** Called once everything that a resume needs is durable. */
async function start(job: Job, progress: StartProgress): Promise<number> {
  await job.log.flush();
  await job.lease.confirm();
  progress.startAsked = true;
  await job.deps.engine.startContainer(job.name);
  return 0;
}

/**
 * Platform of the script's container. The container under test runs on its own architecture; the script that
 * tests it need not, and emulating it as well would only be slow.
 */
async function scriptPlatform(job: Job): Promise<string> {
  const arch = archOf(job);
  const { engine, worker } = job.deps;
  if (job.spec.kind !== 'apitest' || !worker.emulated.includes(arch)) return platformOf(job.deps, arch);
  return platformOf(job.deps, (await engine.info()).arch);
}

function sayHead(
  { log, deps }: Job,
  { wanted, warnings }: Pick<StartPlan, 'wanted' | 'warnings'>,
  notes: readonly string[],
): void {
  const { hostName, version } = deps.worker;
  log.say(info(`Running on ${hostName} with ${wanted.name} (${wanted.platform}), davit ${version}`));
  for (const note of notes) log.say(note);
  for (const text of warnings) log.say(warning(text));
}

interface ContainerRequest {
  /** Its id and platform: the tag may change. */
  image: { id: string; platform: string; entrypoint: readonly string[] };
  /** Variables that an entrypoint may see. */
  open: readonly string[];
  sidecars: Sidecars;
  labels: Record<string, string>;
  limits: AskedLimits;
}

/**
 * An earlier dispatch that was requeued could not clean up if its engine was unreachable; its services would
 * conflict.
 */
async function removeHalf({ deps, name, labels }: Job): Promise<void> {
  const there = await deps.engine.inspectContainer(name);
  if (!there || !hasStarted(there)) await removeObjects(deps.engine, { labels });
}

/**
 * The name is taken: a container that runs or has ended is this attempt's, and is used; one that was only
 * created is incomplete, and is recreated.
 */
async function makeContainer(job: Job, request: ContainerRequest): Promise<ContainerState | undefined> {
  const { deps, name, labels } = job;
  const create = creation(job, request);
  try {
    await deps.engine.createContainer(create);
    return undefined;
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/name-taken') throw error;
  }
  const there = await deps.engine.inspectContainer(name);
  if (there && hasStarted(there)) return there;
  // It may belong to a later dispatch, which is about to start it.
  await retryUntilReachable(job.lease.signal, () => deps.logs.open(job.input.ref, job.input.ref.epoch));
  if (!(await deps.engine.removeUnlessRunning(name))) return deps.engine.inspectContainer(name);
  await deps.engine.removeVolume(name);
  await deps.engine.createVolume(name, { ...labels, [LABELS.kind]: 'volume' });
  await deps.engine.createContainer(create);
  return undefined;
}

function creation(
  job: Job,
  { image, sidecars, labels: more, limits: asked, open }: ContainerRequest,
): ContainerCreate {
  const { deps, spec, name, labels } = job;
  const { config } = deps.worker;
  const { entrypoint, command, foreign } = startCommand(spec.image.entrypoint, image.entrypoint);
  return {
    name,
    image: image.id,
    platform: image.platform,
    labels: { ...labels, ...more, [LABELS.kind]: 'job', [LABELS.marked]: 'true' },
    entrypoint,
    command,
    env: foreign ? [...open] : undefined,
    user: spec.image.user,
    network: sidecars.network,
    hosts: sidecars.hosts,
    volumes: [{ volume: name, path: '/builds' }],
    logMaxBytes: deps.facts.config.limits.log_bytes * ENGINE_LOG_FACTOR,
    ...limitsOf(spec, config, asked),
    ...jobRights(spec, job.input.tags, config),
  };
}

/** A cache that breaks off during the upload does not fail the job: everything is recreated without it. */
async function filling(
  job: Job,
  {
    resolved,
    caches,
    request,
  }: { resolved: ResolvedVariables; caches: FoundCaches['archives']; request: ContainerRequest },
): Promise<void> {
  try {
    return await fill(job, resolved, caches);
  } catch (error) {
    if (caches.length === 0 || job.lease.signal.aborted) throw error;
    job.log.say(warning('The cache could not be put into the container; the job continues without it.'));
  }
  await makeContainer(job, request);
  await fill(job, resolved, []);
}

/** One archive upload: project, artifacts, davit's files. Secrets go in here and nowhere else. */
async function fill(
  { deps, spec, input, name, lease }: Job,
  resolved: ResolvedVariables,
  caches: FoundCaches['archives'],
): Promise<void> {
  const { projectDir } = spec;
  const runner = runnerOptions(resolved.values);
  const { trace, scriptSeconds, afterSeconds } = runner;
  const files: Record<string, string> = {
    exit: EXIT_RESERVED,
    room: '',
    run: supervisorText({
      projectDir,
      timeoutMs: input.timeoutMs,
      scriptSeconds,
      afterSeconds,
      lastLine: endMarkScript(name),
    }),
    script: scriptText(spec.script, projectDir, { trace }),
    variables: variablesText(resolved.variables, projectDir),
  };
  if (spec.preGetSources) files.pre = scriptText(spec.preGetSources, projectDir, { trace });
  if (spec.afterScript.length > 0) files.after = scriptText(spec.afterScript, projectDir, { trace });
  const archive = workspaceTar({
    projectDir,
    ...(runner.source !== 'none' && { source: () => deps.blobs.getStream(spec.source) }),
    takes: (path) => takesSource(runner, path, spec),
    caches,
    artifacts: input.artifacts.map(
      ({ artifact }) =>
        () =>
          deps.blobs.getStream(artifact.digest),
    ),
    files,
    limits: archiveLimits(deps.facts.config.limits),
  });
  await deps.engine.upload(name, archive, lease.signal);
}

function takesSource(
  { source, submodules }: RunnerOptions,
  path: string,
  { submodules: fetched, lfs }: Pick<CommonSpec, 'submodules' | 'lfs'>,
): boolean {
  if (lfs && source === 'all') throw new DavitError('job/source', lfs.failure);
  if (path === '.gitmodules' && submodules && source === 'all' && fetched?.failure !== undefined)
    throw new DavitError('job/source', fetched.failure);
  if (path === '.gitmodules' && submodules && source === 'all' && !fetched)
    throw new DavitError(
      'job/source',
      'GIT_SUBMODULE_STRATEGY asks for submodules, and this source has none: `davit run` sends none, and a dotenv report comes too late. Fetch them in the script: git submodule update --init.',
    );
  return source === 'all' || /^\.git(\/|$)/.test(path);
}
