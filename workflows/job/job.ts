/**
 * The lifecycle of one job, from its turn to its end: gate, delay, then attempts, each inside its locks. It
 * is a function of the pipeline workflow, not a child workflow. It never rejects. It decides about no other
 * job: the scheduler does.
 *
 * JOB-1 A job with a gate dispatches nothing before the gate is approved in this lifecycle; a retry asks
 *       again, and so does an attempt whose approvals do not count any more.
 * JOB-2 Locks are held from before an attempt's first activity until after its last, compensations included.
 * JOB-3 Attempts are numbered across lifecycles; retries by the file or by davit are counted from 0 in each.
 */
import { isCancellation, sleep, Trigger } from '@temporalio/workflow';
import type { EnvironmentChange } from '../../src/plan/model/environments.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { ForeignNeed, PlanJob } from '../../src/plan/model/plan.ts';
import { retryOf } from '../../src/plan/policy/job-retry.ts';
import type { StepKind } from '../../src/plan/policy/schedule.ts';
import { messageOf } from '../../src/utils/message.ts';
import { durable } from '../activities.ts';
import { admittedResult, refusedResult } from './admission.ts';
import { asksForApprovals, lostApproval } from './approval.ts';
import { hasVersion } from '../versions.ts';
import { cancelledResult, containerAttempt } from './attempt.ts';
import { downstreamAttempt } from './downstream-attempt.ts';
import { deployAttempt } from './deploy-attempt.ts';
import { waitAtGate } from './gate.ts';
import { wantedLocks } from './lock-client.ts';
import { publishPagesOf } from './publish-pages.ts';
import { createReleaseOf } from './create-release.ts';
import { isTriggerRun, setLivePhase, type JobRun, type Run } from './state.ts';

const AUTO_BACKOFF_MS = 1_000;

export async function runJobLifecycle(
  run: Run,
  job: JobRun,
  via: Exclude<StepKind, 'skip' | 'manual'>,
): Promise<JobResult> {
  try {
    const barred = refusedResult(run, job);
    if (barred) return barred;
    if (job.spec.gate) {
      const end = await waitAtGate(run, job, job.spec.gate);
      if (end) return end;
    }
    const admitted = admittedResult(job);
    if (admitted) return admitted;
    if (via === 'delay' || (via === 'gate' && job.spec.when === 'delayed' && !job.retryRequested))
      await delay(run, job);
    // Without such needs nothing is awaited: recorded histories have no such step.
    const missing = job.spec.foreign && (await findCrossPipelineArtifacts(run, job, job.spec.foreign));
    if (missing) return missing;
    return await attempts(run, job);
  } catch (error) {
    if (isCancellation(error)) return cancelledResult(job);
    return {
      outcome: 'errored',
      kind: 'internal',
      started: job.attempt.host !== undefined,
      endedAt: Date.now(),
      message: messageOf(error),
    };
  }
}

/** Begins with the job's turn. A durable timer survives every restart, and a person can end it. */
async function delay(run: Run, job: JobRun): Promise<void> {
  const startNow = new Trigger<void>();
  setLivePhase(run, job, { phase: 'scheduled', startNow }, 'delay');
  await Promise.race([startNow, sleep(job.spec.startInMs ?? 0, { summary: `start of ${job.spec.key}` })]);
}

/**
 * Artifacts of other pipelines, looked up once. Without them the job ends, and no retry would change that.
 */
async function findCrossPipelineArtifacts(
  run: Run,
  job: JobRun,
  needs: ForeignNeed[],
): Promise<JobResult | undefined> {
  if (job.status.given) return undefined;
  const { trigger, number } = run.input;
  const { project, fork, upstream } = trigger;
  const found = await durable.findGiven({ project, fork, root: upstream?.family ?? number, needs });
  if ('missing' in found) return missingArtifacts(found.missing);
  job.status.given = found.given;
  return undefined;
}

