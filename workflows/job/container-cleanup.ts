import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Limits } from '../../activities/contract.ts';
import type { AttemptRef, PipelineId } from '../../src/plan/model/ids.ts';
import { hostActivities } from '../activities.ts';

/** A host that does not answer in this time keeps its containers until its janitor asks. */
const PATIENCE_MS = 30_000;

/**
 * Tells each host which containers may go, once the results are in history: in batches, `releaseDelayMs` after the first of
 * a batch, and what is left at the pipeline's end. A host that is gone costs a bounded wait at the very end, after the
 * verdict; its worker's janitor does the rest. A machine that was given up is told when it comes back, while the pipeline is
 * open: its script would run on until the pipeline's end.
 */
export class ContainerCleanup {
  readonly #pipeline: PipelineId;
  readonly #limits: Limits;
  #due = new Map<string, AttemptRef[]>();
  #sending = new Set<Promise<void>>();
  #ticking = false;

  constructor(pipeline: PipelineId, limits: Limits) {
    this.#pipeline = pipeline;
    this.#limits = limits;
  }

  add(host: string, ref: AttemptRef): void {
    this.#due.set(host, [...(this.#due.get(host) ?? []), ref]);
    if (this.#ticking) return;
    this.#ticking = true;
    void CancellationScope.nonCancellable(() => this.#later());
  }

  /** Of a machine that was given up. Nobody waits for it, the pipeline's end neither. */
  whenBack(host: string, ref: AttemptRef): void {
    const refs = [ref];
    void CancellationScope.nonCancellable(async () => {
      try {
        await hostActivities(host, this.#limits.pipelineTimeoutMs).releaseJobs({
          pipeline: this.#pipeline,
          refs,
        });
      } catch {
        // It is away for good, or refused: its janitor removes what a closed pipeline has left.
      }
    });
  }

  /** Sends what is due now and waits for all that is on its way; bounded, never rejects. */
  async flush(): Promise<void> {
    this.#send();
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  async #later(): Promise<void> {
    await sleep(Math.max(1, this.#limits.releaseDelayMs), { summary: 'release containers' });
    this.#ticking = false;
    this.#send();
  }

  #send(): void {
    for (const [host, refs] of this.#due) {
      const sent = this.#release(host, refs).finally(() => this.#sending.delete(sent));
      this.#sending.add(sent);
    }
    this.#due.clear();
  }

  async #release(host: string, refs: AttemptRef[]): Promise<void> {
    try {
      await CancellationScope.nonCancellable(() =>
        hostActivities(host, PATIENCE_MS).releaseJobs({ pipeline: this.#pipeline, refs }),
      );
    } catch {
      // The host is away or refused: its janitor removes what a closed pipeline has left.
    }
  }
}
