/**
 * What a pipeline reports to the job that started it, and to the jobs that mirror it. A follower whose
 * pipeline has closed is skipped.
 */
import { getExternalWorkflowHandle } from '@temporalio/workflow';
import type { DownstreamNews, Follower } from '../src/plan/model/downstream.ts';
import { pipelineWorkflowId, type PipelineId } from '../src/plan/model/ids.ts';
import {
  FINAL_STATES,
  SIGNALS,
  type PipelineInput,
  type PipelineStatus,
} from '../src/plan/model/protocol.ts';
import type { Trigger } from '../src/plan/model/trigger.ts';

type Report = Pick<DownstreamNews, 'what' | 'state' | 'reason'> & { pipeline?: PipelineId };
/** Further followers check by themselves, now and then (job/downstream-attempt.ts). */
const MAX_FOLLOWERS = 500;

/** Does nothing for a pipeline that no job has started. Never rejects. */
export const reportUpstream = async (
  { upstream }: Pick<Trigger, 'upstream'>,
  report: Report,
): Promise<void> => upstream && send(upstream, report);

async function send({ pipeline, job, attempt }: Follower, report: Report): Promise<void> {
  const news: DownstreamNews = { job, attempt, ...report };
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(pipeline)).signal(SIGNALS.downstream, news);
  } catch {
    // It has closed; its record stays as it is.
  }
}

/** The side of the pipeline itself. */
export class UpstreamLink {
  readonly #input: PipelineInput;
  #followers: Follower[] = [];
  #blocked = false;
  /** One report after the other: signals that are sent together may arrive in any order. */
  #lastReport: Promise<void> = Promise.resolve();

  constructor(input: PipelineInput) {
    this.#input = input;
  }

  get hasListeners(): boolean {
    return this.#input.trigger.upstream !== undefined || this.#followers.length > 0;
  }

  /** A job of another pipeline mirrors this one: it receives the present state, and every later one. */
  addFollower(follower: Follower, { state, reason }: PipelineStatus): Promise<void> {
    if (this.#followers.length < MAX_FOLLOWERS) this.#followers = [...this.#followers, follower];
    const what = FINAL_STATES.includes(state) ? 'ended' : 'state';
    return this.#enqueue(() =>
      send(follower, { what, state, ...(reason !== undefined && { reason }), pipeline: this.#input.id }),
    );
  }

  /** The pipeline has a plan, or continues from its record. */
  created(): void {
    void this.#report({ what: this.#input.seed ? 'revived' : 'created', state: 'running' });
  }

  /** A mirroring job shows whether the pipeline waits for a person. */
  changed({ state }: PipelineStatus): void {
    const mirrored = this.#input.trigger.upstream?.strategy === 'mirror' || this.#followers.length > 0;
    const blocked = state === 'manual';
    if (!mirrored || blocked === this.#blocked) return;
    this.#blocked = blocked;
    void this.#report({ what: 'state', state });
  }

  ended({ state, reason }: PipelineStatus): Promise<void> {
    return this.#report({ what: 'ended', state, ...(reason !== undefined && { reason }) });
  }

  #report(report: Report): Promise<void> {
    if (!this.hasListeners) return this.#lastReport;
    const { upstream } = this.#input.trigger;
    const listeners = [...(upstream ? [upstream] : []), ...this.#followers];
    return this.#enqueue(async () => {
      await Promise.all(listeners.map((one) => send(one, { ...report, pipeline: this.#input.id })));
    });
  }

  #enqueue(report: () => Promise<void>): Promise<void> {
    this.#lastReport = this.#lastReport.then(report);
    return this.#lastReport;
  }
}
