/**
 * Runs a plan: starts a job when its turn has come, ends it, and looks again. Event-driven: it awaits one promise a job,
 * never a wave, never one `condition` a job. The rules are `src/plan/schedule.ts`; this file keeps the promises.
 *
 * R1 Every job's life runs in a scope of its own below the pipeline's, whoever started it: a handler's scope is not used.
 * R2 A phase leaves `created` in the same synchronous step that decided it, so no job starts twice.
 * R3 Nothing is started once the pipeline is being cancelled.
 */
import { CancellationScope } from '@temporalio/workflow';
import type { DownstreamNews } from '../src/plan/downstream.ts';
import { downstream } from '../src/plan/graph.ts';
import type { JobResult } from '../src/plan/outcome.ts';
import { nextSteps, waitsFor, whySkipped, type StepKind } from '../src/plan/schedule.ts';
import { isAllowed, isSettled, tally, tokenOf, type Tally } from '../src/plan/status.ts';
import { supersedeEffect, startedOf } from '../src/plan/supersede.ts';
import { cancelDownstream, hear } from './downstream.ts';
import { lifeOf } from './job.ts';
import { enter, viewOf, type JobRun, type Run } from './state.ts';

export class Scheduler {
  readonly #run: Run;
  /** The pipeline's own scope, that no cancel request reaches. */
  readonly #scope: CancellationScope;
  #settled: (() => void) | undefined;
  #newer: string | undefined;
  /** Why it is being cancelled; undefined while it is not. */
  cancelled: string | undefined;
  /** Cancelled by request: Temporal delivers that once a run, so this run takes up nothing more. */
  #final = false;

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

  /** While a cancel is under way nothing can be asked for: it could only end cancelled. */
  get stopping(): boolean {
    return this.#final || (this.cancelled !== undefined && !this.isSettled);
  }

