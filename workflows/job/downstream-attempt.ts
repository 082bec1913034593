/**
 * A job that starts another pipeline (`trigger:`). It waits by promise: project and pipeline tell it by signal, and a rare look
 * finds what was ended without a word.
 *
 * T1 An attempt starts one pipeline: however often it is asked for, the key is the attempt's.
 * T2 A job that is cancelled while its pipeline is being started waits for its number first: no child is left behind unknown.
 *    It only asks the project what became of its key, and starts nothing.
 * T3 A child is cancelled with its job or its parent; when those are superseded it decides by its own plan, as in GitLab. A
 *    pipeline of another project is never cancelled from here.
 */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  sleep,
  Trigger,
} from '@temporalio/workflow';
import { endOf, applyNews, type DownstreamNews, type Follower } from '../../src/plan/model/downstream.ts';
import { pipelineWorkflowId, projectWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { SIGNALS, type KeyLookup } from '../../src/plan/model/protocol.ts';
import { downstreamKey } from '../../src/plan/model/trigger.ts';
import { triggering } from '../activities.ts';
import { cancelledResult } from './attempt.ts';
import { downstreamInput } from './inputs.ts';
import { setPhase, type JobRun, type Run } from './state.ts';

const INITIAL_CHECK_MS = 10_000;
const MAX_CHECK_MS = 30 * 60_000;
/** Beyond the heartbeat timeout of the activity that starts it: whatever that has asked for is known to the project by then. */
const SETTLED_MS = 35_000;
const LET_GO = 'downstream-let-go';

export async function downstreamAttempt(run: Run, job: JobRun): Promise<JobResult> {
  try {
    if (job.reattach) job.reattach = false;
    else {
      const refused = await startChild(run, job);
      if (refused !== undefined)
        return ended(job, { outcome: 'failed', kind: 'downstream', message: refused });
    }
    return await followed(run, job);
  } catch (error) {
    // An activity that fell silent while it was told to end fails by its timeout: the job is cancelled all the same.
    const cancelled =
      isCancellation(error) || (CancellationScope.current().consideredCancelled && patched(LET_GO));
    if (!cancelled) throw error;
    await CancellationScope.nonCancellable(() => detachFromChild(run, job));
    return { ...cancelledResult(job), ...messageOf(job) };
  }
}

/** Answers why there will be no pipeline; undefined: it is on its way. */
async function startChild(run: Run, job: JobRun): Promise<string | undefined> {
  job.status.attempt += 1;
  job.status.epoch = 1;
  job.startedAt = Date.now();
  const { strategy, project, mirrors } = job.spec.downstream ?? {};
  job.status.downstream = {
    project: project ?? run.input.trigger.project,
    created: false,
    ended: false,
    ...(strategy && { strategy }),
  };
  setPhase(run, job, { phase: 'running', waitingFor: 'downstream' });
  if (mirrors) return follow(run, job, project ?? '');
  const answer = await triggering.startDownstream(downstreamInput(run, job));
  if ('refused' in answer) {
    job.status.downstream = { ...job.status.downstream, ended: true, state: 'failed' };
    return answer.refused;
  }
  job.status.downstream = { ...job.status.downstream, project: answer.project };
  return undefined;
}

/** It starts nothing: it is told by the newest pipeline of another project how that stands, from now on until its end. */
async function follow(run: Run, job: JobRun, mirrors: string): Promise<string | undefined> {
  const { id, trigger } = run.input;
  const { project, fork } = trigger;
  const answer = await triggering.findMirrored({ project, fork, mirrors, pipeline: id });
  const known = { created: true, ended: false, strategy: 'mirror' as const };
  if ('refused' in answer) {
    job.status.downstream = { ...known, project: mirrors, created: false, ended: true, state: 'failed' };
    return answer.refused;
  }
  job.status.downstream = { ...known, ...answer };
  const follower: Follower = { pipeline: id, ...about(job) };
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(answer.pipeline)).signal(SIGNALS.follow, follower);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It has closed: its record says how it ended.
    await lookOnce(run, job, answer.pipeline);
  }
  return undefined;
}

/** Until its pipeline has a plan, or has ended: as the strategy says. */
async function followed(run: Run, job: JobRun): Promise<JobResult> {
  for (;;) {
    const known = job.status.downstream;
    const end = known && endOf(known);
    if (end) return ended(job, end);
    const name = known?.pipeline ?? known?.project ?? '';
    setPhase(run, job, { phase: 'running', waitingFor: `downstream:${name}` });
    await news(job, () => look(run, job));
  }
}

/** Resolves at the next news of its pipeline, whoever brings it, and when `meanwhile` is over. */
async function news(job: JobRun, meanwhile: () => Promise<void>): Promise<void> {
  const wake = new Trigger<void>();
  job.onNews = () => wake.resolve();
  const looking = new CancellationScope({ cancellable: true });
  try {
    await Promise.race([wake, looking.run(meanwhile)]);
  } finally {
    job.onNews = undefined;
    looking.cancel();
  }
}

