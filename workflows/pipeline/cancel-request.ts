/**
 * The cancel request that Temporal knows of. Temporal lets a workflow end as cancelled only if it has seen one: it has
 * where a person cancels the pipeline, and not where a newer pipeline supersedes it or its jobs are cancelled one by one.
 */
import { condition, workflowInfo, type CancellationScope } from '@temporalio/workflow';
import { ending } from '../activities.ts';

/** From Temporal's answer to the arrival of the request, which is in the history by then. */
const ARRIVES_MS = 10_000;

export class CancelRequest {
  #seen = false;
  #own = false;

  /** `onForeign`: somebody else has asked. Temporal passes on one request for each run. */
  constructor(root: CancellationScope, onForeign: () => void) {
    void root.cancelRequested.catch(() => {
      this.#seen = true;
      if (!this.#own) onForeign();
    });
  }

  get seen(): boolean {
    return this.#seen;
  }

  /** For a pipeline that is over, so the request itself cancels nothing. Never rejects. */
  async ask(): Promise<void> {
    if (this.#seen) return;
    this.#own = true;
    const { workflowId, runId } = workflowInfo();
    try {
      await ending.requestCancel({ workflowId, runId });
      // A reset of the workflow can drop the request behind the answer: it is not waited for without end.
      await condition(() => this.#seen, ARRIVES_MS);
    } catch {
      // It ends as failed, with the reason.
    }
  }
}
