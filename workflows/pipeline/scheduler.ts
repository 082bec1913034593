/**
 * Runs a plan: starts each job when its turn has come, ends it, and looks again. Event-driven: it awaits one
 * promise per job, never a wave, never one `condition` per job. `src/plan/policy/schedule.ts` has the rules;
 * this file has the promises.
 *
 * SCHEDULER-1 A job's lifecycle runs in a scope of its own below the pipeline's, also when a signal or update
 *             handler starts it: the handler's scope is not used.
 * SCHEDULER-2 A job leaves `created` in the same synchronous step that decided it, so that no job starts
 *             twice.
 * SCHEDULER-3 Nothing is started once the pipeline is being cancelled.
 */
import { CancellationScope } from '@temporalio/workflow';
import type { DownstreamNews } from '../../src/plan/model/downstream.ts';
import { jobsAfter } from '../../src/plan/policy/graph.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { nextSteps, waitsFor, skipReasonOf, type StepKind } from '../../src/plan/policy/schedule.ts';
import { isAllowed, isSettled, tally, tokenOf, type Tally } from '../../src/plan/policy/status.ts';
import { supersedeEffect, startedOf } from '../../src/plan/policy/supersede.ts';
import { cancelDownstream, applyDownstreamNews } from '../job/downstream-attempt.ts';
import { closeGate, decideGate } from '../job/gate.ts';
import { runJobLifecycle } from '../job/job.ts';
import { setPhase, viewOf, type JobRun, type Run } from '../job/state.ts';

export class Scheduler {
  readonly #run: Run;
  /** The pipeline's own scope, which no cancel request reaches. */
  readonly #scope: CancellationScope;
  #settled: (() => void) | undefined;
  #newer: string | undefined;
  /** Why it is being cancelled; undefined while it is not. */
  cancelled: string | undefined;
  /** Cancelled by request. Temporal delivers that once per run, so this run starts nothing more. */
  #final = false;
  /** Lifecycles of jobs that were started. */
  begun = 0;

  constructor(run: Run, scope: CancellationScope) {
    this.#run = run;
    this.#scope = scope;
  }

