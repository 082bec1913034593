/**
 * Tells the forge each state of the pipeline, in order and none twice. It waits for the writer's workflow, never for the
 * forge.
 */
import type { CancellationScope } from '@temporalio/workflow';
import type { ReportPlace } from '../../src/plan/model/commit-status.ts';
import {
  FINAL_STATES,
  type PipelineInput,
  type PipelineState,
  type PipelineStatus,
} from '../../src/plan/model/protocol.ts';
import { isTold, statusKindOf } from '../../src/plan/policy/commit-status.ts';
import { telling } from '../activities.ts';

type Told = Pick<PipelineStatus, 'state' | 'cause'>;

export class ForgeLink {
  readonly #input: PipelineInput;
  /** No cancel request reaches it, also where a handler has changed something. */
  readonly #scope: CancellationScope;
  #at = 0;
  #count = 0;
  #told: PipelineState | undefined;
  #next: Told | undefined;
  #looking = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(input: PipelineInput, scope: CancellationScope) {
    this.#input = input;
    this.#scope = scope;
  }

  /** A run from a record continues after what the run before it told: `at` in epoch ms, whatever the clock says. */
  after(at: number): void {
    this.#at = Math.max(this.#at, at);
  }

  /** Something has changed: once for all changes of the same moment. How it ends is told once it is recorded. */
  changed(status: () => PipelineStatus): void {
    if (this.#looking) return;
    this.#looking = true;
    void Promise.resolve().then(() => {
      this.#looking = false;
      const now = status();
      if (!FINAL_STATES.includes(now.state)) this.#tell(now);
    });
  }

  /** Resolves when everything has been passed on. Never rejects. */
  async ended(status: PipelineStatus): Promise<void> {
    this.#tell(status);
    await this.#sending;
  }

  #tell({ state, cause }: Told): void {
    if (!isTold(this.#input.trigger) || state === this.#told) return;
    this.#told = state;
    const isWaiting = this.#next !== undefined;
    this.#next = { state, ...(cause && { cause }) };
    if (!isWaiting) this.#sending = this.#sending.then(() => this.#send());
  }

  async #send(): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    if (!next) return;
    const { trigger, id } = this.#input;
    const { project, sha, ref, fork } = trigger;
    const kind = statusKindOf(trigger);
    try {
      const report = { project, id, sha, ref, kind, ...next, place: this.#place(), ...(fork && { fork }) };
      await this.#scope.run(() => telling.reportCommitStatus(report));
    } catch {
      // A defect of the activity: no pipeline fails by what cannot be told.
    }
  }

  #place(): ReportPlace {
    this.#at = Math.max(this.#at, Date.now());
    this.#count += 1;
    return [this.#input.order ?? this.#input.iid, this.#at, this.#count];
  }
}
