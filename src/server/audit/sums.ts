/** Counts equal entries: the first is written at once, the number of the others after a while. */
import type { AuditEntry } from '../../plan/model/audit.ts';

const EVERY_MS = 10 * 60_000;
const MAX_KNOWN = 5_000;

export class Sums {
  readonly #write: (entry: AuditEntry) => void;
  readonly #known = new Map<string, { entry: AuditEntry; times: number; since: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(write: (entry: AuditEntry) => void, everyMs = EVERY_MS) {
    this.#write = write;
    this.#timer = setInterval(
      () => this.#writeUntil(Date.now() - everyMs),
      Math.min(60_000, everyMs),
    ).unref();
  }

  add(entry: AuditEntry): void {
    const { at: _, ...same } = entry;
    const key = JSON.stringify(same);
    const known = this.#known.get(key);
    if (known) {
      known.times += 1;
      known.entry = entry;
      return;
    }
    this.#write(entry);
    this.#known.set(key, { entry, times: 0, since: Date.now() });
    if (this.#known.size <= MAX_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#end(oldest);
  }

  /** Writes all numbers. */
  close(): void {
    clearInterval(this.#timer);
    this.#writeUntil(Number.POSITIVE_INFINITY);
  }

  #writeUntil(time: number): void {
    for (const [key, { since }] of [...this.#known]) if (since <= time) this.#end(key);
  }

  #end(key: string): void {
    const known = this.#known.get(key);
    this.#known.delete(key);
    if (known && known.times > 0) this.#write({ ...known.entry, times: known.times });
  }
}
