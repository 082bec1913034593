/** Tells the server periodically what a worker is and does, and hears what it shall do. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from '../../../src/adapters/ports.ts';
import type { FleetAnswer } from '../../../src/plan/model/fleet.ts';

/** The server forgets a worker after 60 s. */
const REPORT_MS = 5_000;

export type Report = Parameters<Fleet['report']>[0];

export interface PresenceOptions {
  fleet: Pick<Fleet, 'report' | 'leave'>;
  /** As it is now. */
  report(): Report | Promise<Report>;
  /** Each answer. A throw ends the reports, and `ended` rejects with it. */
  onAnswer?(answer: FleetAnswer): void;
  everyMs?: number;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #over = new AbortController();
  #wake = new AbortController();
  /** Resolves after `stop`; rejects with what `onAnswer` throws. */
  readonly ended: Promise<void>;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.ended = this.#run();
    this.ended.catch(() => undefined); // for who waits for it
  }

  /** Reports now. */
  readonly tell = (): void => this.#wake.abort();

  async stop(): Promise<void> {
    this.#over.abort();
    await this.ended.catch(() => undefined); // its waiter hears of it
    const { fleet, report } = this.#options;
    try {
      await fleet.leave((await report()).id);
    } catch {
      // The server is away: it forgets the worker by itself.
    }
  }

  async #run(): Promise<void> {
    const { fleet, report, onAnswer, everyMs = REPORT_MS } = this.#options;
    while (!this.#over.signal.aborted) {
      let answer: FleetAnswer = {};
      try {
        answer = await fleet.report(await report());
      } catch {
        // An unreachable server gets the next report, which contains the same; jobs do not depend on it.
      }
      if (!this.#over.signal.aborted) onAnswer?.(answer);
      const signal = AbortSignal.any([this.#over.signal, this.#wake.signal]);
      await delay(everyMs, undefined, { signal }).catch(() => undefined); // stopped, or there is news
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
  }
}

/** Reports a worker that could not start. Never rejects. */
export async function reportFailure(fleet: Pick<Fleet, 'report'>, report: Report): Promise<void> {
  try {
    await fleet.report(report);
  } catch {
    // The failure itself is what its caller throws.
  }
}
