/**
 * The life of one job, from its turn to its end: gate, delay, then attempts, each inside its locks. It is a function of the
 * pipeline workflow, not a child. It never rejects. It decides no other job's fate: the scheduler does.
 *
 * J1 A job with a gate gives nothing to a queue before that gate was approved in this life; a retry asks anew.
 * J2 Locks are held from before an attempt's first activity until after its last, compensations included.
 * J3 Attempts count on over lives; retries by the file or by davit are counted anew in each.
 */
import { isCancellation, patched, sleep, Trigger } from '@temporalio/workflow';
import type { EnvironmentChange } from '../../src/plan/policy/environments.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ForeignNeed, PlanJob } from '../../src/plan/model/plan.ts';
import { retryOf } from '../../src/plan/policy/retry.ts';
import type { StepKind } from '../../src/plan/policy/schedule.ts';
import { messageOf } from '../../src/utils/message.ts';
import { durable } from '../activities.ts';
import { admittedResult, barredResult } from './admission.ts';
import { cancelledResult, containerAttempt } from './attempt.ts';
import { downstreamAttempt } from './downstream-attempt.ts';
import { deployAttempt } from './deploy-attempt.ts';
import { waitAtGate } from './gate.ts';
import { wantedLocks } from './lock-client.ts';
import { publishPagesOf } from './publish-pages.ts';
import { createReleaseOf } from './create-release.ts';
import { setPhase, type JobRun, type Run } from './state.ts';

const AUTO_BACKOFF_MS = 1_000;

export async function runJobLifecycle(
  run: Run,
  job: JobRun,
  via: Exclude<StepKind, 'skip' | 'manual'>,
): Promise<JobResult> {
  try {
    const barred = barredResult(run, job);
    if (barred) return barred;
    if (job.spec.gate) {
      const end = await waitAtGate(run, job, job.spec.gate);
      if (end) return end;
    }
    const admitted = admittedResult(job);
    if (admitted) return admitted;
    if (via === 'delay' || (via === 'gate' && job.spec.when === 'delayed' && !job.retryRequested))
      await delay(run, job);
    // Nothing is awaited where nothing is taken: recorded histories know no such step.
    const lacking = job.spec.foreign && (await findCrossPipelineArtifacts(run, job, job.spec.foreign));
    if (lacking) return lacking;
    return await attempts(run, job);
  } catch (error) {
    if (isCancellation(error)) return cancelledResult(job);
    return {
      outcome: 'errored',
      kind: 'internal',
      started: job.host !== undefined,
      endedAt: Date.now(),
      message: messageOf(error),
    };
  }
}

/** From the job's turn on; a durable timer, so it survives every restart. A person may start it sooner. */
async function delay(run: Run, job: JobRun): Promise<void> {
  const wake = new Trigger<void>();
  job.wake = wake;
  setPhase(run, job, { phase: 'scheduled', waitingFor: 'delay' });
  try {
    await Promise.race([wake, sleep(job.spec.startInMs ?? 0, { summary: `start of ${job.spec.key}` })]);
  } finally {
    job.wake = undefined;
  }
}

/** What it takes of other pipelines, once; that it is not there is its end, which no retry would change. */
async function findCrossPipelineArtifacts(
  run: Run,
  job: JobRun,
  needs: ForeignNeed[],
): Promise<JobResult | undefined> {
  if (job.status.given) return undefined;
  const { trigger, number } = run.input;
  const { project, fork, upstream } = trigger;
  const answer = await durable.findGiven({ project, fork, root: upstream?.family ?? number, needs });
  if ('missing' in answer) return missing(answer.missing);
  job.status.given = answer.given;
  return undefined;
}

async function attempts(run: Run, job: JobRun): Promise<JobResult> {
  const used = { auto: 0, retry: 0 };
  for (;;) {
    const result = await insideLocks(run, job);
    const verdict = retryOf(job.spec, result, { ...used, autoMax: autoMaxOf(run, result) });
    if (verdict === 'no') return result;
    job.status.result = result;
    if (verdict === 'auto') await sleep(AUTO_BACKOFF_MS * 2 ** used.auto);
    used[verdict] += 1;
  }
}

