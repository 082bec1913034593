/**
 * Limits concurrent work fairly: a total number of slots, and one queue per key (project). Queues take turns,
 * so that a thousand events of one project do not block one event of another. A request that waits too long,
 * or finds the queue full, is rejected without having started.
 */
import { DavitError } from '../../errors.ts';

type Enter = () => void;

export class FairQueue {
  readonly #limits: { maxRunning: number; maxWaiting: number };
  #running = 0;
  #waiting = 0;
  /** In order of turns: a served queue moves to the end. */
  readonly #queues = new Map<string, Enter[]>();

  constructor(limits: { maxRunning: number; maxWaiting: number }) {
    this.#limits = limits;
  }

  /** Runs `work` in a slot; rejects with `server/busy` if none is free before `deadline` (epoch ms). */
  async run<T>(key: string, deadline: number, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.maxRunning) this.#running += 1;
    else await this.#wait(key, deadline);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #wait(key: string, deadline: number): Promise<void> {
    if (this.#waiting >= this.#limits.maxWaiting)
      return Promise.reject(new DavitError('server/busy', 'Too many requests are waiting.'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#remove(key, enter);
          reject(new DavitError('server/busy', 'The request waited too long for a free slot.'));
        },
        Math.max(0, deadline - Date.now()),
      );
      const enter = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting += 1;
      const queue = this.#queues.get(key);
      if (queue) queue.push(enter);
      else this.#queues.set(key, [enter]);
    });
  }

  #remove(key: string, enter: Enter): void {
    const rest = this.#queues.get(key)?.filter((one) => one !== enter) ?? [];
    this.#waiting -= 1;
    if (rest.length > 0) this.#queues.set(key, rest);
    else this.#queues.delete(key);
  }

  /** Passes the slot to the first request of the next key, or frees it. */
  #next(): void {
    const [turn] = this.#queues;
    if (!turn) {
      this.#running -= 1;
      return;
    }
    const [key, queue] = turn;
    const first = queue.shift();
    this.#queues.delete(key);
    if (queue.length > 0) this.#queues.set(key, queue);
    this.#waiting -= 1;
    if (first) first();
  }
}
