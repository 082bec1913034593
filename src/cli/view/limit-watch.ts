/** Looks for davit's line about the limit of a log, in whatever pieces the log comes. Pure. */
export class LimitWatch {
  found = false;
  #tail = '';

  push(text: string): void {
    const seen = this.#tail + text;
    this.found ||= LIMIT.test(seen);
    this.#tail = seen.slice(-80);
  }
}

/** As activities/runtime/log/appender.ts writes it. */
const LIMIT = /The log has reached its limit of \d+ bytes/;
