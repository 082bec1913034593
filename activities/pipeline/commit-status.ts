import { log } from '@temporalio/activity';
import type { Forge, Secrets, Source, WorkflowLookup } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { ControlActivities } from '../contract.ts';
import { messageOf } from '../../src/utils/message.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

/** Reports a commit's state to the forge. Best effort: a forge that is down must not fail a pipeline. */
export function makeReportCommitStatus(deps: {
  forge: Forge;
  facts: InstallationFacts;
}): ControlActivities['reportCommitStatus'] {
  return async (input) => {
    try {
      await deps.forge.commitStatus({
        project: input.project,
        sha: input.sha,
        ref: input.ref,
        pipeline: input.id,
        state: input.state,
        ...(input.fork && { fork: true }),
        url: new URL(`/pipelines/${input.id}`, deps.facts.url).href,
      });
    } catch (error) {
      // Swallowed by design; the operator finds it in the worker's log.
      log.warn('commit status not reported', {
        pipeline: input.id,
        code: error instanceof DavitError ? error.code : 'internal/defect',
        reason: messageOf(error),
      });
    }
  };
}

/** True if the forge's ref points to this commit now; false if davit knows no repository to ask. */
export function makeForgeHeadIs(deps: {
  source: Source;
  secrets: Secrets;
  facts: InstallationFacts;
}): ControlActivities['forgeHeadIs'] {
  return async ({ project, ref, sha }) => {
    const known = deps.facts.config.projects.find((one) => one.name === project);
    if (!known?.clone_url) return false;
    const head = await deps.source.head(known.clone_url, ref, await cloneAuth(known, deps.secrets));
    return head === sha;
  };
}

export function makeIsClosed(deps: { workflows: WorkflowLookup }): ControlActivities['isClosed'] {
  return ({ workflowId, runId }) => deps.workflows.isClosed(workflowId, runId);
}
