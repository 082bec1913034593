import { Trigger } from '@temporalio/workflow';

/**
 * First in, first out. Bounds how many activities of one pipeline are pending. A cancelled waiter leaves the
 * queue.
 */
export class Semaphore {
  #free: number;
  #waiting: Trigger<void>[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves to an idempotent release function. */
  async acquire(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#passOn();
    };
  }

  async #wait(): Promise<void> {
    const turn = new Trigger<void>();
    this.#waiting.push(turn);
    try {
      await turn;
    } catch (error) {
      // Cancelled. A permit that was granted at the same moment must not be lost.
      if (this.#waiting.includes(turn)) this.#waiting = this.#waiting.filter((other) => other !== turn);
      else this.#passOn();
      throw error;
    }
  }

  #passOn(): void {
    const turn = this.#waiting.shift();
    if (turn) turn.resolve();
    else this.#free += 1;
  }
}
