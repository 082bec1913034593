/** Progress of a set-up on stderr: one line per step, with its duration. */
import { styleText } from 'node:util';

export interface Progress {
  /**
   * Runs a step and prints its duration. `detail` ends the line; if it returns undefined, nothing is printed.
   */
  step<T>(title: string, work: () => Promise<T>, detail?: (value: T) => string | undefined): Promise<T>;
  /** Reports a change of the system or a choice. */
  note(text: string): void;
}

/** `write` receives whole lines without a line feed. */
export function lineProgress(write: (line: string) => void, color: boolean): Progress {
  const paint = (format: 'red' | 'green' | 'yellow' | 'dim', text: string): string =>
    color ? styleText(format, text, { validateStream: false }) : text;
  return {
    async step(title, work, detail) {
      const start = performance.now();
      const took = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
      try {
        const value = await work();
        const suffix = detail ? detail(value) : '';
        if (suffix === undefined) return value;
        write(`${paint('green', '✓')} ${title} ${paint('dim', took())}${suffix ? `  ${suffix}` : ''}`);
        return value;
      } catch (error) {
        write(`${paint('red', '✗')} ${title} ${paint('dim', took())}`);
        throw error;
      }
    },
    note: (text) => write(`${paint('yellow', '·')} ${text}`),
  };
}

export const silentProgress: Progress = {
  step: (_title, work) => work(),
  note: () => undefined,
};
