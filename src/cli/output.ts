/**
 * Standard output and standard error of this process. Their reader may leave at any time
 * (`davit run | head`), and a disk may be full (`davit plan > file`).
 *
 * Invariants:
 * OUT-1 A reader that leaves changes no exit code: a command goes on without output, and its verdict stands.
 * OUT-2 Output that was lost for another reason is never success.
 * OUT-3 Standard error decides nothing: a command does not depend on its messages being read.
 */
import type { Writable } from 'node:stream';
import { DavitError } from '../errors.ts';

export class Output {
  readonly #out: Writable;
  readonly #closed = new AbortController();
  #failure: DavitError | undefined;

  constructor(out: Writable, err: Writable) {
    this.#out = out;
    out.on('error', (error: NodeJS.ErrnoException) => this.#lost(error));
    err.on('error', () => undefined); // OUT-3
  }

  /** Aborts when nobody reads the output any more: a command that only shows something may end. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }
  /** Why output was lost, if not by its reader. */
  get failure(): DavitError | undefined {
    return this.#failure;
  }

  write(text: string): void {
    if (!this.#closed.signal.aborted) this.#out.write(text);
  }

  /** Resolves when everything was read: a pipe buffers 64 KiB, and what is left in it ends with the process. */
  async flush(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    // An error of this write has reached the listener before.
    await new Promise<void>((resolve) => void this.#out.write('', () => resolve()));
  }

  #lost(error: NodeJS.ErrnoException): void {
    if (this.#closed.signal.aborted) return;
    if (error.code !== 'EPIPE')
      this.#failure = new DavitError('cli/output', `Standard output cannot be written: ${error.message}.`);
    this.#closed.abort();
  }
}
