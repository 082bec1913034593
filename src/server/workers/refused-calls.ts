/** Calls of machines whose token the server has refused: such a machine cannot report itself. In memory. */
import type { RefusedCall } from '../api.ts';

const MAX_KNOWN = 200;
const FORGET_MS = 24 * 3_600_000;

export class RefusedCalls {
  readonly #known = new Map<string, RefusedCall>();

  /** `name`: of the token, where it is known. */
  note(call: Pick<RefusedCall, 'from' | 'why' | 'name'>, now = Date.now()): void {
    const key = JSON.stringify([call.from, call.why, call.name]);
    const known = this.#known.get(key);
    this.#known.delete(key);
    this.#known.set(key, { ...call, times: (known?.times ?? 0) + 1, first: known?.first ?? now, last: now });
    if (this.#known.size <= MAX_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  /** Newest first. */
  list(now = Date.now()): RefusedCall[] {
    return [...this.#known.values()].filter(({ last }) => now - last < FORGET_MS).reverse();
  }
}
