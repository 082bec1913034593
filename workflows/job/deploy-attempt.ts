/**
 * One attempt of a deployment: apply, watch, and at most one rollback. It holds the environment's lock, never
 * rejects, and repeats no effect: every dispatch names the same deployment, and the target is read for it
 * first.
 *
 * DEPLOY-1 `applyDeploy` that ends by cancellation has applied nothing; `applyDeploy` that ends well has,
 *          even if a cancel arrived meanwhile.
 * DEPLOY-2 After an apply, every end except convergence leads to exactly one `rollbackDeploy`, outside of any
 *          cancellation.
 * DEPLOY-3 The first error is the result's; what the rollback found is added to it.
 * DEPLOY-4 Once cancelled, nothing more is applied: if a dispatch ended without a reply, the target is only
 *          looked at.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import type { ApplyOutput, DeployInput, Limits } from '../../activities/contract.ts';
import type { DeployedState, JobResult } from '../../src/plan/model/outcome.ts';
import { standsText } from '../../src/plan/policy/deployed-text.ts';
import { jobActivities, type JobActivities } from '../activities.ts';
import { classify, type ActivityFailureKind } from '../failures.ts';
import { hasVersion } from '../versions.ts';
import { cancelledResult, isReplacedWhenFenced, withPermit } from './attempt.ts';
import { approvalQuestion } from './approval.ts';
import { deployInput } from './inputs.ts';
import { refOf, type JobRun, type Run } from './state.ts';

const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 15_000;

type Call<T> = (activities: ActivityInterfaceFor<JobActivities>, input: DeployInput) => Promise<T>;
type Ended<T> = { value: T } | { failure: ActivityFailureKind };
interface Deployment {
  run: Run;
  job: JobRun;
  /** When the attempt began, epoch ms. */
  beganAt: number;
  seq: number;
  /**
   * After a dispatch without a reply the target is asked even if a cancel arrives: its state must be known.
   */
  mustKnow?: boolean;
}

export async function deployAttempt(run: Run, job: JobRun, seq: number): Promise<JobResult> {
  job.status.attempt += 1;
  job.status.epoch = 0;
  job.attempt = {};
  const deployment: Deployment = { run, job, beganAt: Date.now(), seq };
  const applied = await retryUntilDone<ApplyOutput>({ ...deployment, mustKnow: true }, (activities, input) =>
    activities.applyDeploy(input),
  );
  if ('failure' in applied) return notApplied(job, applied.failure);
  const output = applied.value;
  if (output.kind === 'failed') return output.result;
  if (output.kind === 'outdated')
    return { ...base(output.state), outcome: 'skipped', kind: 'outdated', started: false };
  const watched = await retryUntilDone<JobResult>(deployment, (activities, input) =>
    activities.watchDeploy(input),
  );
  if ('value' in watched && watched.value.outcome === 'succeeded') return watched.value;
  const result = 'value' in watched ? watched.value : unknownState(job, watched.failure, output.state);
  return CancellationScope.nonCancellable(() => rollBack(deployment, output, result));
}

/**
 * DEPLOY-2, DEPLOY-3. The rollback is a deployment with a number of its own, higher than the one it reverts.
 */
async function rollBack(
  deployment: Deployment,
  applied: Extract<ApplyOutput, { kind: 'applied' | 'already' }>,
  result: JobResult,
): Promise<JobResult> {
  const rolledBack = await retryUntilDone<DeployedState>(deployment, (activities, input) =>
    activities.rollbackDeploy({ ...input, previous: applied.previous, newSeq: deployment.seq + 1 }),
  );
  if ('value' in rolledBack) {
    const deployed = rolledBack.value;
    const message = `${result.message ?? 'The deployment failed.'} ${standsText(deployed)}`;
    return { ...result, started: true, deployed, message };
  }
  const reason = rolledBack.failure.kind === 'defect' ? `: ${rolledBack.failure.message}` : '.';
  return {
    ...result,
    started: true,
    deployed: { ...applied.state, state: 'unknown' },
    message: `${result.message ?? 'The deployment failed.'} The rollback did not complete${reason}`,
  };
}

