/**
 * What is different about builds of Podman: no BuildKit, so no session, no traces and no inline cache. Progress is text, of one step
 * after the other, and credentials stand in a header. Pure.
 */
import type { RegistryAuth } from '../../ports.ts';

const TAIL_LINES = 20;
const LONGEST_LINE = 500;
/** `STEP 2/3: RUN make`, in a build of several stages `[1/2] STEP 2/3: RUN make`. */
const STEP = /^(?:\[\d+\/\d+\] )?STEP \d+(?:\/\d+)?: (.*)$/;

/** Header with the credentials by registry. Its base64 is that of URLs, and has to be padded. */
export function registryConfig(auth: Record<string, RegistryAuth>): Record<string, string> {
  if (Object.keys(auth).length === 0) return {};
  const text = Buffer.from(JSON.stringify(auth)).toString('base64');
  return { 'X-Registry-Config': text.replaceAll('+', '-').replaceAll('/', '_') };
}

/** The step that a build is at, and its last lines, bounded. */
export class StepLog {
  #name: string | undefined;
  #tail: string[] = [];
  #partial = '';

  take(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    for (const line of lines) this.#line(line);
  }

  /** Where the build stands, which is where it fails; undefined before its first step. */
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
