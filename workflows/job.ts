/**
 * The life of one job, from its turn to its end: gate, delay, then attempts, each inside its locks. It is a function of the
 * pipeline workflow, not a child. It never rejects. It decides no other job's fate: the scheduler does.
 *
 * J1 A job with a gate gives nothing to a queue before that gate was approved in this life; a retry asks anew.
 * J2 Locks are held from before an attempt's first activity until after its last, compensations included.
 * J3 Attempts count on over lives; retries by the file or by davit are counted anew in each.
 */
import { isCancellation, patched, sleep, Trigger } from '@temporalio/workflow';
import type { EnvironmentChange } from '../src/plan/environments.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import type { ForeignNeed, PlanJob } from '../src/plan/plan.ts';
import { retryOf } from '../src/plan/retry.ts';
import type { StepKind } from '../src/plan/schedule.ts';
import { messageOf } from '../src/utils/message.ts';
import { durable } from './activities.ts';
import { cancelledResult, containerAttempt } from './attempt.ts';
import { downstreamAttempt } from './downstream.ts';
import { deployAttempt } from './deploy-attempt.ts';
import { waitAtGate } from './gate.ts';
import { wantedLocks } from './lock-client.ts';
import { withPages } from './pages.ts';
import { withRelease } from './release.ts';
import { enter, type JobRun, type Run } from './state.ts';

const AUTO_BACKOFF_MS = 1_000;

export async function lifeOf(
  run: Run,
  one: JobRun,
  via: Exclude<StepKind, 'skip' | 'manual'>,
): Promise<JobResult> {
  try {
    if (one.job.gate) {
      const end = await waitAtGate(run, one, one.job.gate);
      if (end) return end;
    }
    if (via === 'delay' || (via === 'gate' && one.job.when === 'delayed' && !one.again))
      await delay(run, one);
    // Nothing is awaited where nothing is taken: recorded histories know no such step.
    const lacking = one.job.foreign && (await takeGiven(run, one, one.job.foreign));
    if (lacking) return lacking;
    return await attempts(run, one);
  } catch (error) {
    if (isCancellation(error)) return cancelledResult(one);
    return {
      outcome: 'errored',
      kind: 'internal',
      started: one.host !== undefined,
      endedAt: Date.now(),
      message: messageOf(error),
    };
  }
}

/** From the job's turn on; a durable timer, so it survives every restart. A person may start it sooner. */
async function delay(run: Run, one: JobRun): Promise<void> {
  const wake = new Trigger<void>();
  one.wake = wake;
  enter(run, one, { phase: 'scheduled', waitingFor: 'delay' });
  try {
    await Promise.race([wake, sleep(one.job.startInMs ?? 0, { summary: `start of ${one.job.key}` })]);
  } finally {
    one.wake = undefined;
  }
}

/** What it takes of other pipelines, once; that it is not there is its end, which no retry would change. */
async function takeGiven(run: Run, one: JobRun, needs: ForeignNeed[]): Promise<JobResult | undefined> {
  if (one.status.given) return undefined;
  const { trigger, number } = run.input;
  const { project, fork, upstream } = trigger;
  const answer = await durable.findGiven({ project, fork, root: upstream?.family ?? number, needs });
  if ('missing' in answer) return missing(answer.missing);
  one.status.given = answer.given;
  return undefined;
}

async function attempts(run: Run, one: JobRun): Promise<JobResult> {
  const used = { auto: 0, retry: 0 };
  for (;;) {
    const result = await insideLocks(run, one);
    const verdict = retryOf(one.job, result, { ...used, autoMax: autoMaxOf(run, result) });
    if (verdict === 'no') return result;
    one.status.result = result;
    if (verdict === 'auto') await sleep(AUTO_BACKOFF_MS * 2 ** used.auto);
    used[verdict] += 1;
  }
}

/** Room was made on a machine whose disk was full: once more is worth a try, and not again. */
const autoMaxOf = ({ limits }: Run, { kind }: JobResult): number =>
  kind === 'no_space' && patched('no-space-once') ? Math.min(limits.autoRetries, 1) : limits.autoRetries;

/** J2. A refused lock is the job's end: a newer pipeline has deployed already. */
async function insideLocks(run: Run, one: JobRun): Promise<JobResult> {
  const held: string[] = [];
  let seq = 0;
  let deployed = false;
  let change: EnvironmentChange | undefined;
  try {
    for (const wanted of wantedLocks(one.job)) {
      if (noted(one.job, wanted.resource)) continue;
      enter(run, one, {
        phase: 'waiting_for_resource',
        waitingFor: `lock:${wanted.resource.replace(/^[a-z]+:/, '')}`,
      });
      const grant = await run.locks.acquire(one.job, wanted);
      if (!grant.granted) return outdated(wanted.resource);
      held.push(wanted.resource);
      seq = Math.max(seq, wanted.deployment ? grant.seq : 0);
    }
    const result = await attempt(run, one, seq);
    deployed = hasDeployed(result);
    change = environmentChange(run, one.job, result);
    if (change && one.job.kind === 'trigger') held.push(...(await noteEnvironment(run, one)));
    return result;
  } finally {
    for (const resource of held.reverse()) await run.locks.release(one.job, resource, deployed, change);
  }
}

/**
 * A trigger job's environment is deployed by the pipeline that it starts, which may ask for the same lock: it is noted once that
 * has gone well, and never held while it runs.
 */
const noted = (job: PlanJob, resource: string): boolean =>
  job.kind === 'trigger' && resource.startsWith('environment:');

async function noteEnvironment(run: Run, one: JobRun): Promise<string[]> {
  const granted: string[] = [];
  for (const wanted of wantedLocks(one.job))
    if (noted(one.job, wanted.resource) && (await run.locks.acquire(one.job, wanted)).granted)
      granted.push(wanted.resource);
  return granted;
}

async function attempt(run: Run, one: JobRun, seq: number): Promise<JobResult> {
  if (one.job.kind === 'deploy') return deployAttempt(run, one, seq);
  if (one.job.kind === 'trigger') return downstreamAttempt(run, one);
  return withPages(run, one, await withRelease(run, one, await containerAttempt(run, one)));
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
