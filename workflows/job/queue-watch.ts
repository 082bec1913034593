import { CancellationScope, sleep } from '@temporalio/workflow';
import { setPhase, type JobRun, type Run } from './state.ts';

const PATIENCE_MS = 5_000;

/**
 * Shows `queue:NAME` for a job that nobody has said to be running 5 s after it was given to its queue. One timer in flight
 * for the whole pipeline: a thousand short jobs cost a timer every 5 s, not a thousand.
 */
export class QueueWatch {
  #given = new Map<JobRun, { at: number; queue: string }>();
  #ticking = false;

  given(run: Pick<Run, 'changed'>, job: JobRun, queue: string): void {
    this.#given.set(job, { at: Date.now(), queue });
    if (this.#ticking) return;
    this.#ticking = true;
    // Its own scope: the job that happens to start the timer may be cancelled, the others still wait.
    void CancellationScope.nonCancellable(() => this.#tick(run));
  }

  /** It runs, or it has ended. */
  gone(job: JobRun): void {
    this.#given.delete(job);
  }

  /** Never rejects: nothing cancels its scope. */
  async #tick(run: Pick<Run, 'changed'>): Promise<void> {
    while (this.#given.size > 0) {
      const first = Math.min(...[...this.#given.values()].map(({ at }) => at));
      await sleep(Math.max(1, first + PATIENCE_MS - Date.now()), { summary: 'is a worker there?' });
      for (const [job, { at, queue }] of this.#given) {
        if (Date.now() - at < PATIENCE_MS) continue;
        this.#given.delete(job);
        if (job.status.phase === 'dispatched')
          setPhase(run, job, { phase: 'dispatched', waitingFor: `queue:${queue}` });
      }
    }
    this.#ticking = false;
  }
}
