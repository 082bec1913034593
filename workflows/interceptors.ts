/**
 * Role: stands between the SDK and each workflow, and keeps a worker from writing a history that no replay takes.
 *
 * A question that has waited for a dead worker reaches another one with the whole history as it is by then: also with events
 * for which no workflow task was begun, or one that is lost. The SDK works these off for the question, keeps the workflow, and
 * works off what comes later as the next task. A replay has all of it in one task, where signals come first: it takes another
 * way (TMPRL1100), and the workflow stands still for ever.
 *
 * Q1 A question that comes by itself is answered only by a workflow that surely took no event ahead of its task. Any other one
 *    fails it, which has the SDK drop the workflow, and what else waits for it there: that comes again by its timeout. The
 *    client asks again (`src/temporal/queries.ts`) and is answered after the task. A closed workflow has no task to come: its
 *    client says so, and is answered.
 * Q2 Only a question is ever failed: a task that fails would be tried again for ever.
 */
import type { WorkflowInterceptors } from '@temporalio/workflow';
import { QUERY_NOT_READY, QUERY_CLOSED } from '../src/plan/model/query-replies.ts';

interface Question {
  queryId?: string | null;
  headers?: Record<string, unknown> | null;
}
/** What is looked at of what the SDK brings. */
export interface Activation {
  jobs?: readonly { queryWorkflow?: Question | null }[] | null;
  /** Events. */
  historyLength?: number | null;
  /** Bytes when the last workflow task started. */
  historySizeBytes?: { toString(): string } | null;
  isReplaying?: boolean | null;
}
/** Questions that come by themselves, and not with a workflow task, have this id. */
const ALONE = 'legacy_query';

/** What one workflow has taken, as long as the SDK keeps it. */
export class Questions {
  /** Of the last events. */
  #seen: { length: number; size: string } | undefined;
  #replayed = false;
  #ahead = false;

  /** Throws where a question must not be answered. */
  comes(activation: Activation): void {
    const questions = (activation.jobs ?? []).flatMap(({ queryWorkflow }) => queryWorkflow ?? []);
    if (questions.length === 0) return this.#takes(activation);
    const alone = questions.find(({ queryId }) => queryId === ALONE);
    if (!alone || alone.headers?.[QUERY_CLOSED]) return;
    if (this.#ahead) throw early();
    this.#replayed = false;
  }

  #takes({ historyLength, historySizeBytes, isReplaying }: Activation): void {
    const now = { length: historyLength ?? 0, size: String(historySizeBytes) };
    const seen = this.#seen;
    // Signals, and then the rest of the same events, come one after the other.
    if (now.length !== seen?.length) {
      const noTask = seen !== undefined && now.size === seen.size;
      // A worker that had to replay cannot know whether the task after it is its own or that of a dead one.
      const perhapsAnothers = this.#replayed && isReplaying !== true;
      this.#ahead = noTask || perhapsAnothers;
    }
    this.#replayed = isReplaying === true;
    this.#seen = now;
  }
}

/** Told in logs at each throw: its place says nothing. */
function early(): Error {
  const error = new Error(QUERY_NOT_READY);
  error.stack = '';
  return error;
}

export const interceptors = (): WorkflowInterceptors => {
  const questions = new Questions();
  return {
    internals: [
      {
        activate: (input, next) => {
          questions.comes(input.activation);
          next(input);
        },
      },
    ],
  };
};
