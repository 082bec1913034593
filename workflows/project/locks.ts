import { CancellationScope, getExternalWorkflowHandle, sleep, Trigger } from '@temporalio/workflow';
import { pipelineWorkflowId } from '../../src/plan/model/ids.ts';
import {
  dropRun,
  newLock,
  releaseLock,
  requestLock,
  type LockChange,
  type LockState,
} from '../../src/plan/policy/locks.ts';
import type { ProjectMemory } from '../../src/plan/policy/memory.ts';
import {
  SIGNALS,
  type LockRelease,
  type LockRequest,
  type PipelineEnded,
} from '../../src/plan/model/protocol.ts';
import { durable } from '../activities.ts';

const INITIAL_CHECK_MS = 5_000;
/** Idle locks that are remembered for who deployed last; only environments have anything to remember. */
const MAX_IDLE = 500;
const MAX_CHECK_MS = 5 * 60_000;

/**
 * Keeps the project's locks in `memory.locks` and sends the grants. A holder that was terminated never says so: while
 * somebody waits, it looks, less and less often, whether the holder's run is still open.
 */
export class LockKeeper {
  readonly #memory: ProjectMemory;
  #pending = 0;
  #quiet: Trigger<void> | undefined;
  #watching = false;

  constructor(memory: ProjectMemory) {
    this.#memory = memory;
  }

  /** Nothing on its way that would be lost by continuing as new. */
  get idle(): boolean {
    return this.#pending === 0;
  }

  async settled(): Promise<void> {
    this.#quiet ??= new Trigger<void>();
    await this.#quiet;
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

  /** Goes on looking after lost holders, if anybody waits for one. */
  watch(): void {
    if (this.#watching || this.#contested().length === 0) return;
    this.#watching = true;
    void CancellationScope.nonCancellable(() => this.#look());
  }

  #contested(): LockRequest[] {
    return this.#memory.locks.flatMap(({ holder, waiting }) =>
      holder && waiting.some((request) => request.ready) ? [holder] : [],
    );
  }

  async #look(): Promise<void> {
    for (let wait = INITIAL_CHECK_MS; this.#contested().length > 0; wait = Math.min(wait * 2, MAX_CHECK_MS)) {
      await sleep(wait, { summary: 'are the holders of locks still there?' });
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
    const { lock, answers } = change(known ?? newLock(resource));
    const others = this.#memory.locks.filter((other) => other.resource !== resource);
    this.#memory.locks = [...others, lock].filter(
      (other, place, all) =>
        isUsed(other) || (other.resource.startsWith('environment:') && place >= all.length - MAX_IDLE),
    );
    for (const { to, grant } of answers)
      void this.#busy(async () => {
        try {
          await getExternalWorkflowHandle(to.workflowId, to.runId).signal(SIGNALS.lockGranted, grant);
        } catch {
          // That run is closed: whatever it had or wanted is free.
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
        this.#quiet?.resolve();
        this.#quiet = undefined;
      }
    }
  }
}

const isUsed = (lock: LockState): boolean => lock.holder !== undefined || lock.waiting.length > 0;
