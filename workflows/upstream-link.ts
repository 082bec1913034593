/** What a pipeline says to the job that has started it. A pipeline that has closed need not know; others wait for every word. */
import { getExternalWorkflowHandle } from '@temporalio/workflow';
import type { DownstreamNews } from '../src/plan/downstream.ts';
import { pipelineWorkflowId, type PipelineId } from '../src/plan/ids.ts';
import { SIGNALS, type PipelineInput, type PipelineStatus } from '../src/plan/protocol.ts';
import type { Trigger } from '../src/plan/trigger.ts';

type Told = Pick<DownstreamNews, 'what' | 'state' | 'reason'> & { pipeline?: PipelineId };

/** Nothing for a pipeline that no job has started. Never rejects. */
export async function tellUpstream({ upstream }: Pick<Trigger, 'upstream'>, told: Told): Promise<void> {
  if (!upstream) return;
  const { pipeline, job, attempt } = upstream;
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
  #blocked = false;
  /** One word after the other: signals that are under way together may arrive in any order. */
  #said: Promise<void> = Promise.resolve();

  constructor(input: PipelineInput) {
    this.#input = input;
  }

  /** It has a plan, or, run again, goes on. */
  created(): void {
    void this.#tell({ what: this.#input.seed ? 'revived' : 'created', state: 'running' });
  }

  /** A mirror shows whether it waits for a person. */
  changed({ state }: PipelineStatus): void {
    if (this.#input.trigger.upstream?.strategy !== 'mirror') return;
    const blocked = state === 'manual';
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    void this.#tell({ what: 'state', state });
  }

  ended({ state, reason }: PipelineStatus): Promise<void> {
    return this.#tell({ what: 'ended', state, ...(reason !== undefined && { reason }) });
  }

  #tell(told: Told): Promise<void> {
    if (!this.#input.trigger.upstream) return this.#said;
    this.#said = this.#said.then(() =>
      tellUpstream(this.#input.trigger, { ...told, pipeline: this.#input.id }),
    );
    return this.#said;
  }
}
