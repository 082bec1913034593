/** Pipelines by Temporal's visibility: open ones, and those within retention. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { parsePipelineId, type PipelineId } from '../plan/ids.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../plan/protocol.ts';
import type { ListedPipeline } from './workflows.ts';

export const isOpen = (status: WorkflowExecutionInfo['status']['name']): boolean =>
  status === 'RUNNING' || status === 'PAUSED';

/** `project` is a slug, which has no quote in it. */
export async function list(
  client: Client,
  filter: { project?: string; limit: number },
): Promise<ListedPipeline[]> {
  const byProject =
    filter.project === undefined ? '' : ` AND ${SEARCH_ATTRIBUTES.project} = "${filter.project}"`;
  const query = `WorkflowType = "${WORKFLOWS.pipeline}"${byProject}`;
  const found: ListedPipeline[] = [];
  const seen = new Set<string>();
  for await (const info of client.workflow.list({ query, pageSize: Math.min(filter.limit * 2, 500) })) {
    const id = info.workflowId.replace(/^pipeline\//, '');
    // A pipeline that was run again has several runs; the newest comes first.
    if (!isPipelineId(id) || seen.has(id)) continue;
    seen.add(id);
    found.push(listed(id, info));
    if (found.length >= filter.limit) break;
  }
  return found;
}

const isPipelineId = (text: string): text is PipelineId => parsePipelineId(text) !== undefined;
const keyword = (name: string) => defineSearchAttributeKey(name, 'KEYWORD');
const REF = keyword(SEARCH_ATTRIBUTES.ref);
const SHA = keyword(SEARCH_ATTRIBUTES.sha);
const STATE = keyword(SEARCH_ATTRIBUTES.state);
const WAITING = defineSearchAttributeKey(SEARCH_ATTRIBUTES.waitingFor, 'KEYWORD_LIST');

const listed = (id: PipelineId, info: WorkflowExecutionInfo): ListedPipeline => ({
  id,
  open: isOpen(info.status.name),
  startedAt: info.startTime.getTime(),
  endedAt: info.closeTime?.getTime(),
  ref: info.typedSearchAttributes.get(REF) ?? '',
  sha: info.typedSearchAttributes.get(SHA) ?? '',
  state: info.typedSearchAttributes.get(STATE) ?? '',
  waitingFor: info.typedSearchAttributes.get(WAITING) ?? [],
});

/** All open ones are looked at: visibility of the embedded server does not sort. */
export async function oldestOpen(client: Client): Promise<number | undefined> {
  const query = `WorkflowType = "${WORKFLOWS.pipeline}" AND ExecutionStatus = "Running"`;
  let oldest: number | undefined;
  for await (const { startTime } of client.workflow.list({ query, pageSize: 500 }))
    oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, startTime.getTime());
  return oldest;
}
