import { ERRORS, placeText, type ErrorCode, type Place } from '../errors.ts';
import type { Origin } from './yaml/nodes.ts';

/** One mistake or doubt about a file, for people and editors. */
export interface Problem {
  code: ErrorCode;
  message: string;
  place?: Place;
  hint?: string;
  /** The line of the file that `place` points into. */
  sourceLine?: string;
  severity: 'error' | 'warning';
}
interface More {
  at?: Origin;
  hint?: string;
  severity?: 'error' | 'warning';
}

/** How many are kept: past this a list helps nobody. */
const MOST = 200;

/** Collects every problem of one run. The same code at the same place is kept once, whoever came by it. */
export class Problems {
  readonly #list: Problem[] = [];
  readonly #seen = new Set<string>();
  #errors = 0;

  add(code: ErrorCode, message: string, more: More = {}): void {
    const place = more.at?.source.place(more.at.offset);
    const severity = more.severity ?? 'error';
    const key = place ? `${code} ${placeText(place)}` : `${code} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (severity === 'error') this.#errors += 1;
    if (this.#list.length >= MOST) return;
    this.#list.push({
      code,
      message,
      ...(place && { place, sourceLine: more.at?.source.line(place.line) }),
      hint: more.hint ?? ERRORS[code].remedy,
      severity,
    });
  }

  /** Takes over what another run has found. */
  absorb(other: Problems): void {
    for (const key of other.#seen) this.#seen.add(key);
    this.#list.push(...other.#list.slice(0, MOST - this.#list.length));
    this.#errors += other.#errors;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** All of them, in the order of the file; those without a place first. */
  all(): Problem[] {
    return [...this.#list].sort(
      (a, b) =>
        (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0),
    );
  }
  errors(): Problem[] {
    return this.all().filter((problem) => problem.severity === 'error');
  }
  warnings(): Problem[] {
    return this.all().filter((problem) => problem.severity === 'warning');
  }
}

/** `file:line:column message [code]`, one line, the form of CompileOutput.problems. */
export function problemText(problem: Problem): string {
  const where = problem.place ? `${placeText(problem.place)} ` : '';
  const hint = problem.hint ? ` (${problem.hint})` : '';
  return `${where}${problem.message} [${problem.code}]${hint}`;
}
