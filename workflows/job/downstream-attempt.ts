/**
 * One attempt of a job that starts another pipeline (`trigger:`). It waits by promise: the project and the
 * downstream pipeline report by signal, and a rare look finds a pipeline that was terminated and could not
 * report.
 *
 * TRIGGER-1 An attempt starts one pipeline: however often it is requested, the key is that of the attempt.
 * TRIGGER-2 A job that is cancelled while its pipeline is being started waits for the number first: no child
 *           is left behind unknown. It only asks the project what became of its key, and starts nothing.
 * TRIGGER-3 A child is cancelled with its job or its parent; if those are superseded it decides by its own
 *           plan, as in GitLab. A pipeline of another project is never cancelled from here.
 */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  sleep,
  Trigger,
} from '@temporalio/workflow';
import type { DownstreamNews, Follower } from '../../src/plan/model/downstream.ts';
import { pipelineWorkflowId, projectWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { SIGNALS, type KeyLookup } from '../../src/plan/model/protocol.ts';
import { downstreamKey } from '../../src/plan/model/trigger.ts';
import { applyNews, endOf } from '../../src/plan/policy/downstream.ts';
import { triggering } from '../activities.ts';
import { hasVersion } from '../versions.ts';
import { cancelledResult } from './attempt.ts';
import { downstreamInput } from './inputs.ts';
import { setLivePhase, type JobRun, type Run, type TriggerRun } from './state.ts';

const INITIAL_CHECK_MS = 10_000;
const MAX_CHECK_MS = 30 * 60_000;
/**
 * Longer than the heartbeat timeout of the activity that starts it: by then its request has reached the
 * project.
 */
const SETTLED_MS = 35_000;

export async function downstreamAttempt(run: Run, job: TriggerRun): Promise<JobResult> {
  try {
    if (job.link.reattach) job.link.reattach = false;
    else {
      const refused = await startPipeline(run, job);
      if (refused !== undefined)
        return endedNow(job, { outcome: 'failed', kind: 'downstream', message: refused });
    }
    return await waitForPipeline(run, job);
  } catch (error) {
    // An activity that was lost while it was being cancelled fails by its timeout: the job is still
    // cancelled.
    const cancelled =
      isCancellation(error) ||
      (CancellationScope.current().consideredCancelled && hasVersion('cancelledTriggerLooksUp'));
    if (!cancelled) throw error;
    await CancellationScope.nonCancellable(() => detachFromPipeline(run, job));
    return { ...cancelledResult(job), ...noteIfItContinues(job) };
  }
}

/** Returns why there will not be a pipeline; undefined: it is on its way. */
async function startPipeline(run: Run, job: TriggerRun): Promise<string | undefined> {
  job.status.attempt += 1;
  job.status.epoch = 1;
  job.attempt = { startedAt: Date.now() };
  const { strategy, project, mirrors } = job.spec.downstream ?? {};
  job.status.downstream = {
    project: project ?? run.input.trigger.project,
    created: false,
    ended: false,
    ...(strategy && { strategy }),
  };
  setLivePhase(run, job, { phase: 'running' }, 'downstream');
  if (mirrors) return mirror(run, job, project ?? '');
  const output = await triggering.startDownstream(downstreamInput(run, job));
  if ('refused' in output) {
    job.status.downstream = { ...job.status.downstream, ended: true, state: 'failed' };
    return output.refused;
  }
  job.status.downstream = { ...job.status.downstream, project: output.project };
  return undefined;
}

/**
 * Starts nothing: the newest pipeline of another project reports its state to this job, from now until its
 * end.
 */
async function mirror(run: Run, job: TriggerRun, mirrors: string): Promise<string | undefined> {
  const { id, trigger } = run.input;
  const { project, fork } = trigger;
  const output = await triggering.findMirrored({ project, fork, mirrors, pipeline: id });
  const known = { created: true, ended: false, strategy: 'mirror' as const };
  if ('refused' in output) {
    job.status.downstream = { ...known, project: mirrors, created: false, ended: true, state: 'failed' };
    return output.refused;
  }
  job.status.downstream = { ...known, ...output };
  const follower: Follower = { pipeline: id, ...attemptOf(job) };
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(output.pipeline)).signal(SIGNALS.follow, follower);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It has closed: its record has its state.
    await checkOnce(run, job, output.pipeline);
  }
  return undefined;
}

/** Until the pipeline has a plan, or has ended, as the strategy demands. */
async function waitForPipeline(run: Run, job: TriggerRun): Promise<JobResult> {
  for (;;) {
    const known = job.status.downstream;
    const end = known && endOf(known);
    if (end) return endedNow(job, end);
    const name = known?.pipeline ?? known?.project ?? '';
    setLivePhase(run, job, { phase: 'running' }, `downstream:${name}`);
    await nextNews(job, () => checkNowAndThen(run, job));
  }
}

/** Resolves at the next news of the pipeline, or when `meanwhile` is over. */
async function nextNews(job: TriggerRun, meanwhile: () => Promise<void>): Promise<void> {
  const news = new Trigger<void>();
  job.link.onNews = () => news.resolve();
  const checks = new CancellationScope({ cancellable: true });
  try {
    await Promise.race([news, checks.run(meanwhile)]);
  } finally {
    job.link.onNews = undefined;
    checks.cancel();
  }
}

