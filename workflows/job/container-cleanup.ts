import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Limits } from '../../activities/contract.ts';
import type { AttemptRef, PipelineId } from '../../src/plan/model/ids.ts';
import { hostActivities } from '../activities.ts';

/** A host that does not respond within this time keeps its containers until its janitor looks. */
const PATIENCE_MS = 30_000;

/**
 * Asks each host to remove containers whose results are in the history: in batches, `releaseDelayMs` after
 * the first of a batch, and the rest at the pipeline's end. A host that is gone costs a bounded wait at the
 * very end, after the verdict; its worker's janitor does the rest. A host that was given up is asked when it
 * comes back while the pipeline is open: otherwise its script would run until the pipeline's end.
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
    void CancellationScope.nonCancellable(() => this.#sendLater());
  }

  /** For a host that was given up. Nothing waits for it, not even the pipeline's end. */
  whenBack(host: string, ref: AttemptRef): void {
    void this.#release(host, [ref], this.#limits.pipelineTimeoutMs);
  }

  /** Sends what is due now and waits for all that is on its way. Bounded, never rejects. */
  async flush(): Promise<void> {
    this.#send();
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  async #sendLater(): Promise<void> {
    await sleep(Math.max(1, this.#limits.releaseDelayMs), { summary: 'release containers' });
    this.#ticking = false;
    this.#send();
  }

  #send(): void {
    for (const [host, refs] of this.#due) {
      const sent = this.#release(host, refs, PATIENCE_MS).finally(() => this.#sending.delete(sent));
      this.#sending.add(sent);
    }
    this.#due.clear();
  }

  async #release(host: string, refs: AttemptRef[], waitMs: number): Promise<void> {
    try {
      await CancellationScope.nonCancellable(() =>
        hostActivities(host, waitMs).releaseJobs({ pipeline: this.#pipeline, refs }),
      );
    } catch {
      // The host is away or refused: its janitor removes what a closed pipeline has left.
    }
  }
}
