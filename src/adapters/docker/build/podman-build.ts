/**
 * Builds by Podman. It has no BuildKit, so there is no session, no trace and no inline cache: the progress is text, one
 * step after the other, and credentials are sent in a header. Pure.
 */
import type { RegistryAuth } from '../../ports.ts';

const TAIL_LINES = 20;
const LONGEST_LINE = 500;
/** `STEP 2/3: RUN make`, in a build of several stages `[1/2] STEP 2/3: RUN make`. */
const STEP = /^(?:\[\d+\/\d+\] )?STEP \d+(?:\/\d+)?: (.*)$/;

/** Header with the credentials for each registry, in URL-safe base64 with padding. */
export function registryConfig(auth: Record<string, RegistryAuth>): Record<string, string> {
  if (Object.keys(auth).length === 0) return {};
  const text = Buffer.from(JSON.stringify(auth)).toString('base64');
  return { 'X-Registry-Config': text.replaceAll('+', '-').replaceAll('/', '_') };
}

/** The current step of a build and its last lines; bounded. */
export class StepLog {
  #name: string | undefined;
  #tail: string[] = [];
  #partial = '';

  take(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    for (const line of lines) this.#line(line);
  }

  /** The current step, which is the one that failed if the build fails; undefined before the first step. */
  get failed(): { name: string; tail: string[] } | undefined {
    const rest = this.#partial === '' ? [] : [this.#partial];
    return this.#name === undefined ? undefined : { name: this.#name, tail: [...this.#tail, ...rest] };
  }

  #line(line: string): void {
    const step = STEP.exec(line)?.[1];
    if (step !== undefined) {
      this.#name = step.slice(0, LONGEST_LINE);
      this.#tail = [];
      return;
    }
    this.#tail.push(line.slice(0, LONGEST_LINE));
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
  }
}
