/**
 * `releaseJobs`: the results of these attempts are in history, so their objects on this engine are removed,
 * and their secrets are deleted from the store. Idempotent.
 */
import { Context } from '@temporalio/activity';
import type { ReleaseInput } from '../contract.ts';
import { removeObjects } from './container/cleanup.ts';
import type { JobDeps } from './context/deps.ts';
import { deleteMasks } from './start/mask-set.ts';
import { attemptName, LABELS } from '../runtime/container-names.ts';
import { withAttempt } from '../runtime/per-attempt.ts';

export function makeReleaseJobs(deps: JobDeps): (input: ReleaseInput) => Promise<void> {
  return async ({ pipeline, refs }) => {
    const { workflowExecution } = Context.current().info;
    const run = { workflowId: workflowExecution?.workflowId ?? '', runId: workflowExecution?.runId ?? '' };
    const { installation } = deps.facts;
    const named = new Set(refs.map((ref) => JSON.stringify([ref.job, ref.attempt])));
    await removeObjects(deps.engine, {
      labels: {
        [LABELS.installation]: installation,
        [LABELS.pipeline]: pipeline,
        [LABELS.workflow]: run.workflowId,
        [LABELS.run]: run.runId,
      },
      only: (of) => named.has(JSON.stringify([of.job, of.attempt])),
    });
    const [first] = refs;
    if (!first) return;
    const stores = withAttempt(deps, first);
    await Promise.all(refs.map((ref) => deleteMasks(stores, attemptName(installation, run, ref))));
  };
}