/** Dispatches until there is a reply: the loss of a worker is not one, and a repeat does nothing twice. */
async function retryUntilDone<T>(deployment: Deployment, call: Call<T>): Promise<Ended<T>> {
  const { run, job } = deployment;
  const absence = new WorkerAbsence(run.limits, deployment.beganAt + job.spec.timeoutMs);
  for (let backoff = INITIAL_BACKOFF_MS; ; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
    const unsure = deployment.mustKnow === true && absence.began;
    const cancelled = CancellationScope.current().consideredCancelled;
    const looks = unsure && hasVersion('cancelledDeployOnlyLooks');
    const onlyLook = looks && cancelled;
    const dispatchedAt = Date.now();
    const dispatch = (): Promise<T> => dispatchOnce(deployment, call, onlyLook);
    try {
      const shielded = onlyLook || (unsure && !looks);
      return { value: shielded ? await CancellationScope.nonCancellable(dispatch) : await dispatch() };
    } catch (error) {
      const failure = classify(error);
      // DEPLOY-4. This dispatch has applied nothing; the one before may have.
      if (failure.kind === 'cancelled' && looks && !cancelled) continue;
      const again =
        failure.kind === 'heartbeat-lost' ||
        failure.kind === 'detached' ||
        failure.kind === 'requeued' ||
        isReplacedWhenFenced(job, failure);
      if (!again || absence.isOver(failure, dispatchedAt)) return { failure };
    }
    await CancellationScope.nonCancellable(() => sleep(backoff));
  }
}

function dispatchOnce<T>(
  { run, job, beganAt, seq }: Deployment,
  call: Call<T>,
  onlyLook: boolean,
): Promise<T> {
  const { spec } = job;
  job.status.epoch += 1;
  return withPermit(run, job, spec.queue, () => {
    const { limits } = run;
    // The first dispatch may wait for a worker as long as any job; later ones only as long as a worker may be
    // away.
    const waitMs = job.status.epoch === 1 ? limits.queueTimeoutMs : limits.hostGraceMs;
    const activities = jobActivities({ ref: refOf(run, job), job: spec, queue: spec.queue, limits, waitMs });
    const approval = approvalQuestion(run, job);
    return call(activities, {
      ...deployInput(run, job, beganAt, seq),
      ...(approval && { approval }),
      ...(onlyLook && { onlyLook }),
    });
  });
}

/**
 * Tracks how long a deployment has had no live worker. A worker that shut down in order, or that was lost
 * only after it had worked for a while, counts as live until then.
 */
class WorkerAbsence {
  readonly #limits: Pick<Limits, 'heartbeatTimeoutMs' | 'hostGraceMs' | 'queueTimeoutMs'>;
  readonly #dueAt: number;
  /** When a worker was lost for the first time. */
  #firstLossAt: number | undefined;
  #lastSeenAt = 0;

  /** `dueAt`: end of the job's timeout, epoch ms. */
  constructor(limits: Limits, dueAt: number) {
    this.#limits = limits;
    this.#dueAt = dueAt;
  }
  get began(): boolean {
    return this.#firstLossAt !== undefined;
  }
  /** To be called after each failed dispatch. True: the deployment is given up. */
  isOver(failure: ActivityFailureKind, dispatchedAt: number): boolean {
    const now = Date.now();
    const { heartbeatTimeoutMs, hostGraceMs, queueTimeoutMs } = this.#limits;
    const wasLive = failure.kind !== 'heartbeat-lost' || now - dispatchedAt > 2 * heartbeatTimeoutMs;
    if (wasLive || this.#firstLossAt === undefined) this.#lastSeenAt = now;
    this.#firstLossAt ??= now;
    if (now - this.#firstLossAt <= hostGraceMs) return false;
    const gone = now - this.#lastSeenAt > hostGraceMs || now > this.#dueAt + queueTimeoutMs;
    return gone || !hasVersion('deployOutlivesWorkers');
  }
}

const UNKNOWN =
  'The deploy worker was lost during the deployment. Check the state of the target, then retry the job.';

function notApplied(job: JobRun, failure: ActivityFailureKind): JobResult {
  const endedAt = Date.now();
  switch (failure.kind) {
    case 'cancelled':
      return cancelledResult(job);
    case 'unclaimed':
      if (job.status.epoch === 1) {
        const message = `No deploy worker took the job from queue ${job.spec.queue} in time.`;
        return { endedAt, outcome: 'errored', kind: 'no_worker', started: false, message };
      }
      return { endedAt, outcome: 'errored', kind: 'host_lost', started: true, message: UNKNOWN };
    case 'defect':
      // Whether it was applied before the failure is not known: a deployment is never repeated blindly.
      return { endedAt, outcome: 'errored', kind: 'internal', started: true, message: failure.message };
    default:
      return { endedAt, outcome: 'errored', kind: 'host_lost', started: true, message: UNKNOWN };
  }
}

function unknownState(job: JobRun, failure: ActivityFailureKind, state: DeployedState): JobResult {
  if (failure.kind === 'cancelled') {
    const message = 'Cancelled during the rollout.';
    return { ...cancelledResult(job), deployed: state, message };
  }
  const message =
    failure.kind === 'defect' ? failure.message : 'The deploy worker was lost during the rollout.';
  return { ...base(state), outcome: 'errored', kind: 'rollout', started: true, message };
}

const base = (state: DeployedState): Pick<JobResult, 'deployed' | 'endedAt'> => ({
  deployed: state,
  endedAt: Date.now(),
});
