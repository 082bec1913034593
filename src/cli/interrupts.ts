/** Ctrl-C, and being asked to end by another process: the first one and the second one mean different things. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Interrupts {
  readonly #first = new AbortController();
  readonly #second = new AbortController();
  readonly #take = (): void => {
    const next = this.#first.signal.aborted ? this.#second : this.#first;
    next.abort(new Error('interrupted'));
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#take);
  }

  get first(): AbortSignal {
    return this.#first.signal;
  }
  get second(): AbortSignal {
    return this.#second.signal;
  }

  /** Signals do again what they do by themselves. */
  end(): void {
    for (const name of SIGNALS) process.off(name, this.#take);
  }
}
