/** Calls of server and CLI to workflows, so that names, ids and options are in one place. */
import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type {
  PipelineLookup,
  PipelineStarter,
  Prover,
  StatusWriters,
  TriggerLookup,
  WorkflowCancel,
  WorkflowLookup,
} from '../adapters/ports.ts';
import type { StatusInput, StatusWrite } from '../plan/model/commit-status.ts';
import type { StopEnvironment, StopRef } from '../plan/model/environments.ts';
import type { DeletedRef, ProjectInput } from '../plan/model/project-memory.ts';
import {
  pipelineWorkflowId,
  projectWorkflowId,
  type PipelineId,
  type ProjectSlug,
} from '../plan/model/ids.ts';
import {
  DECISION_CODES,
  QUERIES,
  SIGNALS,
  UPDATES,
  WORKFLOWS,
  type Decision,
  type DecisionAnswer,
  type KeyLookup,
  type PipelineStatus,
  type PushedHeads,
  type RerunRequest,
} from '../plan/model/protocol.ts';
import { CONTROL_QUEUE } from '../plan/model/queues.ts';
import type { Trigger } from '../plan/model/trigger.ts';

/** Durable when it resolves; starts the project's workflow if it does not run. Works without a worker. */
export const signalTrigger = (client: Client, trigger: Trigger): Promise<void> =>
  toProject(client, trigger.project, { signal: SIGNALS.trigger, args: [trigger] });

/** A request of a control worker's own, which the server proves. */
export const provenStart =
  (client: Client, prover: Prover): PipelineStarter['start'] =>
  async (trigger) => {
    const proof = await prover.prove({ kind: 'trigger', trigger });
    await signalTrigger(client, { ...trigger, ...(proof && { proof }) });
  };

/** For a closed pipeline: the project starts a new run of it, which begins with this decision. */
export const signalRerun = (client: Client, project: ProjectSlug, request: RerunRequest): Promise<void> =>
  toProject(client, project, { signal: SIGNALS.rerun, args: [request] });

/** The project forgets the ref's head: pushed again at the same commit, it starts a pipeline. */
export const signalDeletion = (client: Client, project: ProjectSlug, deleted: DeletedRef): Promise<void> =>
  toProject(client, project, { signal: SIGNALS.refDeleted, args: [deleted] });

/** The project stops the environment by its stop job, or marks it as stopped if it has none. */
export const signalStopEnvironment = (
  client: Client,
  project: ProjectSlug,
  stop: StopEnvironment,
): Promise<void> => toProject(client, project, { signal: SIGNALS.stopEnvironment, args: [stop] });

/** The project stops what was deployed from this ref. */
export const signalStopRef = (client: Client, project: ProjectSlug, stop: StopRef): Promise<void> =>
  toProject(client, project, { signal: SIGNALS.stopRef, args: [stop] });

/**
 * Sends a decision to an open pipeline. Refusals are results, whether its validator refused (not recorded) or
 * its handler did (a conflict, recorded). Rejects with the client's WorkflowNotFoundError if the pipeline is
 * closed: then `signalRerun`.
 */
export async function decide(client: Client, id: PipelineId, decision: Decision): Promise<DecisionAnswer> {
  try {
    return await client.workflow
      .getHandle(pipelineWorkflowId(id))
      .executeUpdate<DecisionAnswer, [Decision]>(UPDATES[decision.action], { args: [decision] });
  } catch (error) {
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
    const code = DECISION_CODES.find((one) => cause instanceof ApplicationFailure && cause.type === one);
    if (!code) throw error;
    return { accepted: false, code, message: cause?.message ?? code };
  }
}

/** For an open pipeline, or a closed one that Temporal still has. */
export const pipelineStatus = (client: Client, id: PipelineId): Promise<PipelineStatus> =>
  client.workflow.getHandle(pipelineWorkflowId(id)).query<PipelineStatus>(QUERIES.status);

/** What the reconciler needs to know about a project; nothing is known before its workflow runs. */
export const reconcileLookup = (
  client: Client,
): {
  pushed(project: ProjectSlug): Promise<PushedHeads>;
} & TriggerLookup => ({
  pushed: (project) =>
    unlessMissing({}, () => projectHandle(client, project).query<PushedHeads>(QUERIES.pushed)),
  lookup: lookupOf(client),
});

const lookupOf =
  (client: Client): TriggerLookup['lookup'] =>
  (project, key) =>
    unlessMissing({ state: 'unknown' }, () =>
      projectHandle(client, project).query<KeyLookup, [string]>(QUERIES.lookup, key),
    );

const projectHandle = (client: Client, project: ProjectSlug): WorkflowHandle =>
  client.workflow.getHandle(projectWorkflowId(project));

async function unlessMissing<T>(absent: T, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return absent;
    throw error;
  }
}

/** What an activity may look up in Temporal. */
export const workflowLookup = (
  client: Client,
): WorkflowLookup & WorkflowCancel & PipelineLookup & PipelineStarter & TriggerLookup & StatusWriters => ({
  lookup: lookupOf(client),
  report: (workflowId, write) => signalStatus(client, workflowId, write),
  start: (trigger) => signalTrigger(client, trigger),
  newestOf: (project, branch) =>
    unlessMissing(undefined, async () => {
      const newest = projectHandle(client, project).query<PipelineId | null, [string]>(
        QUERIES.newest,
        branch,
      );
      return (await newest) ?? undefined;
    }),
  isClosed: async (workflowId, runId) => {
    try {
      const { status } = await client.workflow.getHandle(workflowId, runId).describe();
      return status.name !== 'RUNNING' && status.name !== 'PAUSED';
    } catch (error) {
      // After its retention it is gone. Any other error leaves the state unknown, and unknown means open.
      if (error instanceof WorkflowNotFoundError) return true;
      throw error;
    }
  },
  requestCancel: (workflowId, runId) =>
    unlessMissing(undefined, async () => {
      await client.workflow.getHandle(workflowId, runId).cancel();
    }),
});

async function toProject(
  client: Client,
  project: ProjectSlug,
  message: { signal: string; args: unknown[] },
): Promise<void> {
  const input: ProjectInput = { project };
  await client.workflow.signalWithStart(WORKFLOWS.project, {
    workflowId: projectWorkflowId(project),
    taskQueue: CONTROL_QUEUE,
    args: [input],
    signal: message.signal,
    signalArgs: message.args,
    staticSummary: `project ${project}`,
  });
}

/** Starts the writer of the commit's status if it does not run. */
async function signalStatus(client: Client, workflowId: string, write: StatusWrite): Promise<void> {
  const input: StatusInput = {};
  const { project, sha, context } = write;
  await client.workflow.signalWithStart(WORKFLOWS.status, {
    workflowId,
    taskQueue: CONTROL_QUEUE,
    args: [input],
    signal: SIGNALS.report,
    signalArgs: [write],
    staticSummary: `commit status ${context} of ${project} ${sha.slice(0, 8)}`,
  });
}
