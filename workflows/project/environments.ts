/**
 * Stops environments when their time has come, or when a person asks. The list is in `memory.environments`, so the timer is
 * set anew by whichever run of the project's workflow comes next.
 */
import { CancellationScope, condition, getExternalWorkflowHandle } from '@temporalio/workflow';
import {
  withStopRequest,
  changeEnvironment,
  dueAt,
  nextStop,
  stopNow,
  stopWithPipeline,
  withoutJob,
  type EnvironmentState,
  type StopEnvironment,
} from '../../src/plan/policy/environments.ts';
import { pipelineWorkflowId, type PipelineId } from '../../src/plan/model/ids.ts';
import type { ProjectMemory } from '../../src/plan/policy/memory.ts';
import {
  SIGNALS,
  type Decision,
  type LockRelease,
  type RerunRequest,
} from '../../src/plan/model/protocol.ts';

export class EnvironmentKeeper {
  readonly #memory: ProjectMemory;
  readonly #rerun: (request: RerunRequest) => void;
  #watching = false;
  /** Counts changes: a wait that was for an older list ends. */
  #version = 0;

  constructor(memory: ProjectMemory, rerun: (request: RerunRequest) => void) {
    this.#memory = memory;
    this.#rerun = rerun;
  }

  /** Synchronous, for the signals' handlers. */
  released(release: LockRelease): void {
    const { environment } = release;
    if (!environment) return;
    this.#set(changeEnvironment(this.#list(), { ...release, environment }, Date.now()));
  }

  stop({ name, actor }: StopEnvironment): void {
    const list = stopNow(this.#list(), name, { actor, now: Date.now() });
    if (list) this.#set(list);
  }

  /** Environments of that pipeline alone go with it. */
  pipelineEnded(pipeline: PipelineId): void {
    const list = stopWithPipeline(this.#list(), pipeline, Date.now());
    if (list) this.#set(list);
  }

  /** Goes on waiting for the next one, if there is any. */
  watch(): void {
    if (this.#watching || nextStop(this.#list()) === undefined) return;
    this.#watching = true;
    void CancellationScope.nonCancellable(() => this.#look());
  }

  #list(): readonly EnvironmentState[] {
    return this.#memory.environments ?? [];
  }

  #set(list: EnvironmentState[]): void {
    this.#memory.environments = list;
    this.#version += 1;
    this.watch();
  }

  async #look(): Promise<void> {
    for (let at = nextStop(this.#list()); at !== undefined; at = nextStop(this.#list())) {
      const seen = this.#version;
      const wait = at - Date.now();
      if (wait > 0) await condition(() => this.#version !== seen, wait);
      for (const one of dueAt(this.#list(), Date.now())) await this.#stop(one);
    }
    this.#watching = false;
  }

  /** Asked twice, the job is played once: the pipeline refuses the second. */
  async #stop(one: EnvironmentState): Promise<void> {
    if (one.onStop === undefined) {
      this.#set(withoutJob(this.#list(), one.name, Date.now()));
      return;
    }
    const decision: Decision = {
      // A job that runs always waits for nobody: it has been cancelled, or has failed.
      action: one.withPipeline ? 'retry' : 'play',
      job: one.onStop,
      actor: one.stoppedBy ?? 'davit',
      role: 'operator',
      comment: `${one.name} is to be stopped`,
      // To stop it was confirmed by who asked, or by the file.
      confirm: true,
      stops: one.since,
    };
    const open = await tell(one, decision);
    // Deployed anew while it was asked: then there is another time.
    const now = this.#list().find((other) => other.name === one.name);
    if (now?.pipeline !== one.pipeline || now.state === 'stopped') return;
    this.#set(withStopRequest(this.#list(), one.name, { open, now: Date.now() }));
    if (!open) this.#rerun({ pipeline: one.pipeline, decision });
  }
}

/** False: the pipeline is closed. */
async function tell({ pipeline }: EnvironmentState, decision: Decision): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(pipelineWorkflowId(pipeline)).signal(SIGNALS.decide, decision);
    return true;
  } catch {
    // Not open any more; the project runs it on from its record.
    return false;
  }
}
