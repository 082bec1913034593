/** Keeps the checks of a machine recent: every few minutes, and when somebody asks. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineChecks } from '../../../src/plan/model/fleet.ts';

const EVERY_MS = 5 * 60_000;

export interface CheckOptions {
  /** Never rejects. */
  check(): Promise<MachineChecks>;
  /** Whether the machine can be checked now. */
  isThere(): boolean;
  onChange(): void;
  everyMs?: number;
}

export class PeriodicChecks {
  readonly #options: CheckOptions;
  readonly #over = new AbortController();
  readonly #ended: Promise<void>;
  #wake = new AbortController();
  #asked = 0;
  #latest: MachineChecks | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  get latest(): MachineChecks | undefined {
    return this.#latest;
  }

  /** Those of before `since` (server's clock) are made again, and all of them if that clock was set back. */
  ask(since: number | undefined): void {
    if (since === undefined || since === this.#asked) return;
    const setBack = since < this.#asked;
    this.#asked = since;
    if (setBack || this.#latest === undefined || this.#latest.at < since) this.#wake.abort();
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { check, isThere, onChange, everyMs = EVERY_MS } = this.#options;
    while (!this.#over.signal.aborted) {
      if (isThere()) {
        const found = await Promise.race([check(), this.#stopped()]);
        if (!found) return;
        this.#latest = found;
        onChange();
      }
      const signal = AbortSignal.any([this.#over.signal, this.#wake.signal]);
      await delay(everyMs, undefined, { signal }).catch(() => undefined); // stopped, or asked
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
  }

  #stopped(): Promise<undefined> {
    return new Promise((resolve) => {
      if (this.#over.signal.aborted) resolve(undefined);
      else this.#over.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }
}
