/**
 * What a job or a build may show in its log: secrets are masked, and so is the mark of davit's own lines. As the masker is, a
 * function of the whole output, however it is cut into chunks.
 */
import { type Automaton, Masker, maskAutomaton } from '../../../src/masking/index.ts';
import { OWN_LINE } from '../../../src/plan/model/log-mark.ts';

const ESC = 0x1b;
const marks = maskAutomaton([new TextEncoder().encode(OWN_LINE)]);

export class OutputFilter {
  readonly #secrets: Masker;
  readonly #marks = new Masker(marks);

  constructor(secrets: Automaton | undefined) {
    this.#secrets = new Masker(secrets);
  }

  /** True when nothing is held back. */
  get idle(): boolean {
    return this.#secrets.idle && this.#marks.idle;
  }

  push(chunk: Uint8Array): Uint8Array {
    return this.#unmarked(this.#secrets.push(chunk));
  }

  flush(): Uint8Array {
    const last = this.#unmarked(this.#secrets.flush());
    return Buffer.concat([last, this.#marks.flush()]);
  }

  /** Most output has no escape sequence at all. */
  #unmarked(bytes: Uint8Array): Uint8Array {
    return this.#marks.idle && !bytes.includes(ESC) ? bytes : this.#marks.push(bytes);
  }
}
