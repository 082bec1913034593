/**
 * Stops environments when their time has come, or when a person asks. The list is in `memory.environments`,
 * so that the next run of the project workflow sets the timer again.
 */
import { CancellationScope, condition } from '@temporalio/workflow';
import {
  changeEnvironment,
  dueAt,
  markStopped,
  nextStop,
  stopNow,
  stopOfRef,
  stopWithPipeline,
  withoutStop,
  withStopRequest,
} from '../../src/plan/policy/environments.ts';
import type { EnvironmentState, StopEnvironment, StopRef } from '../../src/plan/model/environments.ts';
import { refKey } from '../../src/plan/policy/memory.ts';
import type { ProjectMemory } from '../../src/plan/model/project-memory.ts';
import type { LockRelease } from '../../src/plan/model/locks.ts';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import type { Decision, RerunRequest } from '../../src/plan/model/protocol.ts';
import { durable } from '../activities.ts';
import { unproven, verifies } from '../proof.ts';
import { signalDecision } from './signal-decision.ts';

export class EnvironmentKeeper {
  readonly #project: string;
  readonly #memory: ProjectMemory;
  readonly #rerun: (request: RerunRequest) => void;
  #watching = false;
  /** Counts changes: a wait for an older list ends. */
  #version = 0;

  constructor(project: string, memory: ProjectMemory, rerun: (request: RerunRequest) => void) {
    this.#project = project;
    this.#memory = memory;
    this.#rerun = rerun;
  }

  /** Synchronous, for the signals' handlers. */
  released(release: LockRelease): void {
    const { environment } = release;
    if (!environment) return;
    const run = this.#memory.running.find(({ id }) => id === release.pipeline);
    const ref = run && refKey(run);
    this.#set(changeEnvironment(this.#list(), { ...release, environment, ref }, Date.now()));
  }

  /** A request that counts only if the server has made it, for the environment as it was deployed. */
  stopProven(stop: StopEnvironment): void | Promise<void> {
    if (!verifies()) return this.stop(stop);
    return unproven({ kind: 'stopEnvironment', project: this.#project, stop }).then((reason) => {
      const known = this.#list().find((one) => one.name === stop.name);
      const isSame = stop.since === undefined || stop.since === known?.since;
      if (reason === undefined && isSame) this.stop(stop);
    });
  }

  stop({ name, actor }: StopEnvironment): void {
    const list = stopNow(this.#list(), name, actor, Date.now());
    if (list) this.#set(list);
  }

  /** The ref is gone at the forge, if the server says so. */
  stopRefProven(stop: StopRef): void | Promise<void> {
    const stopAll = (): void => {
      const list = stopOfRef(this.#list(), stop, Date.now());
      if (list) this.#set(list);
    };
    if (!verifies()) return stopAll();
    return unproven({ kind: 'stopRef', project: this.#project, stop }).then((reason) =>
      reason === undefined ? stopAll() : undefined,
    );
  }

  /** Environments that belong to this pipeline are stopped with it. */
  pipelineEnded(pipeline: PipelineId): void {
    const list = stopWithPipeline(this.#list(), pipeline, Date.now());
    if (list) this.#set(list);
  }

  /** Waits for the next one, if there is any. */
  watch(): void {
    if (this.#watching || nextStop(this.#list()) === undefined) return;
    this.#watching = true;
    void CancellationScope.nonCancellable(() => this.#stopDue());
  }

  #list(): readonly EnvironmentState[] {
    return this.#memory.environments ?? [];
  }

  #set(list: EnvironmentState[]): void {
    this.#memory.environments = list;
    this.#version += 1;
    this.watch();
  }

  async #stopDue(): Promise<void> {
    for (let at = nextStop(this.#list()); at !== undefined; at = nextStop(this.#list())) {
      const seen = this.#version;
      const wait = at - Date.now();
      if (wait > 0) await condition(() => this.#version !== seen, wait);
      for (const environment of dueAt(this.#list(), Date.now())) await this.#stop(environment);
    }
    this.#watching = false;
  }

  /** Requested twice, the job is played once: the pipeline refuses the second request. */
  async #stop(environment: EnvironmentState): Promise<void> {
    const { name, pipeline, onStop } = environment;
    if (onStop === undefined) {
      this.#set(markStopped(this.#list(), name, Date.now()));
      return;
    }
    const decision: Decision = {
      // A job with `when: always` does not wait to be played: it was cancelled or has failed.
      action: environment.withPipeline ? 'retry' : 'play',
      job: onStop,
      actor: environment.stoppedBy ?? 'davit',
      role: 'operator',
      comment: `Stop environment ${name}`,
      // The person who asked, or the file, has confirmed it.
      confirm: true,
      stops: environment.since,
    };
    if (verifies()) {
      const proven = await this.#prove(environment, decision);
      if (!proven) return;
      Object.assign(decision, proven);
    }
    const open = await signalDecision(pipeline, decision);
    // If it was deployed again meanwhile, it has a new time to stop.
    const current = this.#list().find((other) => other.name === name);
    if (current?.pipeline !== pipeline || current.state === 'stopped') return;
    this.#set(withStopRequest(this.#list(), name, open, Date.now()));
    if (!open) this.#rerun({ pipeline, decision });
  }

  /** Undefined: it is not stopped now. No answer may end the project. */
  async #prove(
    environment: EnvironmentState,
    decision: Decision,
  ): Promise<Pick<Decision, 'proof'> | undefined> {
    const { name, pipeline, since } = environment;
    try {
      const { refused, ...proven } = await durable.proveStop({ pipeline, decision });
      if (refused === undefined) return proven;
      this.#set(withoutStop(this.#list(), environment));
    } catch {
      // The activity failed and is not repeated by itself: the request is made again later.
      if (this.#list().some((one) => one.name === name && one.since === since))
        this.#set(withStopRequest(this.#list(), name, true, Date.now()));
    }
    return undefined;
  }
}