  /** Resolves when only optional manual jobs are open. */
  async settled(): Promise<void> {
    while (!this.isSettled) await new Promise<void>((resolve) => (this.#settled = resolve));
  }

  get isSettled(): boolean {
    return isSettled(this.tally());
  }

  /** While a cancel is in progress no job can be started: it could only end cancelled. */
  get stopping(): boolean {
    return this.#final || (this.cancelled !== undefined && !this.isSettled);
  }

  /** From now on nothing starts: Temporal passes on one cancel request per run, and davit itself uses it. */
  close(): void {
    this.#final = true;
  }

  tally(): Tally {
    return tally(this.#run.jobs.map((job) => tokenOf(job.spec, viewOf(job))));
  }

  /** Takes every step that is possible now. */
  advance(): void {
    const { graph, jobs } = this.#run;
    const steps = this.cancelled === undefined ? nextSteps(graph, jobs.map(viewOf)) : [];
    for (const step of steps) {
      const job = jobs[step.index];
      // An earlier step of this list may have ended it (auto_cancel on failure).
      if (job?.status.phase !== 'created') continue;
      if (step.to === 'skip') this.#skip(job);
      else if (step.to === 'manual') setPhase(this.#run, job, { phase: 'manual' }, 'manual');
      else this.start(job, step.to);
    }
    const views = jobs.map(viewOf);
    for (const job of jobs)
      if (job.status.phase === 'created') job.status.waitingFor = waitsFor(graph, job.index, views);
    this.#run.changed();
    if (this.isSettled) this.#settled?.();
  }

  #skip(job: JobRun): void {
    const { graph, jobs } = this.#run;
    const message = skipReasonOf(graph, job.index, jobs.map(viewOf));
    this.#end(job, { outcome: 'skipped', started: false, endedAt: Date.now(), message });
  }

  /** Starts a lifecycle of the job. */
  start(job: JobRun, via: Exclude<StepKind, 'skip' | 'manual'>): void {
    const scope = new CancellationScope({ cancellable: true, parent: this.#scope });
    this.begun += 1;
    setPhase(this.#run, job, { phase: 'dispatched', scope });
    void scope
      .run(() => runJobLifecycle(this.#run, job, via))
      .then((result) => {
        this.#end(job, result);
        this.advance();
      });
  }

  /** Runs an ended job again, and revives what was skipped because of it. */
  retry(job: JobRun): void {
    this.cancelled = undefined;
    job.retryRequested = true;
    this.#revive(job);
    this.#reset(job);
    this.advance();
  }

  /** Starts an ended job regardless of the jobs before it. */
  rerun(job: JobRun): void {
    this.cancelled = undefined;
    job.retryRequested = true;
    this.#revive(job);
    this.#reset(job);
    this.start(job, 'start');
    this.advance();
  }

  /** Starts a manual job, and revives what was skipped because of it. */
  startManual(job: JobRun): void {
    this.cancelled = undefined;
    this.#revive(job);
    this.start(job, 'start');
    this.advance();
  }

  /** A downstream pipeline that had ended and runs again takes its trigger job along, as in GitLab. */
  onDownstreamNews(news: DownstreamNews): void {
    const job = this.#run.jobs.find((other) => other.spec.key === news.job);
    if (!job) return;
    applyDownstreamNews(this.#run, job, news);
    const joins = job.spec.downstream?.strategy !== undefined && job.status.phase === 'ended';
    if (news.what !== 'revived' || !joins || news.attempt !== job.status.attempt || this.stopping) return;
    if (job.link) job.link.reattach = true;
    this.retry(job);
  }

  /**
   * A trigger job without a strategy has ended while its child runs: the child is cancelled with the parent.
   */
  #cancelChild(job: JobRun): void {
    if (job.status.phase === 'ended' && job.status.downstream)
      void this.#scope.run(() => cancelDownstream(job));
  }

  /** Ends one job; the jobs that depend on it follow by the rules. */
  cancelJob(job: JobRun): void {
    if (job.link) job.link.detach = false;
    this.#stop(job);
    this.advance();
  }

  /**
   * Ends everything that is open. Idempotent; the first reason is kept. Optional manual jobs stay playable,
   * as in GitLab.
   */
  cancelAll(reason: string, by: 'person' | 'newer' = 'person'): void {
    this.cancelled ??= reason;
    if (by === 'person') for (const job of this.#run.jobs) this.#cancelChild(job);
    for (const job of this.#run.jobs) if (job.link) job.link.detach = by === 'newer';
    for (const job of this.#run.jobs) if (tokenOf(job.spec, viewOf(job)) !== 'ignored') this.#stop(job);
    this.advance();
  }

  /** For a cancel request of Temporal. */
  cancelPermanently(reason: string): void {
    this.#final = true;
    this.cancelAll(reason);
  }

  /** At the pipeline's deadline: jobs that wait for a person expire, the rest is cancelled. */
  expire(reason: string): void {
    for (const job of this.#run.jobs) {
      if (job.state.phase === 'gate') decideGate(job, 'expired');
      else if (job.state.phase === 'manual' && tokenOf(job.spec, viewOf(job)) === 'manual')
        this.#end(job, {
          outcome: 'expired',
          kind: 'expired',
          started: false,
          endedAt: Date.now(),
          message: reason,
        });
    }
    this.cancelAll(reason);
  }

  /** A newer pipeline of the same ref has started. */
  supersede(by: string): void {
    this.#newer ??= by;
    this.applyAutoCancel();
  }

  /**
   * Repeated at every change of a phase: while it is unknown which jobs have started, the newer pipeline
   * waits.
   */
  applyAutoCancel(): void {
    if (this.#newer === undefined || this.cancelled !== undefined) return;
    const reason = `superseded by ${this.#newer}`;
    const effect = supersedeEffect(
      this.#run.plan.autoCancel.onNewCommit,
      this.#run.jobs.map((job) => ({ job: job.spec, started: startedOf(job.status) })),
    );
    if (effect === 'wait') return;
    this.#newer = undefined;
    if (effect === 'cancel') this.cancelAll(reason, 'newer');
    if (effect !== 'cancel-interruptible') return;
    for (const job of this.#run.jobs) {
      if (job.link) job.link.detach = true;
      if (job.spec.interruptible) this.#stop(job);
    }
    this.advance();
  }

  #stop(job: JobRun): void {
    if (job.state.phase === 'ended') return;
    if ('scope' in job.state) {
      const { phase, scope } = job.state;
      if (phase === 'dispatched' || phase === 'running')
        setPhase(this.#run, job, { phase: 'stopping', scope });
      // An approval that arrives now must not revive it.
      closeGate(job);
      scope.cancel();
    } else this.#end(job, { outcome: 'cancelled', started: false, endedAt: Date.now() });
  }

  #end(job: JobRun, result: JobResult): void {
    const { plan, locks } = this.#run;
    job.status.outcome = result.outcome;
    job.status.result = result;
    job.status.allowedToFail = isAllowed(job.spec, {
      ...viewOf(job),
      outcome: result.outcome,
      exitCode: result.exitCode,
    });
    setPhase(this.#run, job, { phase: 'ended' });
    void this.#scope.run(() => locks.withdraw(job.spec));
    const failed = tokenOf(job.spec, viewOf(job)) === 'failed';
    if (failed && plan.autoCancel.onJobFailure === 'all') this.cancelAll(`${job.spec.key} failed`);
  }

  #revive(job: JobRun): void {
    for (const index of jobsAfter(this.#run.graph, job.index)) {
      const other = this.#run.jobs[index];
      const result = other?.status.result;
      if (other?.status.phase === 'ended' && result?.outcome === 'skipped' && result.kind !== 'outdated') {
        other.askedAgain = false;
        this.#reset(other);
      }
    }
  }

  #reset(job: JobRun): void {
    job.status.outcome = undefined;
    job.status.result = undefined;
    job.status.allowedToFail = false;
    job.status.turn = (job.status.turn ?? 0) + 1;
    setPhase(this.#run, job, { phase: 'created' });
  }
}
