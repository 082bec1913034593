/**
 * Passes on to the server what workflows tell. One call at a time, with everything that has come meanwhile; of one pipeline or
 * key only the last. A call that fails is not repeated: the server asks again by itself, only later.
 */
import type { InjectedSinks } from '@temporalio/worker';
import { MAX_CHANGES } from '../../src/adapters/http/wire.ts';
import type { Changes } from '../../src/adapters/ports.ts';
import type { Change } from '../../src/plan/model/protocol.ts';
import type { ChangeSinks } from '../../workflows/changes.ts';

export class ChangeSender {
  readonly #changes: Changes;
  readonly #waiting = new Map<string, Change>();
  #sending = false;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  tell(change: Change): void {
    this.#waiting.set('pipeline' in change ? change.pipeline : `${change.project} ${change.key}`, change);
    if (!this.#sending) void this.#send();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.size > 0) {
      const next = [...this.#waiting].slice(0, MAX_CHANGES);
      for (const [name] of next) this.#waiting.delete(name);
      try {
        await this.#changes.tell(next.map(([, change]) => change));
      } catch {
        // The server is away: it asks the workflows when it is back.
      }
    }
    this.#sending = false;
  }
}

/** For every worker that runs workflows; without `tell` nobody is told. */
export const changeSinks = (
  tell: (change: Change) => void = () => undefined,
): InjectedSinks<ChangeSinks> => ({
  changes: { tell: { fn: (_workflow, change) => tell(change), callDuringReplay: false } },
});
