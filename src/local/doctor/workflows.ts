/**
 * Finds stuck workflows: their workflow tasks keep failing, and Temporal retries them with growing delays. Counts
 * pipelines that wait.
 */
import type { Client } from '@temporalio/client';
import { SEARCHES, searchLink, workflowLink, type TemporalUi } from '../../plan/policy/temporal-links.ts';
import { fail, ok, warn, type Finding } from './check.ts';

/** Fewer failures come from a killed worker or an unreachable database. */
const MAX_FAILED = 2;
/** Only this many of the newest open workflows are checked. */
const MAX_INSPECTED = 500;
const PARALLEL = 8;
/** The failed task is in the history before later events. */
const MAX_EVENTS = 200;

export interface StuckWorkflow {
  workflowId: string;
  /** Failed attempts of its next task. */
  failed: number;
  /** The failure message of the worker. */
  why?: string;
}

/** Rejects with errors of the client. */
export async function checkWorkflows(client: Client, ui: TemporalUi | undefined): Promise<Finding[]> {
  const open: { workflowId: string; runId: string }[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: 'ExecutionStatus = "Running"' })) {
    open.push({ workflowId, runId });
    if (open.length === MAX_INSPECTED) break;
  }
  const stuck: StuckWorkflow[] = [];
  for (let index = 0; index < open.length; index += PARALLEL) {
    const batch = open.slice(index, index + PARALLEL);
    const checked = await Promise.all(batch.map((one) => checkWorkflow(client, one)));
    stuck.push(...checked.flat());
  }
  const counts = { person: 0, worker: 0, still: 0 };
  for (const name of SEARCH_NAMES) counts[name] = (await client.workflow.count(SEARCHES[name].query)).count;
  return [...stuckFindings(stuck, open.length, ui), ...waitFindings(counts, ui)];
}
const SEARCH_NAMES = ['person', 'worker', 'still'] as const;

/** How many pipelines wait, and for whom, with the list of them in Temporal's UI. */
export function waitFindings(
  counts: Readonly<Record<keyof typeof SEARCHES, number>>,
  ui: TemporalUi | undefined,
): Finding[] {
  const where = ui
    ? ok("Temporal's UI", `${ui.address}, namespace ${ui.namespace}`)
    : ok("Temporal's UI", 'address unknown: with `temporal_ui` of the installation file there are links');
  const waits = SEARCH_NAMES.map((name) => {
    const { title, query } = SEARCHES[name];
    const count = counts[name];
    const found = `${count} ${count === 1 ? 'pipeline' : 'pipelines'}${ui ? `: ${searchLink(ui, query)}` : ''}`;
    if (name !== 'worker' || count === 0) return ok(title, found);
    return warn(title, found, 'Start a worker for their queue: `davit status PROJECT/NUMBER` names it.');
  });
  return [where, ...waits];
}

export function stuckFindings(stuck: readonly StuckWorkflow[], open: number, ui?: TemporalUi): Finding[] {
  if (stuck.length === 0)
    return [
      ok(
        'workflows',
        open < MAX_INSPECTED
          ? `${open} open, none is stuck`
          : `of the newest ${open} open workflows none is stuck`,
      ),
    ];
  return stuck.map(({ workflowId, failed, why }) =>
    fail(
      `workflow ${workflowId}`,
      `Stuck: its next task has failed ${failed} times${why === undefined ? '' : ` (${why})`}.${ui ? ` ${workflowLink(ui, workflowId)}` : ''}`,
      why?.includes('TMPRL1100') === true
        ? 'Reset it: see "A workflow cannot be replayed" in docs/operations.md.'
        : "See the log of the control worker: `log/davit.log` in davit's home.",
    ),
  );
}

async function checkWorkflow(
  client: Client,
  execution: { workflowId: string; runId: string },
): Promise<StuckWorkflow[]> {
  const { workflowId, runId } = execution;
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  // Temporal also counts the attempt that is running or scheduled.
  const failed = (raw.pendingWorkflowTask?.attempt ?? 1) - 1;
  if (failed <= MAX_FAILED) return [];
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution,
    maximumPageSize: MAX_EVENTS,
  });
  const failures = (history?.events ?? []).flatMap((one) => one.workflowTaskFailedEventAttributes ?? []);
  return [{ workflowId, failed, why: failures[0]?.failure?.message ?? undefined }];
}