/** While both run, signals arrive. A pipeline that was terminated does not send any. */
async function checkNowAndThen(run: Run, job: TriggerRun): Promise<void> {
  for (let wait = INITIAL_CHECK_MS; ; wait = Math.min(wait * 2, MAX_CHECK_MS)) {
    await sleep(wait, { summary: `check the pipeline of ${job.spec.key}` });
    const id = job.status.downstream?.pipeline;
    // A project that was terminated has not reported it. Asked again, it reports the pipeline of the same
    // key.
    if (id === undefined) await requestAgain(run, job);
    else if (await checkOnce(run, job, id)) return;
  }
}
async function requestAgain(run: Run, job: TriggerRun): Promise<void> {
  const output = await triggering.startDownstream(downstreamInput(run, job));
  if (!('refused' in output) || !hasVersion('refusalWhenAskedAgain')) return;
  // It may have been started before the permission was taken away.
  const state = await lookUpKey(run, job);
  if (state === 'unknown')
    applyDownstreamNews(run, job, { ...attemptOf(job), what: 'refused', reason: output.refused });
}

/** What the project knows of the attempt's key: a query, which starts nothing. */
async function lookUpKey(run: Run, job: TriggerRun): Promise<KeyLookup['state']> {
  const project = job.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...attemptOf(job) });
  const { state, pipeline, message } = await triggering.findDownstream({ project, key });
  if (pipeline) applyDownstreamNews(run, job, { ...attemptOf(job), what: 'started', pipeline });
  else if (state === 'refused' || state === 'duplicate')
    applyDownstreamNews(run, job, {
      ...attemptOf(job),
      what: 'refused',
      reason: message ?? 'The project did not start it.',
    });
  return state;
}

/** Returns whether the pipeline has closed. */
async function checkOnce(run: Run, job: TriggerRun, id: PipelineId): Promise<boolean> {
  const { closed, state } = await triggering.lookDownstream({ id });
  if (closed)
    applyDownstreamNews(run, job, { ...attemptOf(job), what: 'ended', pipeline: id, ...finalState(state) });
  return closed;
}
const finalState = (state: DownstreamNews['state']): Pick<DownstreamNews, 'state' | 'reason'> =>
  state ? { state } : { state: 'failed', reason: 'It was terminated in Temporal and left no record.' };

/** Puts news into effect; news of an earlier attempt is ignored. */
export function applyDownstreamNews(run: Pick<Run, 'changed'>, job: JobRun, news: DownstreamNews): void {
  const known = job.status.downstream;
  if (!known || news.attempt !== job.status.attempt) return;
  const next = applyNews(known, news);
  if (next === known) return;
  job.status.downstream = next;
  job.link?.onNews?.();
  run.changed();
}
const attemptOf = (job: JobRun): Pick<DownstreamNews, 'job' | 'attempt'> => ({
  job: job.spec.key,
  attempt: job.status.attempt,
});

/** TRIGGER-2, TRIGGER-3. */
async function detachFromPipeline(run: Run, job: TriggerRun): Promise<void> {
  const known = job.status.downstream;
  if (!known || known.ended || !isChild(job) || job.link.detach) return;
  if (isUnknown(job) && hasVersion('cancelledTriggerLooksUp')) await settleKey(run, job);
  else while (isUnknown(job)) await nextNews(job, () => checkNowAndThen(run, job));
  await cancelDownstream(job);
}
/** Neither its number nor its end is known. */
const isUnknown = ({ status }: TriggerRun): boolean =>
  !status.downstream?.pipeline && !status.downstream?.ended;

/**
 * Until the number is known, or it is certain that nothing was requested: a signal may be on its way at the
 * first look.
 */
async function settleKey(run: Run, job: TriggerRun): Promise<void> {
  // From here on a start that is still on its way comes too late, however long it takes.
  if (hasVersion('cancelledTriggerVoidsKey')) await voidKey(run, job);
  let unknown = 0;
  while (isUnknown(job)) {
    unknown = (await lookUpKey(run, job)) === 'unknown' ? unknown + 1 : 0;
    if (unknown > 1) return;
    const summary = `check whether ${job.spec.key} has started a pipeline`;
    if (isUnknown(job)) await nextNews(job, () => sleep(SETTLED_MS, { summary }));
  }
}

async function voidKey(run: Run, job: TriggerRun): Promise<void> {
  const project = job.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...attemptOf(job) });
  try {
    await getExternalWorkflowHandle(projectWorkflowId(project)).signal(SIGNALS.voidKey, key);
  } catch {
    // The project was terminated: two looks, some time apart, have to suffice.
  }
}

const isChild = (job: JobRun): boolean => job.spec.downstream?.project === undefined;

/** Cancels the job's child, if that still runs. It cleans up by itself, and reports its end. */
export async function cancelDownstream(job: JobRun): Promise<void> {
  const { pipeline, ended } = job.status.downstream ?? {};
  if (!pipeline || ended || !isChild(job)) return;
  try {
    await CancellationScope.nonCancellable(() =>
      getExternalWorkflowHandle(pipelineWorkflowId(pipeline)).cancel(),
    );
  } catch {
    // It has closed meanwhile.
  }
}

function noteIfItContinues(job: TriggerRun): Pick<JobResult, 'message'> {
  const known = job.status.downstream;
  if (!known?.pipeline || known.ended || (isChild(job) && !job.link.detach)) return {};
  return { message: `Cancelled; ${known.pipeline} continues.` };
}

const endedNow = (job: TriggerRun, end: Pick<JobResult, 'outcome' | 'kind' | 'message'>): JobResult => ({
  ...end,
  started: true,
  startedAt: job.attempt.startedAt,
  endedAt: Date.now(),
});
