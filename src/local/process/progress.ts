/** What a person sees while a machine is set up: one line a step, on stderr, with how long it took. */
import { styleText } from 'node:util';

export interface Progress {
  /** Does it, and says how long it took. `detail` ends the line; undefined: nothing is said. */
  step<T>(what: string, work: () => Promise<T>, detail?: (value: T) => string | undefined): Promise<T>;
  /** Something that a person should know: a change of the system, a choice that was made. */
  note(text: string): void;
}

/** `write` takes whole lines without their end. */
export function lineProgress(write: (line: string) => void, color: boolean): Progress {
  const paint = (format: 'red' | 'green' | 'yellow' | 'dim', text: string): string =>
    color ? styleText(format, text, { validateStream: false }) : text;
  return {
    async step(what, work, detail) {
      const start = performance.now();
      const took = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
      try {
        const value = await work();
        const more = detail ? detail(value) : '';
        if (more === undefined) return value;
        write(`${paint('green', '✓')} ${what} ${paint('dim', took())}${more ? `  ${more}` : ''}`);
        return value;
      } catch (error) {
        write(`${paint('red', '✗')} ${what} ${paint('dim', took())}`);
        throw error;
      }
    },
    note: (text) => write(`${paint('yellow', '·')} ${text}`),
  };
}

export const silentProgress: Progress = {
  step: (_what, work) => work(),
  note: () => undefined,
};
