/**
 * Role: keeps an activity alive by heartbeats that name the host, and knows why it has to end.
 *
 * Why an activity ends early:
 * - cancelled: the workflow asked. Stop the container, clean up.
 * - closed: the workflow has ended without asking. Do the same.
 * - detached: the worker stops, or the server gave up on this dispatch. The container continues.
 * - stale: another dispatch has taken over and owns the container. Touch nothing.
 */
import { Context } from '@temporalio/activity';
import { constant, retry } from '../../src/utils/retry.ts';
import type { WorkflowLookup } from '../../src/adapters/ports.ts';
import type { RunRef } from './container-names.ts';
import { startHeartbeat } from './heartbeat.ts';

export type EndReason = 'cancelled' | 'closed' | 'detached' | 'stale';

const HEARTBEAT_MS = 3_000;
/** Far below any heartbeat timeout. */
const CONFIRM_MS = 2_000;

/** Thrown by `signal` to waiting code when the activity has to end; `reason` names the cause. */
export class ActivityEnded extends Error {
  override readonly name = 'Ended';
  readonly reason: EndReason;

  constructor(reason: EndReason) {
    super(`the activity has to end: ${reason}`);
    this.reason = reason;
  }
}

/** A heartbeat that the server has acknowledged; `Context.heartbeat` only promises to send one later. */
export interface HeartbeatAck {
  /** Returns `cancelled` if the workflow asked for that, `closed` if this activity is over. */
  beat(
    activity: { workflowId: string; runId: string; activityId: string },
    details: { host: string },
  ): Promise<'recorded' | 'cancelled' | 'closed'>;
}
export interface LeaseDeps {
  ack: HeartbeatAck;
  workflows: WorkflowLookup;
  worker: { hostId: string };
  /** Aborted when the worker stops: containers of jobs continue. */
  stopping: AbortSignal;
  /** Tests: shorter than 3 s. */
  heartbeatMs?: number;
}

export class ActivityLease {
  readonly run: RunRef;
  /** The queue of the task. */
  readonly taskQueue: string;
  readonly #activityId: string;
  readonly #context = Context.current();
  readonly #deps: LeaseDeps;
  readonly #controller = new AbortController();
  readonly #stopHeartbeat: () => void;
  #acknowledgedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: LeaseDeps) {
    const { workflowExecution, activityId, taskQueue } = this.#context.info;
    this.run = {
      workflowId: workflowExecution?.workflowId ?? '',
      runId: workflowExecution?.runId ?? '',
    };
    this.taskQueue = taskQueue;
    this.#activityId = activityId;
    this.#deps = deps;
    this.#stopHeartbeat = startHeartbeat(deps.worker.hostId, deps.heartbeatMs ?? HEARTBEAT_MS);
    this.#context.cancellationSignal.addEventListener('abort', this.#onCancel);
    deps.stopping.addEventListener('abort', this.#onStopping);
    if (this.#context.cancellationSignal.aborted) this.#onCancel();
    if (deps.stopping.aborted) this.#onStopping();
  }

  /** Aborted, with an `ActivityEnded` as its reason, when the activity has to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The job continues elsewhere, or later: work for it here is useless. */
  get left(): boolean {
    const why: unknown = this.signal.reason;
    return why instanceof ActivityEnded && (why.reason === 'detached' || why.reason === 'stale');
  }

  /**
   * Resolves when the server has recorded that this host has the job; from here on a lost worker is found by
   * it.
   */
  async acknowledge(): Promise<void> {
    const answer = await this.#deps.ack.beat(
      { ...this.run, activityId: this.#activityId },
      { host: this.#deps.worker.hostId },
    );
    if (answer === 'cancelled') this.#end('cancelled');
    if (answer === 'closed') await this.#decideNotFound();
    this.signal.throwIfAborted();
    this.#acknowledgedAt = performance.now();
  }

  /**
   * Confirms again if the last time is a while ago: a frozen worker may have been given up. Waits for
   * Temporal.
   */
  async confirm(): Promise<void> {
    this.signal.throwIfAborted();
    if (performance.now() - this.#acknowledgedAt <= CONFIRM_MS) return;
    // A failure means that Temporal is down, and then no one can take the job away.
    const policy = { retryable: () => true, backoff: constant(CONFIRM_MS), signal: this.signal };
    await retry(() => this.acknowledge(), policy);
  }

  close(): void {
    this.#stopHeartbeat();
    this.#context.cancellationSignal.removeEventListener('abort', this.#onCancel);
    this.#deps.stopping.removeEventListener('abort', this.#onStopping);
  }

  readonly #onStopping = (): void => this.#end('detached');

  readonly #onCancel = (): void => {
    const why = this.#context.cancellationDetails;
    if (why?.cancelRequested) this.#end('cancelled');
    else if (why?.notFound) void this.#decideNotFound();
    else this.#end('detached');
  };

  /** Temporal returns not-found for a closed workflow, and for a dispatch that another one has replaced. */
  async #decideNotFound(): Promise<void> {
    try {
      const closed = await this.#deps.workflows.isClosed(this.run.workflowId, this.run.runId);
      this.#end(closed ? 'closed' : 'stale');
    } catch {
      // No answer means keep: the janitor removes the container once it knows that the workflow is closed.
      this.#end('stale');
    }
  }

  #end(reason: EndReason): void {
    if (!this.signal.aborted) this.#controller.abort(new ActivityEnded(reason));
  }
}
