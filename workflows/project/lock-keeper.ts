import { CancellationScope, getExternalWorkflowHandle, sleep, Trigger } from '@temporalio/workflow';
import { pipelineWorkflowId } from '../../src/plan/model/ids.ts';
import {
  dropRun,
  newLock,
  releaseLock,
  requestLock,
  type LockChange,
} from '../../src/plan/policy/grant-locks.ts';
import type { LockState, LockRelease, LockRequest } from '../../src/plan/model/locks.ts';
import type { ProjectMemory } from '../../src/plan/model/project-memory.ts';
import { SIGNALS, type PipelineEnded } from '../../src/plan/model/protocol.ts';
import { durable } from '../activities.ts';

const INITIAL_CHECK_MS = 5_000;
/** Idle locks that are kept because they know the last deployment; only environments have that. */
const MAX_IDLE = 500;
const MAX_CHECK_MS = 5 * 60_000;

/**
 * Keeps the project's locks in `memory.locks` and sends the grants. A holder that was terminated never
 * reports it: while another job waits, it checks, less and less often, whether the holder's run is still
 * open.
 */
export class LockKeeper {
  readonly #memory: ProjectMemory;
  #pending = 0;
  #settled: Trigger<void> | undefined;
  #watching = false;

  constructor(memory: ProjectMemory) {
    this.#memory = memory;
  }

  /** Nothing is pending that continue-as-new would lose. */
  get idle(): boolean {
    return this.#pending === 0;
  }

  async settled(): Promise<void> {
    this.#settled ??= new Trigger<void>();
    await this.#settled;
  }

  request(request: LockRequest): void {
    this.#apply(request.resource, (lock) => requestLock(lock, request));
  }

  release(release: LockRelease): void {
    this.#apply(release.resource, (lock) => releaseLock(lock, release));
  }

  ended(ended: PipelineEnded): void {
    this.#drop({ workflowId: pipelineWorkflowId(ended.id), runId: ended.runId });
  }

  /** Starts to check holders, if a job waits for one. */
  watch(): void {
    if (this.#watching || this.#contested().length === 0) return;
    this.#watching = true;
    void CancellationScope.nonCancellable(() => this.#checkHolders());
  }

  #contested(): LockRequest[] {
    return this.#memory.locks.flatMap(({ holder, waiting }) =>
      holder && waiting.some((request) => request.ready) ? [holder] : [],
    );
  }

  async #checkHolders(): Promise<void> {
    for (let wait = INITIAL_CHECK_MS; this.#contested().length > 0; wait = Math.min(wait * 2, MAX_CHECK_MS)) {
      await sleep(wait, { summary: 'check the holders of locks' });
      for (const { workflowId, runId } of this.#contested())
        await this.#busy(async () => {
          if (await durable.isClosed({ workflowId, runId })) this.#drop({ workflowId, runId });
        });
    }
    this.#watching = false;
  }

  #drop(run: { workflowId: string; runId: string }): void {
    for (const { resource } of [...this.#memory.locks]) this.#apply(resource, (lock) => dropRun(lock, run));
  }

  #apply(resource: string, change: (lock: LockState) => LockChange): void {
    const known = this.#memory.locks.find((lock) => lock.resource === resource);
    const { lock, replies } = change(known ?? newLock(resource));
    const others = this.#memory.locks.filter((other) => other.resource !== resource);
    this.#memory.locks = [...others, lock].filter(
      (other, index, all) =>
        isUsed(other) || (other.resource.startsWith('environment:') && index >= all.length - MAX_IDLE),
    );
    for (const { to, grant } of replies)
      void this.#busy(async () => {
        try {
          await getExternalWorkflowHandle(to.workflowId, to.runId).signal(SIGNALS.lockGranted, grant);
        } catch {
          // That run has closed: all that it held or requested is free.
          this.#drop({ workflowId: to.workflowId, runId: to.runId });
        }
      });
    this.watch();
  }

  async #busy(work: () => Promise<void>): Promise<void> {
    this.#pending += 1;
    try {
      await CancellationScope.nonCancellable(work);
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) {
        this.#settled?.resolve();
        this.#settled = undefined;
      }
    }
  }
}

const isUsed = (lock: LockState): boolean => lock.holder !== undefined || lock.waiting.length > 0;