  tally(): Tally {
    return tally(this.#run.jobs.map((one) => tokenOf(one.job, viewOf(one))));
  }

  /** Takes every step there is to take now. */
  advance(): void {
    const { graph, jobs } = this.#run;
    const steps = this.cancelled === undefined ? nextSteps(graph, jobs.map(viewOf)) : [];
    for (const step of steps) {
      const one = jobs[step.index];
      // An earlier step of this list may have ended it (auto_cancel on failure).
      if (one?.status.phase !== 'created') continue;
      if (step.to === 'skip') this.#skip(one);
      else if (step.to === 'manual') enter(this.#run, one, { phase: 'manual', waitingFor: 'manual' });
      else this.start(one, step.to);
    }
    const views = jobs.map(viewOf);
    for (const one of jobs)
      if (one.status.phase === 'created') one.status.waitingFor = waitsFor(graph, one.index, views);
    this.#run.changed();
    if (this.isSettled) this.#settled?.();
  }

  #skip(one: JobRun): void {
    const { graph, jobs } = this.#run;
    const message = whySkipped(graph, one.index, jobs.map(viewOf));
    this.#end(one, { outcome: 'skipped', started: false, endedAt: Date.now(), message });
  }

  /** Begins a life of the job. */
  start(one: JobRun, via: Exclude<StepKind, 'skip' | 'manual'>): void {
    const scope = new CancellationScope({ cancellable: true, parent: this.#scope });
    one.scope = scope;
    enter(this.#run, one, { phase: 'dispatched' });
    void scope
      .run(() => lifeOf(this.#run, one, via))
      .then((result) => {
        one.scope = undefined;
        this.#end(one, result);
        this.advance();
      });
  }

  /** Runs an ended job again, and revives what was skipped because of it. */
  again(one: JobRun): void {
    this.cancelled = undefined;
    one.again = true;
    this.#revive(one);
    this.#reset(one);
    this.advance();
  }

  /** Starts an ended job whatever became of those before it. */
  anew(one: JobRun): void {
    this.cancelled = undefined;
    one.again = true;
    this.#revive(one);
    this.#reset(one);
    this.start(one, 'start');
    this.advance();
  }

  /** Starts a manual job, and revives what was skipped because nobody had. */
  play(one: JobRun): void {
    this.cancelled = undefined;
    this.#revive(one);
    this.start(one, 'start');
    this.advance();
  }

  /** Of the pipeline that a job has started. One that had ended and runs on takes its job along, as in GitLab. */
  downstream(news: DownstreamNews): void {
    const one = this.#run.jobs.find((other) => other.job.key === news.job);
    if (!one) return;
    hear(this.#run, one, news);
    const joins = one.job.downstream?.strategy !== undefined && one.status.phase === 'ended';
    if (news.what !== 'revived' || !joins || news.attempt !== one.status.attempt || this.stopping) return;
    one.rejoins = true;
    this.again(one);
  }

  /** A job without a strategy is done, and its child runs on: it goes with its parent. */
  #cancelChild(one: JobRun): void {
    if (one.status.phase === 'ended' && one.status.downstream)
      void this.#scope.run(() => cancelDownstream(one));
  }

  /** Ends one job; what depends on it follows by the rules. */
  cancelJob(one: JobRun): void {
    one.leavesDownstream = false;
    this.#stop(one);
    this.advance();
  }

  /** Ends all that is open. Idempotent; the first reason stands. Optional manual jobs stay playable, as in GitLab. */
  cancelAll(reason: string, by: 'person' | 'newer' = 'person'): void {
    this.cancelled ??= reason;
    if (by === 'person') for (const one of this.#run.jobs) this.#cancelChild(one);
    for (const one of this.#run.jobs) one.leavesDownstream = by === 'newer';
    for (const one of this.#run.jobs) if (tokenOf(one.job, viewOf(one)) !== 'ignored') this.#stop(one);
    this.advance();
  }

  /** By a cancel request of Temporal. */
  cancelForGood(reason: string): void {
    this.#final = true;
    this.cancelAll(reason);
  }

  /** Past the pipeline's deadline: who waits for a person has expired, the rest is cancelled. */
  expire(reason: string): void {
    for (const one of this.#run.jobs) {
      if (one.status.phase === 'gate') {
        one.gate?.resolve('expired');
        one.gate = undefined;
      } else if (one.status.phase === 'manual' && tokenOf(one.job, viewOf(one)) === 'manual')
        this.#end(one, {
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
    this.considerNewer();
  }

  /** Asked again whenever a job's phase is another: while it is not known what has started, a newer pipeline waits. */
  considerNewer(): void {
    if (this.#newer === undefined || this.cancelled !== undefined) return;
    const reason = `superseded by ${this.#newer}`;
    const effect = supersedeEffect(
      this.#run.plan.autoCancel.onNewCommit,
      this.#run.jobs.map((one) => ({ job: one.job, started: startedOf(one.status) })),
    );
    if (effect === 'wait') return;
    this.#newer = undefined;
    if (effect === 'cancel') this.cancelAll(reason, 'newer');
    if (effect !== 'cancel-interruptible') return;
    for (const one of this.#run.jobs) {
      one.leavesDownstream = true;
      if (one.job.interruptible) this.#stop(one);
    }
    this.advance();
  }

  #stop(one: JobRun): void {
    if (one.status.phase === 'ended') return;
    if (one.scope) {
      const busy = one.status.phase === 'dispatched' || one.status.phase === 'running';
      if (busy) enter(this.#run, one, { phase: 'stopping' });
      // No approval that comes in this moment revives it.
      one.gate = undefined;
      one.scope.cancel();
    } else this.#end(one, { outcome: 'cancelled', started: false, endedAt: Date.now() });
  }

  #end(one: JobRun, result: JobResult): void {
    const { plan, locks } = this.#run;
    one.status.outcome = result.outcome;
    one.status.result = result;
    one.status.allowedToFail = isAllowed(one.job, {
      ...viewOf(one),
      outcome: result.outcome,
      exitCode: result.exitCode,
    });
    enter(this.#run, one, { phase: 'ended' });
    void this.#scope.run(() => locks.withdraw(one.job));
    const failed = tokenOf(one.job, viewOf(one)) === 'failed';
    if (failed && plan.autoCancel.onJobFailure === 'all') this.cancelAll(`${one.job.key} failed`);
  }

  #revive(one: JobRun): void {
    for (const at of downstream(this.#run.graph, one.index)) {
      const other = this.#run.jobs[at];
      const result = other?.status.result;
      if (other?.status.phase === 'ended' && result?.outcome === 'skipped' && result.kind !== 'outdated')
        this.#reset(other);
    }
  }

  #reset(one: JobRun): void {
    one.status.outcome = undefined;
    one.status.result = undefined;
    one.status.allowedToFail = false;
    enter(this.#run, one, { phase: 'created' });
  }
}
