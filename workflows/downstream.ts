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
import { endOf, heard, type DownstreamNews, type Follower } from '../src/plan/downstream.ts';
import { pipelineWorkflowId, projectWorkflowId, type PipelineId } from '../src/plan/ids.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import { SIGNALS, type KeyLookup } from '../src/plan/protocol.ts';
import { downstreamKey } from '../src/plan/trigger.ts';
import { triggering } from './activities.ts';
import { cancelledResult } from './attempt.ts';
import { downstreamInput } from './inputs.ts';
import { enter, type JobRun, type Run } from './state.ts';

const FIRST_LOOK_MS = 10_000;
const LAST_LOOK_MS = 30 * 60_000;
/** Beyond the heartbeat timeout of the activity that starts it: whatever that has asked for is known to the project by then. */
const SETTLED_MS = 35_000;
const LET_GO = 'downstream-let-go';

export async function downstreamAttempt(run: Run, one: JobRun): Promise<JobResult> {
  try {
    if (one.rejoins) one.rejoins = false;
    else {
      const refused = await begin(run, one);
      if (refused !== undefined)
        return ended(one, { outcome: 'failed', kind: 'downstream', message: refused });
    }
    return await followed(run, one);
  } catch (error) {
    // An activity that fell silent while it was told to end fails by its timeout: the job is cancelled all the same.
    const cancelled =
      isCancellation(error) || (CancellationScope.current().consideredCancelled && patched(LET_GO));
    if (!cancelled) throw error;
    await CancellationScope.nonCancellable(() => letGo(run, one));
    return { ...cancelledResult(one), ...saidOf(one) };
  }
}

/** Answers why there will be no pipeline; undefined: it is on its way. */
async function begin(run: Run, one: JobRun): Promise<string | undefined> {
  one.status.attempt += 1;
  one.status.epoch = 1;
  one.startedAt = Date.now();
  const { strategy, project, mirrors } = one.job.downstream ?? {};
  one.status.downstream = {
    project: project ?? run.input.trigger.project,
    created: false,
    ended: false,
    ...(strategy && { strategy }),
  };
  enter(run, one, { phase: 'running', waitingFor: 'downstream' });
  if (mirrors) return follow(run, one, project ?? '');
  const answer = await triggering.startDownstream(downstreamInput(run, one));
  if ('refused' in answer) {
    one.status.downstream = { ...one.status.downstream, ended: true, state: 'failed' };
    return answer.refused;
  }
  one.status.downstream = { ...one.status.downstream, project: answer.project };
  return undefined;
}

/** It starts nothing: it is told by the newest pipeline of another project how that stands, from now on until its end. */
async function follow(run: Run, one: JobRun, mirrors: string): Promise<string | undefined> {
  const { id, trigger } = run.input;
  const { project, fork } = trigger;
  const answer = await triggering.findMirrored({ project, fork, mirrors, pipeline: id });
  const known = { created: true, ended: false, strategy: 'mirror' as const };
  if ('refused' in answer) {
    one.status.downstream = { ...known, project: mirrors, created: false, ended: true, state: 'failed' };
    return answer.refused;
  }
  one.status.downstream = { ...known, ...answer };
  const follower: Follower = { pipeline: id, ...about(one) };
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(answer.pipeline)).signal(SIGNALS.follow, follower);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It has closed: its record says how it ended.
    await lookOnce(run, one, answer.pipeline);
  }
  return undefined;
}

/** Until its pipeline has a plan, or has ended: as the strategy says. */
async function followed(run: Run, one: JobRun): Promise<JobResult> {
  for (;;) {
    const known = one.status.downstream;
    const end = known && endOf(known);
    if (end) return ended(one, end);
    const name = known?.pipeline ?? known?.project ?? '';
    enter(run, one, { phase: 'running', waitingFor: `downstream:${name}` });
    await news(one, () => look(run, one));
  }
}

/** Resolves at the next news of its pipeline, whoever brings it, and when `meanwhile` is over. */
async function news(one: JobRun, meanwhile: () => Promise<void>): Promise<void> {
  const wake = new Trigger<void>();
  one.hears = () => wake.resolve();
  const looking = new CancellationScope({ cancellable: true });
  try {
    await Promise.race([wake, looking.run(meanwhile)]);
  } finally {
    one.hears = undefined;
    looking.cancel();
  }
}

