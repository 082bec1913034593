/**
 * One run of one pipeline: compile, schedule, record. It runs the plan's skeleton; scripts, variables and
 * specs stay in the blob store. It always ends by itself, with its verdict recorded: a cancel request is
 * handled like any other message. In Temporal it ends as its pipeline did.
 *
 * PIPELINE-1 The handlers are set before the first await, so that no message is lost.
 * PIPELINE-2 The verdict is visible (query, attributes, record) before anything is cleaned up.
 * PIPELINE-3 Requests between verdict and close are carried out: it looks again before it closes.
 */
import { ApplicationFailure } from '@temporalio/common';
import { allHandlersFinished, CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { CompileOutput } from '../../activities/contract.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import type { Asker, PipelineInput, PipelineState, PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import { composite, isAllowed } from '../../src/plan/policy/status.ts';
import { allWaitsOf, isStill, waitsOf } from '../../src/plan/policy/waits.ts';
import { DEADLINE_REASON, workflowEnd } from '../../src/plan/policy/workflow-end.ts';
import { bestEffort, compiling, durable } from '../activities.ts';
import { compilePatiently } from './compile-patiently.ts';
import { unproven, verifies } from '../proof.ts';
import { decide, outdated, type DecisionTarget } from './submit-decision.ts';
import { causeMessage } from '../failures.ts';
import { hasVersion } from '../versions.ts';
import { CancelRequest } from './cancel-request.ts';
import { throwEnd } from './end-workflow.ts';
import { setPipelineHandlers } from './handlers.ts';
import { makeRun } from './make-run.ts';
import { UpstreamLink } from '../upstream-link.ts';
import { ForgeLink } from './forge-link.ts';
import { reportEnd } from './project-link.ts';
import { Scheduler } from './scheduler.ts';
import { viewOf } from '../job/state.ts';
import { Visibility } from '../visibility.ts';

type Compiled = Extract<CompileOutput, { kind: 'plan' }>;
type Planned =
  | { compiled: Compiled; seed?: PipelineRecord }
  | { state: PipelineState; reason: string; cause?: PipelineStatus['cause'] };

/** Workflow `pipeline/SLUG/IID`; its result, or the details of its failure, are the verdict. */
export async function pipeline(input: PipelineInput): Promise<PipelineState> {
  const root = CancellationScope.current();
  const own = new CancellationScope({ cancellable: false });
  return own.run(() => new PipelineWorkflow(input, { root, own }).run());
}

class PipelineWorkflow {
  readonly #input: PipelineInput;
  readonly #upstream: UpstreamLink;
  readonly #forge: ForgeLink;
  readonly #own: CancellationScope;
  readonly #cancelRequest: CancelRequest;
  #startedAt = Date.now();
  readonly #visibility = new Visibility(
    () => this.status(),
    () => this.#waits(),
  );
  readonly #compiling = new CancellationScope({ cancellable: true });
  #target: DecisionTarget | undefined;
  #warnings: string[] = [];
  #title: string | undefined;
  #reason: string | undefined;
  /** Why the forge is waited for. */
  #away: string | undefined;
  #cause: PipelineStatus['cause'];
  /** The verdict if no job determines it: a faulty or empty file, or a cancel before there was a plan. */
  #fixed: PipelineState | undefined;
  #cancelled: string | undefined;
  #cancelledBy: PipelineStatus['cancelledBy'];
  #newer: string | undefined;
  /** False in a run from before the forge was told each state. */
  #tellsForge = false;
  #endedAt: number | undefined;
  /** Cancel requests whose proof is being verified: the record names the person. */
  #verifying = 0;

  constructor(input: PipelineInput, scopes: { root: CancellationScope; own: CancellationScope }) {
    this.#input = input;
    this.#upstream = new UpstreamLink(input);
    this.#forge = new ForgeLink(input, scopes.own);
    this.#own = scopes.own;
    setPipelineHandlers({
      id: input.id,
      status: () => this.status(),
      target: () => this.#target,
      superseded: (by) => this.#supersede(by),
      cancelled: (by) => this.#cancelBy(by),
      downstream: (news) => this.#target?.scheduler.onDownstreamNews(news),
      followed: (by) => this.#upstream.addFollower(by, this.status()),
    });
    this.#cancelRequest = new CancelRequest(scopes.root, () => this.#cancel('cancelled'));
  }

  async run(): Promise<PipelineState> {
    await this.#mustBeProven();
    const planned = await this.#plan();
    if ('state' in planned) {
      this.#fixed = planned.state;
      this.#reason = planned.reason;
      this.#cause = planned.cause;
    } else this.#schedule(planned.compiled, planned.seed);
    for (;;) {
      await this.#target?.scheduler.settled();
      if (this.#verifying > 0) await condition(() => this.#verifying === 0);
      this.#endedAt = Date.now();
      const begun = this.#target?.scheduler.begun;
      await this.#close(planned);
      await condition(allHandlersFinished);
      if (this.#isOver() && (await this.#mayEnd(begun))) return this.#end();
    }
  }

  /** False where a job has begun since the verdict was recorded, even if it has ended again. */
  async #mayEnd(begun: number | undefined): Promise<boolean> {
    const isNew = (): boolean => this.#target?.scheduler.begun !== begun;
    const isUnseen = workflowEnd(this.status()).as === 'canceled' && !this.#cancelRequest.seen;
    if ((!isNew() && !isUnseen) || !hasVersion('endsAsItsPipeline')) return true;
    if (isNew()) return false;
    this.#target?.scheduler.close();
    await this.#cancelRequest.ask();
    await condition(allHandlersFinished);
    return this.#isOver() && !isNew();
  }

  #end(): PipelineState {
    const status = this.status();
    const end = workflowEnd(status);
    if (end.as !== 'completed' && hasVersion('endsAsItsPipeline'))
      throwEnd(end, status.state, { cancelSeen: this.#cancelRequest.seen });
    return status.state;
  }

  status(): PipelineStatus {
    const { trigger } = this.#input;
    const jobs = this.#target?.run.jobs ?? [];
    return {
      id: this.#input.id,
      number: this.#input.number,
      project: trigger.project,
      ref: trigger.ref,
      sha: trigger.sha,
      title: this.#title ?? trigger.title,
      source: trigger.source,
      state: this.#state(),
      warnings: [...this.#warnings, ...this.#allowedFailures()],
      reason: this.#target?.scheduler.cancelled ?? this.#away ?? this.#reason,
      ...(this.#cause && { cause: this.#cause }),
      ...(this.#cancelledBy && { cancelledBy: this.#cancelledBy }),
      startedAt: this.#startedAt,
      endedAt: this.#isOver() ? this.#endedAt : undefined,
      waitingFor: this.#away === undefined ? waitsOf(jobs) : ['forge'],
      ...(this.#target && { plan: this.#target.run.planBlob }),
      ...(this.#target?.run.plan.trust?.protectedRef && { protected: true as const }),
      ...(this.#target?.run.plan.trust?.fork && { fork: true as const }),
      ...(trigger.upstream && {
        upstream: { pipeline: trigger.upstream.pipeline, job: trigger.upstream.job },
      }),
      jobs: jobs.map((job) => job.status),
    };
  }

  #state(): PipelineState {
    if (this.#fixed) return this.#fixed;
    if (!this.#target) return 'created';
    const { run, scheduler } = this.#target;
    const state = composite(scheduler.tally());
    const hasCancelledJob = run.jobs.some((job) => job.status.outcome === 'cancelled');
    // Cancelled jobs that are allowed to fail would make a cancelled pipeline look successful.
    return scheduler.cancelled !== undefined &&
      hasCancelledJob &&
      (state === 'success' || state === 'skipped')
      ? 'canceled'
      : state;
  }

  #waits(): { all: string[]; still: boolean } {
    if (this.#away !== undefined) return { all: ['forge'], still: true };
    const jobs = this.#target?.run.jobs ?? [];
    return { all: allWaitsOf(jobs), still: isStill(jobs) };
  }

  #allowedFailures(): string[] {
    return (this.#target?.run.jobs ?? [])
      .filter((job) => isAllowed(job.spec, viewOf(job)))
      .map((job) => `${job.spec.key}: ${job.status.outcome}, which is allowed`);
  }

  #isOver(): boolean {
    return this.#fixed !== undefined || this.#target?.scheduler.isSettled === true;
  }

  async #plan(): Promise<Planned> {
    try {
      return await this.#compiling.run(() =>
        this.#input.seed ? this.#load(this.#input.seed.record) : this.#compile(),
      );
    } catch (error) {
      if (this.#cancelled !== undefined) return { state: 'canceled', reason: this.#cancelled };
      return { state: 'failed', reason: causeMessage(error) };
    }
  }

  /**
   * Only the project starts pipelines, for requests and decisions that the server has made. Any other start fails before
   * it has recorded or run anything.
   */
  async #mustBeProven(): Promise<void> {
    const { id, trigger, seed } = this.#input;
    if (!verifies()) return;
    const reason = await unproven(
      seed ? { kind: 'decision', pipeline: id, decision: seed.decision } : { kind: 'trigger', trigger },
    );
    if (reason !== undefined) throw ApplicationFailure.nonRetryable(reason, 'decision/unproven');
  }

  async #load(digest: Digest): Promise<Planned> {
    const { record, compiled } = await compiling.loadRecord({ record: digest });
    if (compiled) return { compiled, seed: record };
    return {
      state: record.status.state,
      reason: 'Its plan is no longer in the store. Start a new pipeline.',
    };
  }

  async #compile(): Promise<Planned> {
    const { id, iid, number, trigger, order } = this.#input;
    const input = { id, iid, number, trigger, ...(order !== undefined && { order }) };
    const output = await compilePatiently(input, (why) => {
      this.#away = why;
      this.#visibility.changed();
    });
    if (output.kind === 'plan') return { compiled: output };
    if (output.kind === 'empty') return { state: 'skipped', reason: output.reason };
    const reason = output.problems.join('\n');
    const { cause } = output;
    return cause ? { state: 'failed', reason, cause } : { state: 'config_error', reason };
  }

  #schedule(compiled: Compiled, seed: PipelineRecord | undefined): void {
    this.#warnings = compiled.warnings;
    this.#title = seed?.status.title ?? compiled.title;
    this.#startedAt = seed?.status.startedAt ?? this.#startedAt;
    const changed = (): void => {
      this.#visibility.changed();
      if (this.#tellsForge) this.#forge.changed(() => this.status());
      this.#target?.scheduler.applyAutoCancel();
      if (this.#upstream.hasListeners) this.#upstream.changed(this.status());
    };
    const run = makeRun(this.#input, compiled, seed, changed);
    const scheduler = new Scheduler(run, this.#own);
    this.#target = { run, scheduler };
    run.locks.announce(run.jobs.filter((job) => job.status.phase === 'created').map((job) => job.spec));
    if (this.#newer !== undefined) scheduler.supersede(this.#newer);
    this.#upstream.created();
    this.#watchDeadline(compiled.limits.pipelineTimeoutMs);
    if (seed?.status.endedAt !== undefined) this.#forge.after(seed.status.endedAt);
    this.#tellsForge = hasVersion('statusOfEachState');
    if (!this.#tellsForge) void this.#report('running');
    if (this.#cancelled !== undefined && !seed) return scheduler.cancelPermanently(this.#cancelled);
    const isCurrent = this.#isCurrent(seed);
    // With a record, the first step restores what was open; the decision may be about that.
    scheduler.advance();
    if (this.#cancelled !== undefined) scheduler.cancelPermanently(this.#cancelled);
    else if (this.#input.seed && isCurrent) decide(this.#target, this.#input.seed.decision);
  }

  /** Whether the decision that it begins with is about the state in the record. */
  #isCurrent(record: PipelineRecord | undefined): boolean {
    const decision = this.#input.seed?.decision;
    const job = record?.status.jobs.find(({ key }) => key === decision?.job);
    return !decision || !job || outdated(job, decision) === undefined;
  }

  /** Best effort for the forge, without a limit for the record; containers are released at the same time. */
  async #close(planned: Planned): Promise<void> {
    const status = this.status();
    this.#visibility.show();
    const plan = 'compiled' in planned ? planned.compiled.planBlob : undefined;
    const { trigger, order } = this.#input;
    const record = { version: 1, status, trigger, order, plan } as const;
    const recorded = durable.recordPipeline({ record }).catch((error: unknown) => {
      this.#warnings = [...this.#warnings, `The pipeline was not recorded: ${causeMessage(error)}`];
    });
    await Promise.all([
      // The forge is told what the record says.
      hasVersion('statusOfEachState')
        ? recorded.then(() => this.#forge.ended(status))
        : Promise.all([recorded, this.#report(status.state)]),
      this.#target?.run.cleanup.flush(),
    ]);
    await this.#upstream.ended(status);
    await reportEnd(this.#input, status.state);
  }

  async #report(state: PipelineState): Promise<void> {
    const { project, sha, ref, source, sourceBlob, upstream, fork } = this.#input.trigger;
    // A forge does not know a working tree; and the verdict about a child's commit is that of its parent.
    if (source === 'cli' || (upstream && (upstream.depth > 0 || sourceBlob !== undefined))) return;
    try {
      await bestEffort.reportCommitStatus({
        project,
        id: this.#input.id,
        sha,
        ref,
        state,
        ...(fork && { fork }),
      });
    } catch {
      // The activity logs it; an unreachable forge never fails a pipeline.
    }
  }

  #cancelBy(by: Asker): void | Promise<void> {
    const cancel = (): void => {
      this.#cancelledBy ??= { actor: by.actor, role: by.role, at: Date.now() };
      this.#cancel('cancelled');
    };
    if (!verifies()) return cancel();
    this.#verifying += 1;
    return unproven({ kind: 'cancel', pipeline: this.#input.id, by })
      .then((reason) => (reason === undefined ? cancel() : undefined))
      .finally(() => {
        this.#verifying -= 1;
      });
  }

  #cancel(reason: string): void {
    this.#cancelled ??= reason;
    // The record of an earlier run is loaded to the end: its content must not be lost.
    if (!this.#input.seed) this.#compiling.cancel();
    this.#target?.scheduler.cancelPermanently(reason);
  }

  #supersede(by: string): void {
    this.#newer ??= by;
    this.#target?.scheduler.supersede(by);
  }

  #watchDeadline(ms: number): void {
    void sleep(ms, { summary: 'deadline of the pipeline' }).then(() =>
      this.#target?.scheduler.expire(DEADLINE_REASON),
    );
  }
}
