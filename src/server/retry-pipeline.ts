/**
 * Runs what has failed in a pipeline again. Each job is retried as if a person asked for it alone, so that the same
 * rights and refusals hold, and who is interrupted can ask again: a job that runs already is not retried twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../errors.ts';
import type { PipelineId } from '../plan/model/ids.ts';
import { jobsToRetry } from '../plan/policy/retry-pipeline.ts';
import type { RetryResponse } from './api.ts';
import type { User } from './auth.ts';
import type { ServerDeps } from './deps.ts';
import { submitDecision } from './submit-decision.ts';
import type { Views } from './views.ts';

/** How long an ended pipeline may take to begin a run for its first job; the others then need none of their own. */
const OPENS_MS = 5_000;
const LOOK_MS = 100;

/** Rejects with `job/not-playable` if there is nothing to retry, and with what a retry of one job rejects. */
export async function retryPipeline(
  deps: ServerDeps,
  views: Views,
  { id, user, comment }: { id: PipelineId; user: User; comment?: string | undefined },
): Promise<RetryResponse> {
  views.touch(id);
  const jobs = jobsToRetry((await views.status(id)).jobs);
  if (jobs.length === 0)
    throw new DavitError('job/not-playable', `No job of ${id} has failed or was cancelled.`, {
      hint: `Run the whole pipeline again with: davit start --again ${id}`,
    });
  const former = await deps.workflows.describe(id);
  const response: RetryResponse = { retried: [], refused: [] };
  const { name: actor, role } = user;
  for (const job of jobs) {
    const decision = {
      action: 'retry',
      job,
      actor,
      role,
      ...(comment !== undefined && { comment }),
    } as const;
    const answer = await submitDecision(deps, views, { id, decision });
    if (!answer.accepted) response.refused.push({ job, message: answer.message });
    else if (response.retried.push(job) === 1 && !former?.open) await newRun(deps, id, former?.runId);
  }
  views.touch(id);
  return response;
}

/** So that who asks for the status next sees the new run. */
async function newRun({ workflows }: ServerDeps, id: PipelineId, former: string | undefined): Promise<void> {
  for (const end = Date.now() + OPENS_MS; Date.now() < end; await delay(LOOK_MS)) {
    const now = await workflows.describe(id);
    if (now?.open || now?.runId !== former) return;
  }
}
