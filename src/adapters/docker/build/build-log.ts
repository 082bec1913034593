/**
 * A build's progress as text: `#3 [2/4] RUN make`, the step's output behind its number, `#3 DONE 1.2s`. Steps
 * run in parallel, so only whole lines are written. The last lines of each step are kept, bounded, for the
 * error of a failed step. Pure.
 */
import { StringDecoder } from 'node:string_decoder';
import type { BuildProgress, BuildStep } from './buildkit-progress.ts';

const TAIL_LINES = 20;
const MAX_LINE = 16 * 1024;

interface Shown {
  number: number;
  name: string;
  decoder: StringDecoder;
  partial: string;
  tail: string[];
  started: boolean;
  ended: boolean;
  error: string;
}

export class BuildLog {
  readonly #steps = new Map<string, Shown>();
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  take(trace: BuildProgress): void {
    for (const step of trace.steps) this.#begin(step);
    for (const { step, bytes } of trace.output) {
      const shown = this.#steps.get(step);
      if (shown) this.#output(shown, shown.decoder.write(Buffer.from(bytes)));
    }
    for (const step of trace.steps) this.#end(step);
  }

  /** The step that failed, with its last lines; undefined if none did. */
  get failed(): { name: string; tail: string[] } | undefined {
    const failed = [...this.#steps.values()].filter(
      ({ error, name }) =>
        // BuildKit reports a cache that does not exist yet as an error, but it does not fail the build.
        error !== '' && !/context canceled|no active session/.test(error) && !/^importing cache/.test(name),
    );
    const first = failed.find(({ tail }) => tail.length > 0) ?? failed[0];
    return first && { name: first.name, tail: first.tail };
  }

  #begin(step: BuildStep): void {
    const shown = this.#steps.get(step.digest) ?? newStep(this.#steps.size + 1, step.name);
    this.#steps.set(step.digest, shown);
    if (shown.started || step.started === undefined) return;
    shown.started = true;
    this.#write(`#${shown.number} ${step.name}\n`);
  }

  #output(shown: Shown, text: string): void {
    const lines = (shown.partial + text).split('\n');
    shown.partial = lines.pop() ?? '';
    if (shown.partial.length > MAX_LINE) {
      lines.push(shown.partial);
      shown.partial = '';
    }
    for (const line of lines) {
      this.#write(`#${shown.number} ${line}\n`);
      shown.tail.push(line.slice(0, 500));
      if (shown.tail.length > TAIL_LINES) shown.tail.shift();
    }
  }

  #end(step: BuildStep): void {
    const shown = this.#steps.get(step.digest);
    if (!shown || shown.ended || step.completed === undefined) return;
    shown.ended = true;
    shown.error = step.error;
    const rest = shown.partial + shown.decoder.end();
    shown.partial = '';
    if (rest !== '') this.#output(shown, `${rest}\n`);
    const took = ((step.completed - (step.started ?? step.completed)) / 1000).toFixed(1);
    const word = step.error !== '' ? `ERROR: ${step.error}` : step.cached ? 'CACHED' : `DONE ${took}s`;
    this.#write(`#${shown.number} ${word}\n`);
  }
}

const newStep = (number: number, name: string): Shown => ({
  number,
  name,
  decoder: new StringDecoder('utf8'),
  partial: '',
  tail: [],
  started: false,
  ended: false,
  error: '',
});
