/**
 * Submits decisions of people to the pipeline's workflow; a closed pipeline is run again if the decision can
 * take effect.
 */
import { judge } from '../plan/policy/approval-policy.ts';
import { parsePipelineId, type PipelineId } from '../plan/model/ids.ts';
import { mayStartProtected, projectNamed } from '../compiler/variables/installation.ts';
import { DavitError } from '../errors.ts';
import type { Decision, DecisionAnswer, PipelineStatus } from '../plan/model/protocol.ts';
import type { ServerDeps } from './deps.ts';
import { targetOf } from './approvals.ts';
import { provenDecision } from './proven-workflows.ts';
import { keepSources, planOf, recordOf } from './records.ts';
import { RETRY_HINT } from './temporal/temporal.ts';
import type { Views } from './views.ts';

/** Rejects with `temporal/unreachable`, with the advice to repeat it. */
export async function submitDecision(
  deps: ServerDeps,
  views: Views,
  decided: { id: PipelineId; decision: Decision },
): Promise<DecisionAnswer> {
  try {
    return await submit(deps, views, decided);
  } catch (cause) {
    if (!(cause instanceof DavitError) || cause.code !== 'temporal/unreachable') throw cause;
    throw new DavitError(cause.code, cause.message, { hint: RETRY_HINT, cause });
  }
}

async function submit(
  deps: ServerDeps,
  views: Views,
  { id, decision }: { id: PipelineId; decision: Decision },
): Promise<DecisionAnswer> {
  if (decision.action === 'retry') refuseRetry(deps, await views.status(id), decision);
  const target =
    decision.action === 'play' ? targetOf(deps.facts(), await views.status(id), decision.job) : undefined;
  const bound = { ...decision, ...(target !== undefined && { target }) };
  // What is decided about is the job as it is now.
  views.touch(id);
  const proven = provenDecision(deps.proofs, id, { decision: bound, status: await views.status(id) });
  const answer = await deps.workflows.decide(id, proven);
  views.touch(id);
  return answer === 'closed' ? decideClosed(deps, views, { id, decision: bound }) : answer;
}

/** A retry is a start: on a protected ref it needs the same right. */
function refuseRetry({ facts }: ServerDeps, status: PipelineStatus, { actor, role }: Decision): void {
  if (!status.protected) return;
  const project = projectNamed(facts(), status);
  if (mayStartProtected(project, { name: actor, role })) return;
  throw new DavitError('auth/denied', `${actor} may not retry jobs of the protected ref ${status.ref}.`, {
    hint: 'Ask an operator, or have the role or the name added to start_protected of the project.',
  });
}

/**
 * The project starts a new run with the decision and checks it again; refusals are returned here without a
 * new run.
 */
async function decideClosed(
  deps: ServerDeps,
  views: Views,
  { id, decision }: { id: PipelineId; decision: Decision },
): Promise<DecisionAnswer> {
  const status = await views.status(id);
  const job = status.jobs.find((one) => one.key === decision.job);
  if (!job)
    return {
      accepted: false,
      code: 'job/not-found',
      message: `The pipeline ${id} has no job ${decision.job}.`,
    };
  if (decision.action === 'reject' || decision.action === 'cancelJob')
    return { accepted: false, code: 'job/not-playable', message: `The pipeline ${id} has ended.` };
  const record = await recordOf(deps, id);
  const plan = record && (await planOf(deps, record));
  const planned = plan?.jobs.find((one) => one.key === decision.job);
  if (planned) {
    // The requirements of a gate are checked when it opens again.
    const verdict = judge({ job: planned, status: job, missing: [], approveBySignal: false }, decision);
    if (!verdict.accepted) return { accepted: false, code: verdict.code, message: verdict.message };
  }
  const proven = provenDecision(deps.proofs, id, { decision, status });
  if (plan) await keepSources(deps, plan);
  await deps.workflows.rerun(parsePipelineId(id)?.slug ?? status.project, { pipeline: id, decision: proven });
  return { accepted: true, message: `The pipeline ${id} continues with ${decision.job}.` };
}
