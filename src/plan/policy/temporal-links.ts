/** Links into Temporal's UI. Pure. */
import { pipelineWorkflowId, type PipelineId } from '../model/ids.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../model/protocol.ts';
import { WAIT_GROUPS } from './waits.ts';

export interface TemporalUi {
  /** `http://127.0.0.1:8233` */
  address: string;
  namespace: string;
}

const OPEN = `WorkflowType = "${WORKFLOWS.pipeline}" AND ExecutionStatus = "Running"`;
const { waitingFor } = SEARCH_ATTRIBUTES;

/**
 * What operators look for. The queries are in docs/operations.md, too. They have no `OR`: the UI 2.42 reads a query as
 * filters that all hold.
 */
export const SEARCHES = {
  person: { title: 'waits for a person', query: `${OPEN} AND ${waitingFor} = "${WAIT_GROUPS.person}"` },
  worker: { title: 'waits for a worker', query: `${OPEN} AND ${waitingFor} = "${WAIT_GROUPS.worker}"` },
  /** None of its jobs runs, whatever the reason: a person, a worker, a lock, a delay, no plan yet. */
  still: { title: 'stands still', query: `${OPEN} AND ${waitingFor} = "${WAIT_GROUPS.still}"` },
} as const;

const workflowsOf = ({ address, namespace }: TemporalUi): string =>
  `${address.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows`;

/** The list of workflows that a query finds. */
export const searchLink = (ui: TemporalUi, query: string): string =>
  `${workflowsOf(ui)}?query=${encodeURIComponent(query)}`;

/** The newest run of a workflow. */
export const workflowLink = (ui: TemporalUi, workflowId: string): string =>
  `${workflowsOf(ui)}/${encodeURIComponent(workflowId)}`;

export const pipelineLink = (ui: TemporalUi, id: PipelineId): string =>
  workflowLink(ui, pipelineWorkflowId(id));
