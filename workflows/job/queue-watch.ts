import { CancellationScope, sleep } from '@temporalio/workflow';

const PATIENCE_MS = 5_000;

/**
 * Notices a job that no worker has reported as running 5 s after its dispatch. One timer serves the whole
 * pipeline: a thousand short jobs cost one timer every 5 s, not a thousand.
 */
export class QueueWatch {
  /** By the job's run-time object. */
  #waiting = new Map<object, { since: number; onPatienceOver: () => void }>();
  #ticking = false;

  /** Calls `onPatienceOver` once, unless `remove` is called for the job before. */
  add(job: object, onPatienceOver: () => void): void {
    this.#waiting.set(job, { since: Date.now(), onPatienceOver });
    if (this.#ticking) return;
    this.#ticking = true;
    // Its own scope: the job that happens to start the timer may be cancelled while others still wait.
    void CancellationScope.nonCancellable(() => this.#tick());
  }

  /** The job runs, or its dispatch has ended. */
  remove(job: object): void {
    this.#waiting.delete(job);
  }

  /** Never rejects: nothing cancels its scope. */
  async #tick(): Promise<void> {
    while (this.#waiting.size > 0) {
      const first = Math.min(...[...this.#waiting.values()].map(({ since }) => since));
      await sleep(Math.max(1, first + PATIENCE_MS - Date.now()), { summary: 'is a worker there?' });
      for (const [job, { since, onPatienceOver }] of this.#waiting) {
        if (Date.now() - since < PATIENCE_MS) continue;
        this.#waiting.delete(job);
        onPatienceOver();
      }
    }
    this.#ticking = false;
  }
}
