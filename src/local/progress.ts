/** What a person sees while a machine is set up: one line a step, on stderr, with how long it took. */

export interface Progress {
  /** Does it, and says how long it took. `detail` ends the line; undefined: nothing is said. */
  step<T>(what: string, work: () => Promise<T>, detail?: (value: T) => string | undefined): Promise<T>;
  /** Something that a person should know: a change of the system, a choice that was made. */
  note(text: string): void;
}

/** `write` takes whole lines without their end. */
export function lineProgress(write: (line: string) => void, color: boolean): Progress {
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    async step(what, work, detail) {
      const start = performance.now();
      const took = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
      try {
        const value = await work();
        const more = detail ? detail(value) : '';
        if (more === undefined) return value;
        write(`${paint(32, '✓')} ${what} ${paint(2, took())}${more ? `  ${more}` : ''}`);
        return value;
      } catch (error) {
        write(`${paint(31, '✗')} ${what} ${paint(2, took())}`);
        throw error;
      }
    },
    note: (text) => write(`${paint(33, '·')} ${text}`),
  };
}

export const silentProgress: Progress = {
  step: (_what, work) => work(),
  note: () => undefined,
};
