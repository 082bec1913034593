import type { BlobStore, LogStore, Registries } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { BuiltImage, JobResult, PushedIndex } from '../../src/plan/model/outcome.ts';
import { platformText, type PushSpec } from '../../src/plan/model/spec.ts';
import type { ControlActivities, RunInput } from '../contract.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { ended, endedBy } from '../runtime/outcome.ts';
import { openAttemptLog, type AttemptLog } from '../runtime/log/plain-log.ts';
import { retryThroughOutage, retryThroughStoreOutage } from '../runtime/retry-policies.ts';
import { readSpec, workOf } from '../runtime/spec.ts';
import { throwIfEnded } from '../runtime/failures.ts';

export interface PushDeps {
  blobs: BlobStore;
  logs: LogStore;
  registries: Registries;
  facts: InstallationFacts;
}

/**
 * Writes one OCI index over images that are in the repository already, by digest, then its tags. Never
 * builds, never copies a layer, and writes nothing while an architecture is missing. Idempotent: the same
 * input gives the same bytes.
 */
export function makePushImage(deps: PushDeps): ControlActivities['pushImage'] {
  return (input) =>
    withHeartbeat({ host: 'control', timeoutMs: input.timeoutMs }, async (signal) => {
      const startedAt = Date.now();
      const log = await openAttemptLog(deps.logs, input.ref, {
        maxBytes: deps.facts.config.limits.log_bytes,
      });
      const result = await push(deps, input, { log, signal }).catch((error: unknown) => {
        throwIfEnded();
        return endedBy(error);
      });
      if (result.message) log.line(result.message);
      return { ...result, host: 'control', startedAt, endedAt: Date.now(), log: await log.end() };
    });
}

async function push(
  deps: PushDeps,
  input: RunInput,
  run: { log: AttemptLog; signal: AbortSignal },
): Promise<JobResult> {
  const spec = await retryThroughStoreOutage(run.signal, () => readSpec(deps.blobs, input.spec, 'push'));
  if (spec.fork) return ended('failed', 'config', 'A pipeline of a fork pushes no image.');
  const missing = missingJobs(spec, input);
  if (missing.length > 0)
    return ended(
      'errored',
      'missing_dependency',
      `Nothing was pushed: there is no image of ${missing.join(', ')}, and an index without an architecture would break the machines of that architecture.`,
    );
  const images = input.images.filter(({ job }) => spec.from.includes(job)).map(({ image }) => image);
  const conflict = conflictOf(spec, images);
  if (conflict) return ended('failed', 'config', conflict);
  for (const image of images)
    run.log.line(`${platformText(image.platform)} ${image.repository}@${image.digest}`);
  const index = await retryThroughOutage(
    {
      codes: ['registry/unreachable'],
      signal: run.signal,
      onRetry: (error, ms) => run.log.line(`${error.message} Trying again in ${ms / 1000} s.`),
    },
    () => writeIndex(deps, spec, { images, input }),
  );
  for (const tag of index.tags) run.log.line(`${index.repository}:${tag} -> ${index.digest}`);
  return { outcome: 'succeeded', started: true, index };
}

const missingJobs = (spec: PushSpec, input: RunInput): string[] =>
  spec.from.filter((job) => !input.images.some((image) => image.job === job));

/** Cases that an index cannot express: an image of another repository, two of one platform, none at all. */
function conflictOf(spec: PushSpec, images: readonly BuiltImage[]): string | undefined {
  if (images.length === 0) return 'The push job names no build job.';
  const foreign = images.find(
    ({ repository }) => repository !== spec.repository && repository !== spec.pipelines,
  );
  if (foreign)
    return `The image was built into ${foreign.repository}, but an index in ${spec.repository} can only name images of its own repository.`;
  const platforms = images.map((image) => platformText(image.platform));
  const twice = platforms.find((text, at) => platforms.indexOf(text) !== at);
  return twice ? `Two images are of the platform ${twice}.` : undefined;
}

async function writeIndex(
  deps: PushDeps,
  spec: PushSpec,
  what: { images: readonly BuiltImage[]; input: RunInput },
): Promise<PushedIndex> {
  const use = workOf(spec, what.input, [spec.repository]);
  const { registry, repository } = await deps.registries.forImage(spec.repository, { use });
  const platforms = what.images.map(({ platform, digest }) => ({ platform, digest }));
  const { repository: from } = await deps.registries.forImage(spec.pipelines ?? spec.repository, {
    use,
  });
  const found = await Promise.all(
    what.images.map((image) =>
      registry.manifest(image.repository === spec.repository ? repository : from, image.digest),
    ),
  );
  const gone = platforms.find((_, at) => found[at] === undefined);
  if (gone)
    throw new DavitError(
      'registry/missing-manifest',
      `${spec.repository} has no image ${gone.digest} any more.`,
      { hint: 'Run the build of that architecture again.' },
    );
  for (const image of what.images)
    if (image.repository !== spec.repository) await registry.copyImage(from, image.digest, repository);
  const digest = await registry.putIndex(repository, platforms, spec.tags, annotations(spec, what.input));
  return { repository: spec.repository, digest, tags: spec.tags, platforms };
}

/**
 * https://github.com/opencontainers/image-spec/blob/main/annotations.md; the same for every dispatch of an
 * attempt.
 */
function annotations(spec: PushSpec, input: RunInput): Record<string, string> {
  return {
    'org.opencontainers.image.revision': spec.sha,
    'org.opencontainers.image.ref.name': spec.ref,
    'org.opencontainers.image.created': new Date(input.dispatchedAt).toISOString(),
    'org.opencontainers.image.title': spec.project,
  };
}
