/**
 * Gives a worker the token of an attempt that it has. Temporal says who has which activity, so nothing else has to be
 * remembered: a worker that resumes a lost one's attempt gets a token as the first one did, and a server that
 * restarted knows as much as before.
 *
 * MINT-1 The activity is pending in Temporal, and taken by a worker of the identity that asks.
 * MINT-2 An identity names the worker whose token it uses. A machine gets no token for what another one has taken.
 * MINT-3 A machine gets none for a job that is outside of its limits.
 * MINT-4 While Temporal does not answer, only a token that exists is renewed, and only while the log of its attempt is
 *        open under its dispatch.
 */
import { DavitError } from '../../errors.ts';
import { outOfScope } from '../../match/worker-scope.ts';
import { activityId, pipelineWorkflowId, type AttemptRef } from '../../plan/model/ids.ts';
import { workerIn } from '../../plan/model/worker-identity.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import { attemptName } from '../../utils/store-names.ts';
import type { WorkerCaller } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import type { Views } from '../views.ts';
import type { PendingJob } from '../workflow-port.ts';
import { ATTEMPT_TOKEN_MS, readAttempt, signAttempt, type AttemptClaims } from './attempt-token.ts';
import type { OpenAttempts } from './open-attempts.ts';

export interface AttemptRequest {
  ref: Pick<AttemptRef, 'pipeline' | 'job' | 'attempt' | 'epoch'>;
  /** The activity's id, and its workflow run. */
  activity: string;
  run: string;
  /** The worker's identity in Temporal. */
  identity: string;
  /** The token that is to be renewed. */
  former?: string;
}
export interface AttemptAnswer {
  token: string;
  expiresInMs: number;
}
type MintDeps = Pick<ServerDeps, 'workflows' | 'facts' | 'keys'> & {
  views: Pick<Views, 'status' | 'touch'>;
  open: OpenAttempts;
};

/** Rejects with `log/fenced`, `worker/scope`, `worker/outdated`, `temporal/unreachable`. */
export async function mintAttempt(
  deps: MintDeps,
  worker: WorkerCaller,
  request: AttemptRequest,
): Promise<AttemptAnswer> {
  mustNameItself(worker, request.identity);
  const answer = (attempt: AttemptClaims): AttemptAnswer => ({
    token: signAttempt(deps.keys, { ...attempt, until: Date.now() + ATTEMPT_TOKEN_MS }),
    expiresInMs: ATTEMPT_TOKEN_MS,
  });
  const former = formerOf(deps, worker, request);
  if (former) {
    await deps.open.mustBeOpen(former, 0);
    return answer(former);
  }
  const { pipeline } = request.ref;
  const known = await deps.workflows.describe(pipeline);
  const taken =
    known?.open && known.runId === request.run
      ? known.pending.find((one) => one.activityId === request.activity)
      : undefined;
  if (!taken?.taken || taken.identity !== request.identity)
    throw new DavitError(
      'log/fenced',
      `The attempt ${request.ref.job} ${request.ref.attempt} of ${pipeline} is not with this worker, or not any more.`,
    );
  const attempt = claimsOf(deps, worker, {
    request,
    taken,
    status: await statusWith(deps.views, request.ref),
  });
  deps.open.seen(attempt);
  return answer(attempt);
}

/** A status that was read before there was a plan has no jobs, and says nothing about protection. */
async function statusWith(
  views: MintDeps['views'],
  { pipeline, job }: AttemptRequest['ref'],
): Promise<PipelineStatus> {
  const status = await views.status(pipeline);
  if (status.jobs.some((one) => one.key === job)) return status;
  views.touch(pipeline);
  return views.status(pipeline);
}

/** MINT-2 */
function mustNameItself({ kind, machine }: WorkerCaller, identity: string): void {
  const name = workerIn(identity);
  if (name === (machine?.name ?? '')) return;
  if (kind === 'machine' && name === '')
    throw new DavitError(
      'worker/outdated',
      `The worker ${machine.name} was started with an older server, and does not name itself in Temporal.`,
      { hint: 'Restart it. Its jobs wait, and continue then.' },
    );
  throw new DavitError(
    'worker/scope',
    `The worker's token is not that of ${name || 'a worker without a name'}.`,
  );
}

/** The token that is renewed, if it is for the same dispatch and was minted for the same worker. */
function formerOf(
  { keys }: MintDeps,
  { tokenId, machine }: WorkerCaller,
  { former, ref, activity, run }: AttemptRequest,
): AttemptClaims | undefined {
  const attempt = former === undefined ? undefined : readAttempt(keys, former);
  if (!attempt || attempt.worker !== (machine?.name ?? '')) return undefined;
  const same =
    attempt.activity === activity &&
    attempt.run === run &&
    attempt.pipeline === ref.pipeline &&
    attempt.job === ref.job &&
    attempt.attempt === ref.attempt &&
    attempt.epoch === ref.epoch;
  return same ? { ...attempt, token: tokenId } : undefined;
}

interface Taken {
  request: AttemptRequest;
  taken: PendingJob;
  status: PipelineStatus;
}

/** MINT-3. Throws `worker/scope`. */
function claimsOf(
  { facts }: Pick<MintDeps, 'facts'>,
  { tokenId, machine }: WorkerCaller,
  { request, taken, status }: Taken,
): AttemptClaims {
  const { ref, run, activity } = request;
  const job = status.jobs.find((one) => one.key === ref.job);
  const kind = kindOf(taken, ref);
  if (!job || !kind)
    throw new DavitError(
      'log/fenced',
      `The activity ${activity} of ${ref.pipeline} is not of the job ${ref.job}.`,
    );
  const origin = {
    project: status.project,
    protectedRef: status.protected === true,
    fork: status.fork === true,
  };
  const outside = machine && outOfScope(origin, machine);
  if (outside) throw new DavitError('worker/scope', `The worker ${machine.name} is refused: ${outside}`);
  const of = { workflowId: pipelineWorkflowId(ref.pipeline), runId: run };
  return {
    ...origin,
    token: tokenId,
    worker: machine?.name ?? '',
    kind,
    pipeline: ref.pipeline,
    run,
    activity,
    job: ref.job,
    jobId: job.jobId,
    attempt: ref.attempt,
    epoch: ref.epoch,
    name: attemptName(facts().installation, of, ref),
    number: status.number,
    queue: job.queue,
    until: 0,
  };
}

/** What the activity is to the attempt; undefined: it is another's. */
function kindOf(
  { activityId: id, type }: PendingJob,
  ref: Pick<AttemptRef, 'job' | 'attempt' | 'epoch'>,
): AttemptClaims['kind'] | undefined {
  if (type === 'releaseJobs') return 'release';
  if (type === 'stopJob')
    // Runs of earlier versions number the activity. It is of this pipeline and this worker in any case.
    return id === stopActivityId(ref) || /^\d+$/.test(id) ? 'stop' : undefined;
  return id === activityId(ref) ? 'job' : undefined;
}

/** As `workflows/activities.ts` names it. */
const stopActivityId = (ref: Pick<AttemptRef, 'job' | 'attempt' | 'epoch'>): string =>
  `${activityId(ref)}/stop`;
