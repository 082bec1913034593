/** Workflows that stand still: each of their tasks fails, and Temporal gives them the next one, less and less often. */
import type { Client } from '@temporalio/client';
import { fail, ok, type Finding } from './check.ts';

/** Once or twice is a worker that was killed, or a database that was away. */
const MAX_FAILED = 2;
/** More open ones than this are not all looked at. */
const MAX_INSPECTED = 500;
const AT_ONCE = 8;
/** The first failed task stands in its history, before what has come since. */
const MAX_EVENTS = 200;

/** What is known of one that stands still. */
export interface Stuck {
  workflowId: string;
  /** Tries of its next task. */
  failed: number;
  /** What its worker said. */
  why?: string;
}

/** Rejects as the client does. */
export async function checkWorkflows(client: Client): Promise<Finding[]> {
  const open: { workflowId: string; runId: string }[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: 'ExecutionStatus = "Running"' })) {
    open.push({ workflowId, runId });
    if (open.length === MAX_INSPECTED) break;
  }
  const stuck: Stuck[] = [];
  for (let at = 0; at < open.length; at += AT_ONCE) {
    const looked = await Promise.all(open.slice(at, at + AT_ONCE).map((one) => look(client, one)));
    stuck.push(...looked.flat());
  }
  return stuckFindings(stuck, open.length);
}

export function stuckFindings(stuck: readonly Stuck[], open: number): Finding[] {
  if (stuck.length === 0)
    return [
      ok(
        'workflows',
        open < MAX_INSPECTED
          ? `${open} open, none stands still`
          : `the newest ${open} open ones: none stands still`,
      ),
    ];
  return stuck.map(({ workflowId, failed, why }) =>
    fail(
      `workflow ${workflowId}`,
      `It stands still: ${failed} tries of its next step have failed${why === undefined ? '' : ` (${why})`}.`,
      why?.includes('TMPRL1100') === true
        ? 'Put it back: docs/operations.md, "A workflow cannot be replayed".'
        : "The control worker's log says more: `log/davit.log` of davit's home.",
    ),
  );
}

async function look(client: Client, of: { workflowId: string; runId: string }): Promise<Stuck[]> {
  const { raw } = await client.workflow.getHandle(of.workflowId, of.runId).describe();
  // The one that is under way or to come counts as well.
  const failed = (raw.pendingWorkflowTask?.attempt ?? 1) - 1;
  if (failed <= MAX_FAILED) return [];
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: of,
    maximumPageSize: MAX_EVENTS,
  });
  const failures = (history?.events ?? []).flatMap((one) => one.workflowTaskFailedEventAttributes ?? []);
  return [{ workflowId: of.workflowId, failed, why: failures[0]?.failure?.message ?? undefined }];
}
