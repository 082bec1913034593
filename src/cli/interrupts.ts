/** Ctrl-C and termination signals; the first and the second one mean different things. */
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

  /** Restores the default effect of the signals. */
  end(): void {
    for (const name of SIGNALS) process.off(name, this.#take);
  }
}
