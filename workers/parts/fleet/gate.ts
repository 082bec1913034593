/**
 * Whether a worker takes jobs now. While the gate is closed no slot is given out, and a poll needs one; so other workers of the
 * queue get its jobs. Temporal may answer polls that were open before: their jobs go back to the queue, and nothing is started.
 */
import type {
  ActivitySlotInfo,
  CustomSlotSupplier,
  SlotPermit,
  SlotReserveContext,
  WorkerTuner,
} from '@temporalio/worker';

export class Gate {
  readonly #closed = new Map<string, string>();
  readonly #waiting = new Set<() => void>();

  /** `why`: for people, of jobs that come nevertheless. */
  close(reason: string, why: string): void {
    this.#closed.set(reason, why);
  }

  open(reason: string): void {
    if (!this.#closed.delete(reason) || this.#closed.size > 0) return;
    for (const wake of this.#waiting) wake();
  }

  /** Why it is closed; undefined while it is open. */
  get why(): string | undefined {
    return this.#closed.values().next().value;
  }

  /** Calls once it opens; returns a function that forgets the call. */
  whenOpened(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }
}

/** A fixed number of slots behind a gate. */
class GatedSlots implements CustomSlotSupplier<ActivitySlotInfo> {
  readonly type = 'custom';
  readonly #gate: Gate;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(gate: Gate, slots: number) {
    this.#gate = gate;
    this.#free = slots;
    gate.whenOpened(() => this.#wake());
  }

  async reserveSlot(_context: SlotReserveContext, signal: AbortSignal): Promise<SlotPermit> {
    while (!this.#isFree()) {
      await this.#change(signal);
      signal.throwIfAborted();
    }
    this.#free -= 1;
    return {};
  }

  tryReserveSlot(): SlotPermit | null {
    if (!this.#isFree()) return null;
    this.#free -= 1;
    return {};
  }

  markSlotUsed(): void {}

  releaseSlot(): void {
    this.#free += 1;
    this.#wake();
  }

  #isFree = (): boolean => this.#free > 0 && this.#gate.why === undefined;

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Resolves when there may be a slot, and when the SDK needs none any more. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.add(wake);
    });
  }
}

/** Numbers of slots for what a worker of jobs never gets. */
const NONE = { type: 'fixed-size', numSlots: 1 } as const;

/** For `Worker.create`: activities by slots behind the gate. */
export const gatedTuner = (gate: Gate, slots: number): WorkerTuner => ({
  activityTaskSlotSupplier: new GatedSlots(gate, slots),
  workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 2 },
  localActivityTaskSlotSupplier: NONE,
  nexusTaskSlotSupplier: NONE,
});
