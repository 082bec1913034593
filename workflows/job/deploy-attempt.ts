/**
 * One attempt of a deployment: apply, watch, and at most one rollback. It holds the environment's lock, never rejects, and
 * repeats no effect: every try names the same deployment, and the target is read for it first.
 *
 * D1 `applyDeploy` that ends by cancellation has applied nothing; one that ends well has, also if a cancel came meanwhile.
 * D2 After an apply, every end but convergence leads to exactly one `rollbackDeploy`, outside of any cancellation.
 * D3 The first error is the result's; what the rollback found is beside it.
 * D4 Once cancelled nothing is applied any more: where a try had no answer the target is only looked at.
 */
import { CancellationScope, patched, sleep } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { ApplyOutput, DeployInput, Limits } from '../../activities/contract.ts';
import type { DeployedState, JobResult } from '../../src/plan/model/outcome.ts';
import { jobActivities, type JobActivities } from '../activities.ts';
import { cancelledResult, isRaised, withPermit } from './attempt.ts';
import { classify, type ActivityFailureKind } from '../failures.ts';
import { deployInput } from './inputs.ts';
import { refOf, type JobRun, type Run } from './state.ts';

const BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 15_000;

type Call<T> = (activities: ActivityInterfaceFor<JobActivities>, input: DeployInput) => Promise<T>;
type Ended<T> = { value: T } | { failure: ActivityFailureKind };
interface Deployment {
  run: Run;
  one: JobRun;
  at: number;
  seq: number;
  /** Once a try has had no answer the target is asked even if a cancel came: what it has must be known. */
  sure?: boolean;
}

export async function deployAttempt(run: Run, job: JobRun, seq: number): Promise<JobResult> {
  job.status.attempt += 1;
  job.status.epoch = 0;
  job.host = undefined;
  const deployment: Deployment = { run, one: job, at: Date.now(), seq };
  const applied = await retryUntilDone<ApplyOutput>({ ...deployment, sure: true }, (activities, input) =>
    activities.applyDeploy(input),
  );
  if ('failure' in applied) return notApplied(job, applied.failure);
  const answer = applied.value;
  if (answer.kind === 'failed') return answer.result;
  if (answer.kind === 'outdated')
    return { ...base(answer.state), outcome: 'skipped', kind: 'outdated', started: false };
  const watched = await retryUntilDone<JobResult>(deployment, (activities, input) =>
    activities.watchDeploy(input),
  );
  if ('value' in watched && watched.value.outcome === 'succeeded') return watched.value;
  const result = 'value' in watched ? watched.value : unknownState(job, watched.failure, answer.state);
  return CancellationScope.nonCancellable(() => rollBack(deployment, answer, result));
}

/** D2, D3. The rollback is a deployment with a number of its own, higher than the one it takes back. */
async function rollBack(
  deployment: Deployment,
  applied: Extract<ApplyOutput, { kind: 'applied' | 'already' }>,
  result: JobResult,
): Promise<JobResult> {
  const back = await retryUntilDone<DeployedState>(deployment, (activities, input) =>
    activities.rollbackDeploy({ ...input, previous: applied.previous, newSeq: deployment.seq + 1 }),
  );
  if ('value' in back) return { ...result, started: true, deployed: back.value };
  const why = back.failure.kind === 'defect' ? `: ${back.failure.message}` : '.';
  return {
    ...result,
    started: true,
    deployed: { ...applied.state, state: 'unknown' },
    message: `${result.message ?? 'The deployment failed.'} The rollback did not end${why}`,
  };
}

/** Calls until it has an answer: a worker that falls silent is no answer, and a repeat does nothing twice. */
async function retryUntilDone<T>(deployment: Deployment, call: Call<T>): Promise<Ended<T>> {
  const { run, one: job } = deployment;
  const absence = new Absence(run.limits, deployment.at + job.spec.timeoutMs);
  for (let backoff = BACKOFF_MS; ; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
    const unsure = deployment.sure === true && absence.began;
    const cancelled = CancellationScope.current().consideredCancelled;
    const looks = unsure && patched(LOOK);
    const onlyLook = looks && cancelled;
    const from = Date.now();
    const attempt = (): Promise<T> => dispatchOnce(deployment, call, onlyLook);
    try {
      const shielded = onlyLook || (unsure && !looks);
      return { value: shielded ? await CancellationScope.nonCancellable(attempt) : await attempt() };
    } catch (error) {
      const failure = classify(error);
      // D4. That try has applied nothing; the one before may have.
      if (failure.kind === 'cancelled' && looks && !cancelled) continue;
      const again =
        failure.kind === 'heartbeat-lost' ||
        failure.kind === 'detached' ||
        failure.kind === 'requeued' ||
        isRaised(job, failure);
      if (!again || absence.isOver(failure, from)) return { failure };
    }
    await CancellationScope.nonCancellable(() => sleep(backoff));
  }
}
const LOOK = 'deploy-look';