/** Room was made on a machine whose disk was full: once more is worth a try, and not again. */
const autoMaxOf = ({ limits }: Run, { kind }: JobResult): number =>
  kind === 'no_space' && patched('no-space-once') ? Math.min(limits.autoRetries, 1) : limits.autoRetries;

/** J2. A refused lock is the job's end: a newer pipeline has deployed already. */
async function insideLocks(run: Run, job: JobRun): Promise<JobResult> {
  const held: string[] = [];
  let seq = 0;
  let deployed = false;
  let change: EnvironmentChange | undefined;
  try {
    for (const wanted of wantedLocks(job.spec)) {
      if (noted(job.spec, wanted.resource)) continue;
      setPhase(run, job, {
        phase: 'waiting_for_resource',
        waitingFor: `lock:${wanted.resource.replace(/^[a-z]+:/, '')}`,
      });
      const grant = await run.locks.acquire(job.spec, wanted);
      if (!grant.granted) return outdated(wanted.resource);
      held.push(wanted.resource);
      seq = Math.max(seq, wanted.deployment ? grant.seq : 0);
    }
    const result = await attempt(run, job, seq);
    deployed = hasDeployed(result);
    change = environmentChange(run, job.spec, result);
    if (change && job.spec.kind === 'trigger') held.push(...(await recordEnvironment(run, job)));
    return result;
  } finally {
    for (const resource of held.reverse()) await run.locks.release(job.spec, resource, deployed, change);
  }
}

/**
 * A trigger job's environment is deployed by the pipeline that it starts, which may ask for the same lock: it is noted once that
 * has gone well, and never held while it runs.
 */
const noted = (job: PlanJob, resource: string): boolean =>
  job.kind === 'trigger' && resource.startsWith('environment:');

async function recordEnvironment(run: Run, job: JobRun): Promise<string[]> {
  const granted: string[] = [];
  for (const wanted of wantedLocks(job.spec))
    if (noted(job.spec, wanted.resource) && (await run.locks.acquire(job.spec, wanted)).granted)
      granted.push(wanted.resource);
  return granted;
}

async function attempt(run: Run, job: JobRun, seq: number): Promise<JobResult> {
  if (job.spec.kind === 'deploy') return deployAttempt(run, job, seq);
  if (job.spec.kind === 'trigger') return downstreamAttempt(run, job);
  return publishPagesOf(run, job, await createReleaseOf(run, job, await containerAttempt(run, job)));
}

/** What a job that succeeded has done to its environment; the other actions leave it as it is. */
function environmentChange(
  run: Run,
  { environment }: PlanJob,
  result: JobResult,
): EnvironmentChange | undefined {
  if (!environment || result.outcome !== 'succeeded') return undefined;
  const { action, onStop, autoStopInMs, tier } = environment;
  if (action !== 'start' && action !== 'stop') return undefined;
  const url = result.environmentUrl ?? environment.url;
  const always = run.plan.jobs.find((job) => job.key === onStop)?.when === 'always';
  return { action, onStop, autoStopInMs, tier, url, ...(always && { withPipeline: true }) };
}

/** Whether the target is another now: a job whose container ran may have changed it, a rollback has put it back. */
const hasDeployed = (result: JobResult): boolean =>
  result.deployed ? result.deployed.state !== 'rolled_back' && result.kind !== 'outdated' : result.started;

const missing = (message: string): JobResult => ({
  outcome: 'failed',
  kind: 'missing_dependency',
  started: false,
  endedAt: Date.now(),
  message,
});

const outdated = (resource: string): JobResult => ({
  outcome: 'skipped',
  kind: 'outdated',
  started: false,
  endedAt: Date.now(),
  message: `A newer pipeline has deployed to ${resource.replace(/^[a-z]+:/, '')} already.`,
});
