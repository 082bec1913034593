/** Lists pipelines by Temporal's visibility: open ones, and those within retention. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';
import { QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../../plan/model/protocol.ts';
import { withoutGroups } from '../../plan/policy/waits.ts';
import type { ListedPipeline } from '../workflow-port.ts';

export const isOpen = (status: WorkflowExecutionInfo['status']['name']): boolean =>
  status === 'RUNNING' || status === 'PAUSED';

/** `project` is a slug, which contains no quotes. */
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
  waitingFor: withoutGroups(info.typedSearchAttributes.get(WAITING) ?? []),
});

/**
 * Start of the oldest unfinished work, in epoch ms: an open pipeline, or a trigger that waits in its project.
 * Rejects if a project does not respond, because its waiting triggers are unknown then.
 */
export async function oldestOpen(client: Client): Promise<number | undefined> {
  // Projects first: a trigger that starts meanwhile is found as a pipeline.
  const waiting = await oldestWaiting(client);
  // All open pipelines are read, because visibility of the embedded server does not sort.
  let oldest = waiting ?? Number.POSITIVE_INFINITY;
  for await (const { startTime } of client.workflow.list({ query: running('pipeline'), pageSize: 500 }))
    oldest = Math.min(oldest, startTime.getTime());
  return Number.isFinite(oldest) ? oldest : undefined;
}

async function oldestWaiting(client: Client): Promise<number | undefined> {
  let oldest: number | undefined;
  for await (const { workflowId } of client.workflow.list({ query: running('project'), pageSize: 500 })) {
    const since = await client.workflow.getHandle(workflowId).query<number | null>(QUERIES.waitingSince);
    if (since !== null) oldest = Math.min(oldest ?? since, since);
  }
  return oldest;
}

const running = (type: 'pipeline' | 'project'): string =>
  `WorkflowType = "${WORKFLOWS[type]}" AND ExecutionStatus = "Running"`;
