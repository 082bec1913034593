/**
 * Stands between the SDK and each workflow, and keeps a worker from writing a history that no replay accepts.
 *
 * A query that waited for a dead worker reaches the next worker together with the whole history up to that
 * moment. That history may hold events for which no workflow task has begun, or one whose task was lost with
 * the worker:
 *
 *     history       [ task 1 ][ task 2 ][ timer fired ][ signal ]
 *                                       '---- no task yet ----'
 *
 *     the query     replays task 1 and 2, and applies the timer; the workflow stays in the worker's memory
 *     next task     applies the signal only            -> order: timer, then signal
 *     any replay    has both in one task, signals first -> order: signal, then timer   (TMPRL1100)
 *
 * From then on no worker can continue the workflow.
 *
 * QUERY-1 A query that arrives by itself is answered only by a workflow that has surely applied no event
 *         ahead of its task. Otherwise it fails, and the SDK evicts the workflow with everything that waits
 *         for it in this worker, which comes again by its timeout. The client repeats the query
 *         (`src/temporal/queries.ts`) and gets its result after the task. A closed workflow gets no further
 *         task: its client says so in a header, and gets a result.
 * QUERY-2 Only queries are ever failed: a task that fails would be retried without end.
 */
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { QUERY_CLOSED, QUERY_NOT_READY } from '../src/plan/model/protocol.ts';

interface Query {
  queryId?: string | null;
  headers?: Record<string, unknown> | null;
}
/** The part of the SDK's activation that is used. */
export interface Activation {
  jobs?: readonly { queryWorkflow?: Query | null }[] | null;
  /** Events. */
  historyLength?: number | null;
  /** Bytes when the last workflow task started. */
  historySizeBytes?: { toString(): string } | null;
  isReplaying?: boolean | null;
}
/** Id of queries that arrive by themselves, not with a workflow task. */
const DIRECT_QUERY_ID = 'legacy_query';

/** What one workflow has applied since the SDK loaded it. */
export class QueryGuard {
  /** At the last events. */
  #seen: { length: number; size: string } | undefined;
  #replayed = false;
  #ahead = false;

  /** Throws if the activation brings a query that must not be answered. */
  check(activation: Activation): void {
    const queries = (activation.jobs ?? []).flatMap(({ queryWorkflow }) => queryWorkflow ?? []);
    if (queries.length === 0) return this.#apply(activation);
    const direct = queries.find(({ queryId }) => queryId === DIRECT_QUERY_ID);
    if (!direct || direct.headers?.[QUERY_CLOSED]) return;
    if (this.#ahead) throw notReady();
    this.#replayed = false;
  }

  #apply({ historyLength, historySizeBytes, isReplaying }: Activation): void {
    const next = { length: historyLength ?? 0, size: String(historySizeBytes) };
    const seen = this.#seen;
    // Signals and the other events of one task arrive as two activations of the same length.
    if (next.length !== seen?.length) {
      const hasNoTask = seen !== undefined && next.size === seen.size;
      // A worker that had to replay cannot know whether the task after it is its own or that of a dead
      // worker.
      const maybeOfDeadWorker = this.#replayed && isReplaying !== true;
      this.#ahead = hasNoTask || maybeOfDeadWorker;
    }
    this.#replayed = isReplaying === true;
    this.#seen = next;
  }
}

/** Each one is logged; its stack would be noise. */
function notReady(): Error {
  const error = new Error(QUERY_NOT_READY);
  error.stack = '';
  return error;
}

export const interceptors = (): WorkflowInterceptors => {
  const guard = new QueryGuard();
  return {
    internals: [
      {
        activate: (input, next) => {
          guard.check(input.activation);
          next(input);
        },
      },
    ],
  };
};
