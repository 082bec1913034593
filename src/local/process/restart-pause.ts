/** The pause before an ended process is restarted. Pure. */
const INITIAL_PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
/** A process that has run for this long counts as healthy. */
const STABLE_MS = 60_000;

export const wasStable = (ranMs: number): boolean => ranMs > STABLE_MS;

/** Doubles up to 30 s, and is short again after a stable run. */
export class RestartPause {
  readonly #initial: number;
  #next: number;

  /** `initial`: ms; for tests. */
  constructor(initial = INITIAL_PAUSE_MS) {
    this.#initial = initial;
    this.#next = initial;
  }

  /** The pause after a run of `ranMs`, in ms. */
  after(ranMs: number): number {
    const pause = wasStable(ranMs) ? this.#initial : this.#next;
    this.#next = Math.min(pause * 2, MAX_PAUSE_MS);
    return pause;
  }
}
