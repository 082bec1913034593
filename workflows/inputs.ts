import type { DeployInput, DownstreamInput, RunInput } from '../activities/contract.ts';
import { resolver } from '../src/plan/graph.ts';
import type { Given } from '../src/plan/given.ts';
import type { JobKey } from '../src/plan/ids.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import { refOf, type JobRun, type Run } from './state.ts';

/** What an activity is given to run a job: references to what earlier jobs left, and nothing that is not in the skeleton. */
export function runInput(run: Run, one: JobRun, dispatchedAt: number): RunInput {
  const { job } = one;
  const left = results(run);
  const given = one.status.given ?? [];
  return {
    ref: refOf(run, one),
    kind: job.kind,
    project: run.input.trigger.project,
    spec: job.spec,
    timeoutMs: job.timeoutMs,
    dispatchedAt,
    tags: job.tags,
    artifacts: [
      ...pick(left(job.artifactsFrom), 'artifacts').map(([key, artifact]) => ({ job: key, artifact })),
      ...given.flatMap((one) => (one.artifact ? [{ job: nameOf(one), artifact: one.artifact }] : [])),
    ],
    dotenv: [
      ...pick(left(job.artifactsFrom), 'dotenv').map(([key, digest]) => ({ job: key, digest })),
      ...given.flatMap((one) => (one.dotenv ? [{ job: nameOf(one), digest: one.dotenv }] : [])),
    ],
    images: pick(left(job.imagesFrom), 'image').map(([key, image]) => ({ job: key, image })),
    indexes: pick(left(job.imagesFrom), 'index').map(([key, index]) => ({ job: key, index })),
    playedBy: one.playedBy,
    graceMs: run.limits.cancelGraceMs,
    handsBack: true,
  };
}

const nameOf = ({ job, pipeline }: Given): JobKey => `${job} of ${pipeline}`;

/** `deployId` is equal for every try of this attempt: the target is read for it before anything is applied. */
export const deployInput = (run: Run, one: JobRun, more: { at: number; seq: number }): DeployInput => ({
  ...runInput(run, one, more.at),
  seq: more.seq,
  deployId: `${run.input.id}/${one.job.key}/${one.status.attempt}`,
});

export function downstreamInput(run: Run, one: JobRun): DownstreamInput {
  const { job } = one;
  const { number, trigger } = run.input;
  const left = results(run);
  const { strategy, filesFrom } = job.downstream ?? { filesFrom: [] };
  return {
    ref: refOf(run, one),
    number,
    trigger,
    spec: job.spec,
    ...(strategy && { strategy }),
    files: pick(left(filesFrom), 'artifacts').map(([key, artifact]) => ({
      job: key,
      jobId: run.jobs[run.graph.index.get(key) ?? -1]?.status.jobId ?? 0,
      artifact,
    })),
    dotenv: pick(left(job.artifactsFrom), 'dotenv').map(([key, digest]) => ({ job: key, digest })),
    at: one.startedAt ?? Date.now(),
  };
}

function results(run: Run): (names: readonly JobKey[]) => [JobKey, JobResult][] {
  const resolve = resolver(run.plan);
  return (names) =>
    names.flatMap(resolve).flatMap((at): [JobKey, JobResult][] => {
      const other = run.jobs[at];
      return other?.status.result ? [[other.job.key, other.status.result]] : [];
    });
}

function pick<K extends keyof JobResult>(
  from: readonly [JobKey, JobResult][],
  field: K,
): [JobKey, NonNullable<JobResult[K]>][] {
  return from.flatMap(([key, result]): [JobKey, NonNullable<JobResult[K]>][] => {
    const value = result[field];
    return value === undefined || value === null ? [] : [[key, value]];
  });
}