async function attempts(run: Run, job: JobRun): Promise<JobResult> {
  const used = { auto: 0, retry: 0 };
  for (;;) {
    const result = await insideLocks(run, job);
    const gate = job.gate ?? job.spec.gate;
    if (result.kind === 'approval' && gate) {
      job.status.result = result;
      const end = await waitAtGate(run, job, gate);
      if (end) return end;
      continue;
    }
    const verdict = retryOf(job.spec, result, { ...used, autoMax: autoMaxOf(run, result) });
    if (verdict === 'no') return result;
    job.status.result = result;
    if (verdict === 'auto') {
      const summary = `next attempt of ${job.spec.key}`;
      await sleep(AUTO_BACKOFF_MS * 2 ** used.auto, { summary });
    }
    used[verdict] += 1;
  }
}

/** Space was freed on a host whose disk was full: one retry is worthwhile, a second is not. */
const autoMaxOf = ({ limits }: Run, { kind }: JobResult): number =>
  kind === 'no_space' && hasVersion('noSpaceRetriedOnce')
    ? Math.min(limits.autoRetries, 1)
    : limits.autoRetries;

/** JOB-2. A refused lock ends the job: a newer pipeline has deployed already. */
async function insideLocks(run: Run, job: JobRun): Promise<JobResult> {
  const held: string[] = [];
  let seq = 0;
  let deployed = false;
  let change: EnvironmentChange | undefined;
  try {
    for (const wanted of wantedLocks(job.spec)) {
      if (isRecordedLater(job.spec, wanted.resource)) continue;
      setLivePhase(run, job, { phase: 'waiting_for_resource' }, `lock:${nameOf(wanted.resource)}`);
      const grant = await run.locks.acquire(job.spec, wanted, job.askedAgain);
      if (!grant.granted) return outdated(wanted.resource);
      held.push(wanted.resource);
      seq = Math.max(seq, wanted.deployment ? grant.seq : 0);
    }
    // Where nothing is asked nothing is awaited, so that recorded histories take the same turns.
    const lost = asksForApprovals(job) && (await lostApproval(run, job));
    if (lost) return lost;
    const result = await attempt(run, job, seq);
    deployed = hasDeployed(result);
    change = environmentChange(run, job.spec, result);
    if (change && job.spec.kind === 'trigger') held.push(...(await recordEnvironment(run, job)));
    return result;
  } finally {
    for (const resource of held.reverse()) await run.locks.release(job.spec, resource, deployed, change);
  }
}

/** `environment:prod` is `prod` to people. */
const nameOf = (resource: string): string => resource.replace(/^[a-z]+:/, '');

/**
 * The environment of a trigger job is deployed by its downstream pipeline, which may request the same lock:
 * it is recorded when that pipeline has succeeded, and not locked while it runs.
 */
const isRecordedLater = (job: PlanJob, resource: string): boolean =>
  job.kind === 'trigger' && resource.startsWith('environment:');

async function recordEnvironment(run: Run, job: JobRun): Promise<string[]> {
  const granted: string[] = [];
  for (const wanted of wantedLocks(job.spec))
    if (isRecordedLater(job.spec, wanted.resource) && (await run.locks.acquire(job.spec, wanted)).granted)
      granted.push(wanted.resource);
  return granted;
}

async function attempt(run: Run, job: JobRun, seq: number): Promise<JobResult> {
  if (job.spec.kind === 'deploy') return deployAttempt(run, job, seq);
  if (isTriggerRun(job)) return downstreamAttempt(run, job);
  return publishPagesOf(run, job, await createReleaseOf(run, job, await containerAttempt(run, job)));
}

/** What a successful job has done to its environment; actions other than start and stop do not change it. */
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

/**
 * Whether the target may have changed: a job whose container ran may have changed it, a rollback has restored
 * it.
 */
const hasDeployed = (result: JobResult): boolean =>
  result.deployed ? result.deployed.state !== 'rolled_back' && result.kind !== 'outdated' : result.started;

const missingArtifacts = (message: string): JobResult => ({
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
  message: `A newer pipeline has already deployed to ${nameOf(resource)}.`,
});
