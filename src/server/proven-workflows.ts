/** Proves what the server asks of workflows. Decisions about a job are proven where its state is known. */
import type { ServerProofs } from '../adapters/ports.ts';
import type { PipelineId } from '../plan/model/ids.ts';
import type { Decision, PipelineStatus } from '../plan/model/protocol.ts';
import type { Workflows } from './workflow-port.ts';

export const provenWorkflows = (workflows: Workflows, { sign }: ServerProofs): Workflows => ({
  ...workflows,
  trigger: (trigger, deadlineMs) =>
    workflows.trigger({ ...trigger, proof: sign({ kind: 'trigger', trigger }) }, deadlineMs),
  stopEnvironment: (project, stop) =>
    workflows.stopEnvironment(project, { ...stop, proof: sign({ kind: 'stopEnvironment', project, stop }) }),
  stopRef: (project, stop, deadlineMs) =>
    workflows.stopRef(project, { ...stop, proof: sign({ kind: 'stopRef', project, stop }) }, deadlineMs),
  cancel: (pipeline, by) =>
    workflows.cancel(pipeline, { ...by, proof: sign({ kind: 'cancel', pipeline, by }) }),
});

/** The decision with a proof for the state that the job has in this status. */
export function provenDecision(
  { sign }: ServerProofs,
  pipeline: PipelineId,
  { decision, status }: { decision: Decision; status: Pick<PipelineStatus, 'jobs'> },
): Decision {
  const job = status.jobs.find(({ key }) => key === decision.job);
  const state = { turn: job?.turn ?? 0, attempt: job?.attempt ?? 0 };
  const asked = { ...decision, proof: { ...state, key: '', signature: '' } };
  return { ...decision, proof: { ...state, ...sign({ kind: 'decision', pipeline, decision: asked }) } };
}
