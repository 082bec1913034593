/**
 * One run of one pipeline: compile, schedule, record. What it runs is the Plan's skeleton; scripts, variables and specs stay
 * in the blob store. It ends by itself only, with its verdict recorded: a cancel request is a wish that it carries out.
 *
 * P1 The handlers stand before the first await, so no message is lost.
 * P2 The verdict shows (query, attributes, record) before anything is tidied up.
 * P3 What is asked for between verdict and close is done: it looks again before it closes.
 */
import { allHandlersFinished, CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { CompileOutput } from '../../activities/contract.ts';
import type { Digest } from '../../src/plan/model/ids.ts';
import type { PipelineInput, PipelineState, PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineRecord } from '../../src/plan/model/records.ts';
import { composite, isAllowed } from '../../src/plan/policy/status.ts';
import { bestEffort, compiling, durable } from '../activities.ts';
import { decide, type DecisionTarget } from './submit-decision.ts';
import { causeMessage, classify } from '../failures.ts';
import { listen } from './handlers.ts';
import { makeRun } from './make-run.ts';
import { UpstreamLink } from '../upstream-link.ts';
import { tellEnded } from './project-link.ts';
import { Scheduler } from './scheduler.ts';
import { viewOf } from '../job/state.ts';
import { Visibility } from '../visibility.ts';

type Compiled = Extract<CompileOutput, { kind: 'plan' }>;
type Planned = { compiled: Compiled; seed?: PipelineRecord } | { state: PipelineState; reason: string };

/** Workflow `pipeline/SLUG/IID`; its result is the verdict. */
export async function pipeline(input: PipelineInput): Promise<PipelineState> {
  const root = CancellationScope.current();
  const own = new CancellationScope({ cancellable: false });
  return own.run(() => new PipelineWorkflow(input, { root, own }).run());
}

class PipelineWorkflow {
  readonly #input: PipelineInput;
  readonly #upstream: UpstreamLink;
  readonly #own: CancellationScope;
  #startedAt = Date.now();
  readonly #visibility = new Visibility(() => this.status());
  readonly #compiling = new CancellationScope({ cancellable: true });
  #deciding: DecisionTarget | undefined;
  #warnings: string[] = [];
  #reason: string | undefined;
  /** Where no job decides: the file is wrong, or empty, or it was cancelled before it had a plan. */
  #fixed: PipelineState | undefined;
  #cancelled: string | undefined;
  #cancelledBy: PipelineStatus['cancelledBy'];
  #newer: string | undefined;
  #endedAt: number | undefined;

  constructor(input: PipelineInput, scopes: { root: CancellationScope; own: CancellationScope }) {
    this.#input = input;
    this.#upstream = new UpstreamLink(input);
    this.#own = scopes.own;
    listen({
      status: () => this.status(),
      deciding: () => this.#deciding,
      superseded: (by) => this.#supersede(by),
      cancelled: ({ actor, role }) => {
        this.#cancelledBy ??= { actor, role, at: Date.now() };
        this.#cancel('cancelled');
      },
      downstream: (news) => this.#deciding?.scheduler.onDownstreamNews(news),
      followed: (by) => this.#upstream.follows(by, this.status()),
    });
    void scopes.root.cancelRequested.catch(() => this.#cancel('cancelled'));
  }

  async run(): Promise<PipelineState> {
    const planned = await this.#plan();
    if ('state' in planned) {
      this.#fixed = planned.state;
      this.#reason = planned.reason;
    } else this.#schedule(planned.compiled, planned.seed);
    for (;;) {
      await this.#deciding?.scheduler.settled();
      this.#endedAt = Date.now();
      await this.#close(planned);
      await condition(allHandlersFinished);
      if (this.#isOver()) return this.status().state;
    }
  }

  status(): PipelineStatus {
    const { trigger } = this.#input;
    const jobs = this.#deciding?.run.jobs ?? [];
    const over = this.#isOver();
    return {
      id: this.#input.id,
      number: this.#input.number,
      project: trigger.project,
      ref: trigger.ref,
      sha: trigger.sha,
      title: trigger.title,
      source: trigger.source,
      state: this.#state(),
      warnings: [...this.#warnings, ...this.#allowed()],
      reason: this.#deciding?.scheduler.cancelled ?? this.#reason,
      ...(this.#cancelledBy && { cancelledBy: this.#cancelledBy }),
      startedAt: this.#startedAt,
      endedAt: over ? this.#endedAt : undefined,
      waitingFor: this.#waitingFor(),
      ...(this.#deciding?.run.plan.trust?.protectedRef && { protected: true as const }),
      ...(this.#deciding?.run.plan.trust?.fork && { fork: true as const }),
      ...(trigger.upstream && {
        upstream: { pipeline: trigger.upstream.pipeline, job: trigger.upstream.job },
      }),
      jobs: jobs.map((job) => job.status),
    };
  }

  #state(): PipelineState {
    if (this.#fixed) return this.#fixed;
    if (!this.#deciding) return 'created';
    const { run, scheduler } = this.#deciding;
    const state = composite(scheduler.tally());
    const cut = run.jobs.some((job) => job.status.outcome === 'cancelled');
    // Cancelled jobs that are allowed to fail would make a cancelled pipeline look well.
    return scheduler.cancelled !== undefined && cut && (state === 'success' || state === 'skipped')
      ? 'canceled'
      : state;
  }

  /** Kinds of what is waited for now; a job whose turn has not come waits for other jobs, which say it themselves. */
  #waitingFor(): string[] {
    const kinds = (this.#deciding?.run.jobs ?? []).flatMap(({ status }) =>
      status.phase === 'created' || status.waitingFor === undefined || status.waitingFor === 'slots'
        ? []
        : [status.waitingFor],
    );
    return [...new Set(kinds)];
  }

  #allowed(): string[] {
    return (this.#deciding?.run.jobs ?? [])
      .filter((job) => isAllowed(job.spec, viewOf(job)))
      .map((job) => `${job.spec.key}: ${job.status.outcome}, which is allowed`);
  }

  #isOver(): boolean {
    return this.#fixed !== undefined || this.#deciding?.scheduler.isSettled === true;
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

  async #load(digest: Digest): Promise<Planned> {
    const { record, compiled } = await compiling.loadRecord({ record: digest });
    if (compiled) return { compiled, seed: record };
    return { state: record.status.state, reason: 'Its plan is not in the store any more; start it anew.' };
  }

  async #compile(): Promise<Planned> {
    const { id, iid, number, trigger } = this.#input;
    for (;;) {
      try {
        const answer = await compiling.compilePipeline({ id, iid, number, trigger });
        if (answer.kind === 'plan') return { compiled: answer };
        if (answer.kind === 'empty') return { state: 'skipped', reason: answer.reason };
        return { state: 'config_error', reason: answer.problems.join('\n') };
      } catch (error) {
        // Its worker went away: another one does it.
        if (classify(error).kind !== 'requeued') throw error;
        await sleep('1s');
      }
    }
  }

  #schedule(compiled: Compiled, seed: PipelineRecord | undefined): void {
    this.#warnings = compiled.warnings;
    this.#startedAt = seed?.status.startedAt ?? this.#startedAt;
    const changed = (): void => {
      this.#visibility.changed();
      this.#deciding?.scheduler.applyAutoCancel();
      if (this.#upstream.isHeard) this.#upstream.changed(this.status());
    };
    const run = makeRun({ input: this.#input, compiled, seed, changed });
    const scheduler = new Scheduler(run, this.#own);
    this.#deciding = { run, scheduler };
    run.locks.announce(run.jobs.filter((job) => job.status.phase === 'created').map((job) => job.spec));
    if (this.#newer !== undefined) scheduler.supersede(this.#newer);
    this.#upstream.created();
    this.#watchDeadline(compiled.limits.pipelineTimeoutMs);
    void this.#report('running');
    if (this.#cancelled !== undefined && !seed) return scheduler.cancelPermanently(this.#cancelled);
    // With a record the first look brings back what was open; only then can the decision be about it.
    scheduler.advance();
    if (this.#cancelled !== undefined) scheduler.cancelPermanently(this.#cancelled);
    else if (this.#input.seed) decide(this.#deciding, this.#input.seed.decision);
  }

  /** Best effort for the forge, patient for the record; what hosts keep is released beside. */
  async #close(planned: Planned): Promise<void> {
    const status = this.status();
    this.#visibility.show();
    const plan = 'compiled' in planned ? planned.compiled.planBlob : undefined;
    const { trigger, order } = this.#input;
    const record = { version: 1, status, trigger, order, plan } as const;
    await Promise.all([
      durable.recordPipeline({ record }).catch((error: unknown) => {
        this.#warnings = [...this.#warnings, `not recorded: ${causeMessage(error)}`];
      }),
      this.#report(status.state),
      this.#deciding?.run.cleanup.flush(),
    ]);
    await this.#upstream.ended(status);
    await tellEnded(this.#input, status.state);
  }

  async #report(state: PipelineState): Promise<void> {
    const { project, sha, ref, source, sourceBlob, upstream, fork } = this.#input.trigger;
    // A working tree is no commit that a forge knows; and a child is no verdict about its commit, its parent is.
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
      // The activity logs it; a forge that is away never fails a pipeline.
    }
  }

  #cancel(reason: string): void {
    this.#cancelled ??= reason; // The record of an earlier run is read to its end: what stands in it is not to be lost.
    if (!this.#input.seed) this.#compiling.cancel();
    this.#deciding?.scheduler.cancelPermanently(reason);
  }

  #supersede(by: string): void {
    this.#newer ??= by;
    this.#deciding?.scheduler.supersede(by);
  }

  #watchDeadline(ms: number): void {
    void sleep(ms, { summary: 'the pipeline must end' }).then(() =>
      this.#deciding?.scheduler.expire('The pipeline did not end before its deadline.'),
    );
  }
}
