import type {
  BlobStore,
  ContainerCreate,
  Engine,
  LogStore,
  Registries,
  RegistryAuth,
  Secrets,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { isImageName } from '../../src/match/image-name.ts';
import { imageRefusal } from '../../src/match/image-permission.ts';
import { maskAutomaton, maskPatterns, maskText } from '../../src/masking/index.ts';
import type { BuiltImage, JobResult, Platform } from '../../src/plan/model/outcome.ts';
import { PLATFORMS, platformText, type BuildSpec } from '../../src/plan/model/spec.ts';
import { buildAuth } from './build-auth.ts';
import { cacheMountsOf, frontendRefusal, frontendsOf } from './build-border.ts';
import { mustPullBases } from './build-bases.ts';
import { authOf, cacheTags, keepNewestImage } from './build-cache.ts';
import type { ArchActivities, RunInput } from '../contract.ts';
import { type FreeDiskSpace, retryHintAfterGc } from '../runtime/disk-space.ts';
import { type BuildContext, buildContext } from './build-context.ts';
import { imagesIn } from './dockerfile-images.ts';
import { buildForFork } from './fork-builder.ts';
import {
  coded,
  isAwayForNow,
  requeue,
  requeueUnlessQueueMatches,
  throwIfEnded,
} from '../runtime/failures.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { endedBy } from '../runtime/outcome.ts';
import { openAttemptLog, type AttemptLog } from '../runtime/log/plain-log.ts';
import { type AttemptPortsOf, withAttempt } from '../runtime/per-attempt.ts';
import { retryThroughStoreOutage } from '../runtime/retry-policies.ts';
import { outOfScope, type WorkerScope } from '../../src/match/worker-scope.ts';
import { readSpec, workOf } from '../runtime/spec.ts';

export interface BuildDeps extends AttemptPortsOf {
  engine: Engine;
  blobs: BlobStore;
  logs: LogStore;
  secrets: Secrets;
  registries: Registries;
  facts: InstallationFacts;
  /** Id of the host, for results and heartbeats. */
  host: string;
  /** The host's name for people. */
  hostName: string;
  /** Tags of this worker. */
  tags: readonly string[];
  /** The projects whose jobs this worker takes; absent: all. */
  scope?: WorkerScope;
  /** Images that a Dockerfile of an unprotected ref may name in `# syntax=`. */
  frontends: readonly string[];
  /** Where builds of forks run; absent: nowhere. */
  forkBuilder?: { image: string };
  /** What such a builder gets at most. */
  limits?: Pick<ContainerCreate, 'memoryBytes' | 'cpus' | 'pids'>;
  /** Why what jobs reach cannot be limited on this engine; undefined where it is limited, or need not be. */
  egressProblem(): Promise<string | undefined>;
  /** The variant that arm32 means on this worker. */
  variant: 'v6' | 'v7';
  /** Epoch ms by the server's clock. */
  now(): number;
  /** Frees space on a full engine: removes davit's own objects that are not needed. */
  freeDiskSpace: FreeDiskSpace;
}
/** Characters; a result is stored in workflow history. */
const MAX_MESSAGE = 2_000;

/**
 * Builds one image on this worker's engine and pushes it under a tag of its own; returns the digest that the
 * registry acknowledged. Can be repeated: a second run finds its layers in the cache. A worker that stops
 * requeues it. The log is masked like a job's, although no secret enters a build: the compiler refuses masked
 * variables in `args`.
 */
export function makeBuildImage(of: BuildDeps): ArchActivities['buildImage'] {
  return coded(async (input) => {
    const deps = withAttempt(of, input.ref);
    requeueUnlessQueueMatches(input.tags, deps.tags);
    return withHeartbeat({ host: deps.host, timeoutMs: input.timeoutMs }, async (signal) => {
      const startedAt = deps.now();
      const spec = await retryThroughStoreOutage(signal, () =>
        readSpec(deps.blobs, input.spec, 'build'),
      ).catch((error: unknown) => {
        throw error instanceof DavitError && error.code === 'worker/scope' ? requeue(error.message) : error;
      });
      const outside = deps.scope && outOfScope(spec, deps.scope);
      if (outside) throw requeue(outside);
      const automaton = await masks(deps, spec);
      const log = await openAttemptLog(deps.logs, input.ref, {
        maxBytes: deps.facts.config.limits.log_bytes,
        automaton,
      });
      const result = await buildAndPush(deps, input, { spec, log, signal }).catch(async (error: unknown) => {
        throwIfEnded();
        if (isAwayForNow(error, input.ref)) return engineAway(log, error);
        return failed(await retryHintAfterGc(error, deps), automaton);
      });
      if (result.message) log.line(result.message);
      return { ...result, host: deps.host, startedAt, endedAt: deps.now(), log: await log.end() };
    });
  });
}

/** Restarted within the same attempt, with the engine's cache, here or by another worker. */
async function engineAway(log: AttemptLog, error: DavitError): Promise<never> {
  log.line(error.message);
  await log.flush().catch(() => undefined); // display only
  throw requeue(error.message);
}

/**
 * No container of the user was started, so a machine's failure may be retried without asking; an unreachable
 * registry has been waited for already. The message of a failed step quotes its output, so it is masked like
 * the log.
 */
function failed(error: unknown, hidden: ReturnType<typeof maskAutomaton>): JobResult {
  const result = endedBy(error);
  const message = maskText(hidden, result.message ?? '').slice(0, MAX_MESSAGE);
  return { ...result, message, started: result.outcome === 'failed' || result.kind === 'registry' };
}

interface Run {
  spec: BuildSpec;
  log: AttemptLog;
  signal: AbortSignal;
}

async function buildAndPush(deps: BuildDeps, input: RunInput, run: Run): Promise<JobResult> {
  const { spec, log, signal } = run;
  const tag = `${spec.repository}:${spec.tag}`;
  const cache = cacheTags(spec);
  const platform = platformOf(spec, deps.variant);
  log.line(`Building ${tag} for ${platformText(platform)} on ${deps.hostName}.`);
  const context = await contextOf(deps, input, spec);
  const built = await (spec.fork
    ? buildFork(deps, input, { context, run })
    : build(deps, input, { context, run })
  ).finally(() => context.tar.destroy());
  if ('outcome' in built) return built;
  const { sizeBytes, auths } = built;
  const pushed = await deps.engine
    .push(tag, { auth: authOf(auths, tag), signal, onLog: (text) => log.write(text) })
    .catch(async (error: unknown) => {
      // This tag is not known to anyone any more; its layers stay in the build cache for another dispatch.
      // The first error is the one reported.
      await deps.engine.removeImage(tag).catch(() => undefined);
      throw error;
    });
  log.line(`${tag} -> ${pushed.digest}`);
  const warnings = await keepNewestImage(deps.engine, { spec, cache, tag, auths, signal, log });
  const image: BuiltImage = { repository: spec.repository, digest: pushed.digest, platform, sizeBytes };
  return { outcome: 'succeeded', started: true, image, warnings };
}

/** Returns the size, and the credentials that the pushes need, by registry. */
async function build(
  deps: BuildDeps,
  input: RunInput,
  { context, run: { spec, log, signal } }: { context: BuildContext; run: Run },
): Promise<{ sizeBytes: number; auths: Record<string, RegistryAuth> }> {
  const { repository, args } = spec;
  const platform = platformText(platformOf(spec, deps.variant));
  const { names: bases, hidden } = imagesIn(context.text, args, platform);
  const cache = cacheTags(spec);
  const use = workOf(spec, input, [repository, cache.write]);
  const auths = await buildAuth(deps.registries, [repository, ...cache.read, ...bases], use);
  const { sizeBytes } = await deps.engine.build({
    context: context.tar,
    dockerfile: context.dockerfile,
    platform,
    tag: `${repository}:${spec.tag}`,
    target: spec.target,
    args,
    labels: spec.labels,
    cacheFrom: cache.read,
    cacheMounts: cacheMountsOf(spec),
    // The engine has images of every project: only the registry says whether this one may have a name that nobody here knows.
    pullBases: hidden || (await mustPullBases(deps.engine, bases, platform)),
    inlineCache: spec.cacheFrom === 'registry',
    auth: auths,
    signal,
    onLog: (text) => log.write(text),
  });
  return { sizeBytes, auths };
}

/** A fork's pipeline has no credentials: neither to pull a private base image nor to push. */
async function buildFork(
  deps: BuildDeps,
  input: RunInput,
  { context, run: { spec, log, signal } }: { context: BuildContext; run: Run },
): Promise<JobResult> {
  const { repository, tag, args, labels, target } = spec;
  const platform = platformOf(spec, deps.variant);
  const { dockerfile, tar } = context;
  const built = await buildForFork(deps, {
    ref: input.ref,
    repository,
    use: workOf(spec, input, [repository]),
    tag,
    spec: { args, labels, target, dockerfile, platform: platformText(platform) },
    context: tar,
    log,
    signal,
  });
  log.line(`${repository}:${tag} -> ${built.digest}`);
  return { outcome: 'succeeded', started: true, image: { repository, platform, ...built } };
}

/** The context of a build whose Dockerfile may be built here. */
async function contextOf(deps: BuildDeps, input: RunInput, spec: BuildSpec): Promise<BuildContext> {
  if (spec.lfs) throw new DavitError('job/source', spec.lfs.failure);
  const context = await buildContext(deps.blobs, {
    tars: [spec.source, ...input.artifacts.map(({ artifact }) => artifact.digest)],
    context: spec.context,
    dockerfile: spec.dockerfile,
  });
  try {
    const platform = platformText(platformOf(spec, deps.variant));
    refuseForeign(imagesIn(context.text, spec.args, platform).names, spec, deps.facts);
    const refusal = frontendRefusal(frontendsOf(context.text, spec.args), spec, deps.frontends);
    if (refusal !== undefined) throw new DavitError('build/refused', refusal);
  } catch (error) {
    context.tar.destroy();
    throw error;
  }
  return context;
}

/** Base images of another project; the registry decides about all others. */
function refuseForeign(bases: readonly string[], spec: BuildSpec, { config }: BuildDeps['facts']): void {
  for (const name of bases) {
    // The name of a stage, or of nothing: BuildKit says so with the line of the Dockerfile.
    const refusal = isImageName(name) ? imageRefusal(name, spec, config) : undefined;
    if (refusal !== undefined) throw new DavitError('engine/image-denied', refusal);
  }
}

const platformOf = (spec: BuildSpec, variant: 'v6' | 'v7'): Platform =>
  spec.arch === 'arm32' ? { ...PLATFORMS.arm32, variant } : PLATFORMS[spec.arch];

/** The values that this worker can resolve; a value that it cannot resolve cannot appear in the log. */
async function masks(deps: BuildDeps, spec: BuildSpec): Promise<ReturnType<typeof maskAutomaton>> {
  const values: string[] = [];
  for (const { masked, value } of spec.variables) {
    if (!masked) continue;
    if ('literal' in value) values.push(value.literal);
    else if (!spec.fork) {
      const found = await deps.secrets.resolve(value.secret).catch((error: unknown) => {
        if (error instanceof DavitError && error.code === 'secret/missing') return undefined;
        throw error;
      });
      if (found !== undefined) values.push(found);
    }
  }
  return maskAutomaton(maskPatterns(values));
}
