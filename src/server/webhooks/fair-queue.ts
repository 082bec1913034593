/**
 * Bounds what is under way, fairly: a number of places in all, a queue a key (project), served in turn, so that one project's
 * thousand events do not stand before another's one. Who waits too long or finds the queue full is told so, and nothing of
 * his has begun.
 */
import { DavitError } from '../../errors.ts';

type Enter = () => void;

export class FairQueue {
  readonly #limits: { atOnce: number; waiting: number };
  #inside = 0;
  #waiting = 0;
  /** In turn: whoever was served goes to the end. */
  readonly #queues = new Map<string, Enter[]>();

  constructor(limits: { atOnce: number; waiting: number }) {
    this.#limits = limits;
  }

  /** Runs `work` when there is a place; rejects with `server/busy` when there is none before `deadline` (epoch ms). */
  async run<T>(key: string, deadline: number, work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#limits.atOnce) this.#inside += 1;
    else await this.#wait(key, deadline);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #wait(key: string, deadline: number): Promise<void> {
    if (this.#waiting >= this.#limits.waiting)
      return Promise.reject(new DavitError('server/busy', 'Too many requests wait already.'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#remove(key, me);
          reject(new DavitError('server/busy', 'The request waited too long for its turn.'));
        },
        Math.max(0, deadline - Date.now()),
      );
      const me = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting += 1;
      const queue = this.#queues.get(key);
      if (queue) queue.push(me);
      else this.#queues.set(key, [me]);
    });
  }

  #remove(key: string, me: Enter): void {
    const rest = this.#queues.get(key)?.filter((one) => one !== me) ?? [];
    this.#waiting -= 1;
    if (rest.length > 0) this.#queues.set(key, rest);
    else this.#queues.delete(key);
  }

  /** The place goes to the first of the next key, or is free. */
  #next(): void {
    const [turn] = this.#queues;
    if (!turn) {
      this.#inside -= 1;
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
