/**
 * What a pipeline says to the job that has started it, and to the jobs that mirror it. A pipeline that has closed need not know;
 * others wait for every word.
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

type Told = Pick<DownstreamNews, 'what' | 'state' | 'reason'> & { pipeline?: PipelineId };
/** Further ones look by themselves, now and then (job/downstream-attempt.ts). */
const MAX_FOLLOWERS = 500;

/** Nothing for a pipeline that no job has started. Never rejects. */
export const tellUpstream = async ({ upstream }: Pick<Trigger, 'upstream'>, told: Told): Promise<void> =>
  upstream && tell(upstream, told);

async function tell({ pipeline, job, attempt }: Follower, told: Told): Promise<void> {
  const news: DownstreamNews = { job, attempt, ...told };
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
  /** One word after the other: signals that are under way together may arrive in any order. */
  #said: Promise<void> = Promise.resolve();

  constructor(input: PipelineInput) {
    this.#input = input;
  }

  get isHeard(): boolean {
    return this.#input.trigger.upstream !== undefined || this.#followers.length > 0;
  }

  /** A job of another pipeline mirrors this one: it is told how that stands now, and from now on. */
  follows(by: Follower, { state, reason }: PipelineStatus): Promise<void> {
    if (this.#followers.length < MAX_FOLLOWERS) this.#followers = [...this.#followers, by];
    const what = FINAL_STATES.includes(state) ? 'ended' : 'state';
    return this.#next(() =>
      tell(by, { what, state, ...(reason !== undefined && { reason }), pipeline: this.#input.id }),
    );
  }

  /** It has a plan, or, run again, goes on. */
  created(): void {
    void this.#tell({ what: this.#input.seed ? 'revived' : 'created', state: 'running' });
  }

  /** A mirror shows whether it waits for a person. */
  changed({ state }: PipelineStatus): void {
    const mirrored = this.#input.trigger.upstream?.strategy === 'mirror' || this.#followers.length > 0;
    const blocked = state === 'manual';
    if (!mirrored || blocked === this.#blocked) return;
    this.#blocked = blocked;
    void this.#tell({ what: 'state', state });
  }

  ended({ state, reason }: PipelineStatus): Promise<void> {
    return this.#tell({ what: 'ended', state, ...(reason !== undefined && { reason }) });
  }

  #tell(told: Told): Promise<void> {
    if (!this.isHeard) return this.#said;
    const { upstream } = this.#input.trigger;
    const all = [...(upstream ? [upstream] : []), ...this.#followers];
    return this.#next(async () => {
      await Promise.all(all.map((one) => tell(one, { ...told, pipeline: this.#input.id })));
    });
  }

  #next(say: () => Promise<void>): Promise<void> {
    this.#said = this.#said.then(say);
    return this.#said;
  }
}
