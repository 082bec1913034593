import type { DeployInput, DownstreamInput, RunInput } from '../../activities/contract.ts';
import { resolver } from '../../src/plan/policy/graph.ts';
import type { CrossPipelineArtifact } from '../../src/plan/model/artifacts.ts';
import type { JobKey } from '../../src/plan/model/ids.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { refOf, type JobRun, type Run } from './state.ts';

/**
 * Input of the activities that run a job: references to what earlier jobs left, and nothing beyond the plan's
 * skeleton.
 */
export function runInput(run: Run, job: JobRun, dispatchedAt: number): RunInput {
  const { spec } = job;
  const left = results(run);
  const given = job.status.given ?? [];
  return {
    ref: refOf(run, job),
    kind: spec.kind,
    project: run.input.trigger.project,
    spec: spec.spec,
    timeoutMs: spec.timeoutMs,
    dispatchedAt,
    tags: spec.tags,
    artifacts: [
      ...pick(left(spec.artifactsFrom), 'artifacts').map(([key, artifact]) => ({ job: key, artifact })),
      ...given.flatMap((one) => (one.artifact ? [{ job: nameOf(one), artifact: one.artifact }] : [])),
    ],
    dotenv: [
      ...pick(left(spec.artifactsFrom), 'dotenv').map(([key, digest]) => ({ job: key, digest })),
      ...given.flatMap((one) => (one.dotenv ? [{ job: nameOf(one), digest: one.dotenv }] : [])),
    ],
    images: pick(left(spec.imagesFrom), 'image').map(([key, image]) => ({ job: key, image })),
    indexes: pick(left(spec.imagesFrom), 'index').map(([key, index]) => ({ job: key, index })),
    playedBy: job.playedBy,
    graceMs: run.limits.cancelGraceMs,
    handsBack: true,
  };
}

const nameOf = ({ job, pipeline }: CrossPipelineArtifact): JobKey => `${job} of ${pipeline}`;

/**
 * `deployId` is equal for every dispatch of this attempt: the target is read for it before anything is
 * applied.
 */
export const deployInput = (run: Run, job: JobRun, dispatchedAt: number, seq: number): DeployInput => ({
  ...runInput(run, job, dispatchedAt),
  seq,
  deployId: `${run.input.id}/${job.spec.key}/${job.status.attempt}`,
});

/** What the job's images are now, in a fixed order. */
export function imageDigests(run: Run, job: JobRun): string[] {
  const left = results(run)(job.spec.imagesFrom);
  return left.flatMap(([, { image, index }]) =>
    [image?.digest, index?.digest].filter((one) => one !== undefined),
  );
}

export function downstreamInput(run: Run, job: JobRun): DownstreamInput {
  const { spec } = job;
  const { number, trigger } = run.input;
  const left = results(run);
  const { strategy, filesFrom } = spec.downstream ?? { filesFrom: [] };
  return {
    ref: refOf(run, job),
    number,
    trigger,
    spec: spec.spec,
    ...(strategy && { strategy }),
    files: pick(left(filesFrom), 'artifacts').map(([key, artifact]) => ({
      job: key,
      jobId: run.jobs[run.graph.index.get(key) ?? -1]?.status.jobId ?? 0,
      artifact,
    })),
    dotenv: pick(left(spec.artifactsFrom), 'dotenv').map(([key, digest]) => ({ job: key, digest })),
    at: job.attempt.startedAt ?? Date.now(),
  };
}

function results(run: Run): (names: readonly JobKey[]) => [JobKey, JobResult][] {
  const resolve = resolver(run.plan);
  return (names) =>
    names.flatMap(resolve).flatMap((index): [JobKey, JobResult][] => {
      const other = run.jobs[index];
      return other?.status.result ? [[other.spec.key, other.status.result]] : [];
    });
}

function pick<K extends keyof JobResult>(
  named: readonly [JobKey, JobResult][],
  field: K,
): [JobKey, NonNullable<JobResult[K]>][] {
  return named.flatMap(([key, result]): [JobKey, NonNullable<JobResult[K]>][] => {
    const value = result[field];
    return value === undefined || value === null ? [] : [[key, value]];
  });
}