/** Its signals never fail to come while both run. One that was terminated sends none. */
async function look(run: Run, job: JobRun): Promise<void> {
  for (let wait = INITIAL_CHECK_MS; ; wait = Math.min(wait * 2, MAX_CHECK_MS)) {
    await sleep(wait, { summary: `is the pipeline of ${job.spec.key} still there?` });
    const id = job.status.downstream?.pipeline;
    // The project has forgotten to say it (it was terminated): asked again, it answers for the same key.
    if (id === undefined) await askAgain(run, job);
    else if (await lookOnce(run, job, id)) return;
  }
}
async function askAgain(run: Run, job: JobRun): Promise<void> {
  const answer = await triggering.startDownstream(downstreamInput(run, job));
  if (!('refused' in answer) || !patched('downstream-refused-again')) return;
  // It may have been started before somebody took the permission away.
  const state = await lookUp(run, job);
  if (state === 'unknown')
    applyDownstreamNews(run, job, { ...about(job), what: 'refused', reason: answer.refused });
}

/** What the project knows of the attempt's key: a question, which starts nothing. */
async function lookUp(run: Run, job: JobRun): Promise<KeyLookup['state']> {
  const project = job.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...about(job) });
  const { state, pipeline, message } = await triggering.findDownstream({ project, key });
  if (pipeline) applyDownstreamNews(run, job, { ...about(job), what: 'started', pipeline });
  else if (state === 'refused' || state === 'duplicate')
    applyDownstreamNews(run, job, {
      ...about(job),
      what: 'refused',
      reason: message ?? 'The project did not start it.',
    });
  return state;
}

async function lookOnce(run: Run, job: JobRun, id: PipelineId): Promise<boolean> {
  const { closed, state } = await triggering.lookDownstream({ id });
  if (closed) applyDownstreamNews(run, job, { ...about(job), what: 'ended', pipeline: id, ...gone(state) });
  return closed;
}
const gone = (state: DownstreamNews['state']): Pick<DownstreamNews, 'state' | 'reason'> =>
  state ? { state } : { state: 'failed', reason: 'It was ended in Temporal and left no record.' };

/** Puts news into effect; news of an attempt that is over is none. */
export function applyDownstreamNews(run: Pick<Run, 'changed'>, job: JobRun, told: DownstreamNews): void {
  const known = job.status.downstream;
  if (!known || told.attempt !== job.status.attempt) return;
  const next = applyNews(known, told);
  if (next === known) return;
  job.status.downstream = next;
  job.onNews?.();
  run.changed();
}
const about = (job: JobRun): Pick<DownstreamNews, 'job' | 'attempt'> => ({
  job: job.spec.key,
  attempt: job.status.attempt,
});

/** T2, T3. */
async function detachFromChild(run: Run, job: JobRun): Promise<void> {
  const known = job.status.downstream;
  if (!known || known.ended || !isChild(job) || job.detachChild) return;
  if (isOpen(job) && patched(LET_GO)) await settled(run, job);
  else while (isOpen(job)) await news(job, () => look(run, job));
  await cancelDownstream(job);
}
const isOpen = (job: JobRun): boolean => !job.status.downstream?.pipeline && !job.status.downstream?.ended;

/** Until its number is known, or it is certain that nothing was asked for: a signal may be on its way at the first look. */
async function settled(run: Run, job: JobRun): Promise<void> {
  // From here on a start that is still on its way comes too late, however long it takes.
  if (patched('downstream-void')) await voidKey(run, job);
  let unknown = 0;
  while (isOpen(job)) {
    unknown = (await lookUp(run, job)) === 'unknown' ? unknown + 1 : 0;
    if (unknown > 1) return;
    if (isOpen(job))
      await news(job, () => sleep(SETTLED_MS, { summary: `has ${job.spec.key} started a pipeline?` }));
  }
}

async function voidKey(run: Run, job: JobRun): Promise<void> {
  const project = job.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...about(job) });
  try {
    await getExternalWorkflowHandle(projectWorkflowId(project)).signal(SIGNALS.voidKey, key);
  } catch {
    // The project was ended by force: two looks, some time apart, have to do.
  }
}

const isChild = (job: JobRun): boolean => job.spec.downstream?.project === undefined;

/** Its child, where it still runs. It tidies up by itself, and says when it has ended. */
export async function cancelDownstream(job: JobRun): Promise<void> {
  const known = job.status.downstream;
  if (!known?.pipeline || known.ended || !isChild(job)) return;
  try {
    await CancellationScope.nonCancellable(() =>
      getExternalWorkflowHandle(pipelineWorkflowId(known.pipeline ?? '/0')).cancel(),
    );
  } catch {
    // It has closed meanwhile.
  }
}

function messageOf(job: JobRun): Pick<JobResult, 'message'> {
  const known = job.status.downstream;
  if (!known?.pipeline || known.ended || (isChild(job) && !job.detachChild)) return {};
  return { message: `Cancelled; ${known.pipeline} goes on.` };
}

const ended = (job: JobRun, end: Pick<JobResult, 'outcome' | 'kind' | 'message'>): JobResult => ({
  ...end,
  started: true,
  startedAt: job.startedAt,
  endedAt: Date.now(),
});