/** Its signals never fail to come while both run. One that was terminated sends none. */
async function look(run: Run, one: JobRun): Promise<void> {
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LAST_LOOK_MS)) {
    await sleep(wait, { summary: `is the pipeline of ${one.job.key} still there?` });
    const id = one.status.downstream?.pipeline;
    // The project has forgotten to say it (it was terminated): asked again, it answers for the same key.
    if (id === undefined) await askAgain(run, one);
    else if (await lookOnce(run, one, id)) return;
  }
}
async function askAgain(run: Run, one: JobRun): Promise<void> {
  const answer = await triggering.startDownstream(downstreamInput(run, one));
  if (!('refused' in answer) || !patched('downstream-refused-again')) return;
  // It may have been started before somebody took the permission away.
  const state = await lookUp(run, one);
  if (state === 'unknown') hear(run, one, { ...about(one), what: 'refused', reason: answer.refused });
}

/** What the project knows of the attempt's key: a question, which starts nothing. */
async function lookUp(run: Run, one: JobRun): Promise<KeyLookup['state']> {
  const project = one.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...about(one) });
  const { state, pipeline, message } = await triggering.findDownstream({ project, key });
  if (pipeline) hear(run, one, { ...about(one), what: 'started', pipeline });
  else if (state === 'refused' || state === 'duplicate')
    hear(run, one, { ...about(one), what: 'refused', reason: message ?? 'The project did not start it.' });
  return state;
}

async function lookOnce(run: Run, one: JobRun, id: PipelineId): Promise<boolean> {
  const { closed, state } = await triggering.lookDownstream({ id });
  if (closed) hear(run, one, { ...about(one), what: 'ended', pipeline: id, ...gone(state) });
  return closed;
}
const gone = (state: DownstreamNews['state']): Pick<DownstreamNews, 'state' | 'reason'> =>
  state ? { state } : { state: 'failed', reason: 'It was ended in Temporal and left no record.' };

/** Puts news into effect; news of an attempt that is over is none. */
export function hear(run: Pick<Run, 'changed'>, one: JobRun, told: DownstreamNews): void {
  const known = one.status.downstream;
  if (!known || told.attempt !== one.status.attempt) return;
  const next = heard(known, told);
  if (next === known) return;
  one.status.downstream = next;
  one.hears?.();
  run.changed();
}
const about = (one: JobRun): Pick<DownstreamNews, 'job' | 'attempt'> => ({
  job: one.job.key,
  attempt: one.status.attempt,
});

/** T2, T3. */
async function letGo(run: Run, one: JobRun): Promise<void> {
  const known = one.status.downstream;
  if (!known || known.ended || !isChild(one) || one.leavesDownstream) return;
  if (isOpen(one) && patched(LET_GO)) await settled(run, one);
  else while (isOpen(one)) await news(one, () => look(run, one));
  await cancelDownstream(one);
}
const isOpen = (one: JobRun): boolean => !one.status.downstream?.pipeline && !one.status.downstream?.ended;

/** Until its number is known, or it is certain that nothing was asked for: a signal may be on its way at the first look. */
async function settled(run: Run, one: JobRun): Promise<void> {
  // From here on a start that is still on its way comes too late, however long it takes.
  if (patched('downstream-void')) await voidKey(run, one);
  let unknown = 0;
  while (isOpen(one)) {
    unknown = (await lookUp(run, one)) === 'unknown' ? unknown + 1 : 0;
    if (unknown > 1) return;
    if (isOpen(one))
      await news(one, () => sleep(SETTLED_MS, { summary: `has ${one.job.key} started a pipeline?` }));
  }
}

async function voidKey(run: Run, one: JobRun): Promise<void> {
  const project = one.status.downstream?.project ?? run.input.trigger.project;
  const key = downstreamKey({ pipeline: run.input.id, ...about(one) });
  try {
    await getExternalWorkflowHandle(projectWorkflowId(project)).signal(SIGNALS.voidKey, key);
  } catch {
    // The project was ended by force: two looks, some time apart, have to do.
  }
}

const isChild = (one: JobRun): boolean => one.job.downstream?.project === undefined;

/** Its child, where it still runs. It tidies up by itself, and says when it has ended. */
export async function cancelDownstream(one: JobRun): Promise<void> {
  const known = one.status.downstream;
  if (!known?.pipeline || known.ended || !isChild(one)) return;
  try {
    await CancellationScope.nonCancellable(() =>
      getExternalWorkflowHandle(pipelineWorkflowId(known.pipeline ?? '/0')).cancel(),
    );
  } catch {
    // It has closed meanwhile.
  }
}

function saidOf(one: JobRun): Pick<JobResult, 'message'> {
  const known = one.status.downstream;
  if (!known?.pipeline || known.ended || (isChild(one) && !one.leavesDownstream)) return {};
  return { message: `Cancelled; ${known.pipeline} goes on.` };
}

const ended = (one: JobRun, end: Pick<JobResult, 'outcome' | 'kind' | 'message'>): JobResult => ({
  ...end,
  started: true,
  startedAt: one.startedAt,
  endedAt: Date.now(),
});
