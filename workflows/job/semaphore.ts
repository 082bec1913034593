import { Trigger } from '@temporalio/workflow';

/** First in, first out. Bounds how many activities of one pipeline are pending. A cancelled waiter leaves the line. */
export class Semaphore {
  #free: number;
  #line: Trigger<void>[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Resolves to what gives the permit back; calling that twice is once. */
  async acquire(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#stand();
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#next();
    };
  }

  async #stand(): Promise<void> {
    const turn = new Trigger<void>();
    this.#line.push(turn);
    try {
      await turn;
    } catch (error) {
      // Cancelled. If the permit was handed over in the same moment it must not be lost.
      if (this.#line.includes(turn)) this.#line = this.#line.filter((other) => other !== turn);
      else this.#next();
      throw error;
    }
  }

  #next(): void {
    const turn = this.#line.shift();
    if (turn) turn.resolve();
    else this.#free += 1;
  }
}