function dispatchOnce<T>(
  { run, one: job, at, seq }: Deployment,
  call: Call<T>,
  onlyLook: boolean,
): Promise<T> {
  const { spec } = job;
  job.status.epoch += 1;
  const start = (): Promise<T> => {
    // The first call may wait for a worker as long as any job; later ones only as long as a worker may be away.
    const waitMs = job.status.epoch === 1 ? run.limits.queueTimeoutMs : run.limits.hostGraceMs;
    const to = { ref: refOf(run, job), job: spec, queue: spec.queue, limits: run.limits, waitMs };
    const input = { ...deployInput(run, job, { at, seq }), ...(onlyLook && { onlyLook }) };
    return call(jobActivities(to), input);
  };
  return withPermit(run, job, { queue: spec.queue, start });
}

/** For how long nobody has been at a deployment. A worker that goes away in order, or was at it for long, was there. */
class Absence {
  readonly #limits: Pick<Limits, 'heartbeatTimeoutMs' | 'hostGraceMs' | 'queueTimeoutMs'>;
  readonly #dueAt: number;
  /** The first time that a worker was lost, and the last time that one was there. */
  #first: number | undefined;
  #since = 0;

  constructor(limits: Limits, dueAt: number) {
    this.#limits = limits;
    this.#dueAt = dueAt;
  }
  get began(): boolean {
    return this.#first !== undefined;
  }
  /** Told of the end of a try that began at `from`. True: it is given up. */
  isOver(failure: ActivityFailureKind, from: number): boolean {
    const now = Date.now();
    const { heartbeatTimeoutMs, hostGraceMs, queueTimeoutMs } = this.#limits;
    const wasThere = failure.kind !== 'heartbeat-lost' || now - from > 2 * heartbeatTimeoutMs;
    if (wasThere || this.#first === undefined) this.#since = now;
    this.#first ??= now;
    if (now - this.#first <= hostGraceMs) return false;
    const gone = now - this.#since > hostGraceMs || now > this.#dueAt + queueTimeoutMs;
    return gone || !patched('deploy-outlives-workers');
  }
}

function notApplied(job: JobRun, failure: ActivityFailureKind): JobResult {
  const end = { endedAt: Date.now() };
  switch (failure.kind) {
    case 'cancelled':
      return cancelledResult(job);
    case 'unclaimed':
      if (job.status.epoch === 1)
        return {
          ...end,
          outcome: 'errored',
          kind: 'no_worker',
          started: false,
          message: `No deploy worker took the job from queue ${job.spec.queue} in time.`,
        };
      return { ...end, outcome: 'errored', kind: 'host_lost', started: true, message: UNKNOWN };
    case 'defect':
      // Whether it was applied before it failed is not known: never repeated blindly.
      return { ...end, outcome: 'errored', kind: 'internal', started: true, message: failure.message };
    default:
      return { ...end, outcome: 'errored', kind: 'host_lost', started: true, message: UNKNOWN };
  }
}
const UNKNOWN = 'The deploy worker was lost while it deployed; look at the target, then retry the job.';

function unknownState(job: JobRun, failure: ActivityFailureKind, state: DeployedState): JobResult {
  if (failure.kind === 'cancelled')
    return {
      ...cancelledResult(job),
      deployed: state,
      message: 'Cancelled while it rolled out; rolled back.',
    };
  const message =
    failure.kind === 'defect' ? failure.message : 'The deploy worker was lost during the rollout.';
  return { ...base(state), outcome: 'errored', kind: 'rollout', started: true, message };
}

const base = (state: DeployedState): Pick<JobResult, 'deployed' | 'endedAt'> => ({
  deployed: state,
  endedAt: Date.now(),
});
