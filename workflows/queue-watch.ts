import { CancellationScope, sleep } from '@temporalio/workflow';
import { enter, type JobRun, type Run } from './state.ts';

const PATIENCE_MS = 5_000;

/**
 * Shows `queue:NAME` for a job that nobody has said to be running 5 s after it was given to its queue. One timer in flight
 * for the whole pipeline: a thousand short jobs cost a timer every 5 s, not a thousand.
 */
export class QueueWatch {
  #given = new Map<JobRun, { at: number; queue: string }>();
  #ticking = false;

  given(run: Pick<Run, 'changed'>, one: JobRun, queue: string): void {
    this.#given.set(one, { at: Date.now(), queue });
    if (this.#ticking) return;
    this.#ticking = true;
    // Its own scope: the job that happens to start the timer may be cancelled, the others still wait.
    void CancellationScope.nonCancellable(() => this.#tick(run));
  }

  /** It runs, or it has ended. */
  gone(one: JobRun): void {
    this.#given.delete(one);
  }

  /** Never rejects: nothing cancels its scope. */
  async #tick(run: Pick<Run, 'changed'>): Promise<void> {
    while (this.#given.size > 0) {
      const first = Math.min(...[...this.#given.values()].map(({ at }) => at));
      await sleep(Math.max(1, first + PATIENCE_MS - Date.now()), { summary: 'is a worker there?' });
      for (const [one, { at, queue }] of this.#given) {
        if (Date.now() - at < PATIENCE_MS) continue;
        this.#given.delete(one);
        if (one.status.phase === 'dispatched')
          enter(run, one, { phase: 'dispatched', waitingFor: `queue:${queue}` });
      }
    }
    this.#ticking = false;
  }
}
