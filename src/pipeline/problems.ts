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
  /** A function where it costs something: called only for a problem that is kept. */
  hint?: string | (() => string | undefined);
  severity?: 'error' | 'warning';
}

/** How many are kept: past this a list helps nobody. */
const MOST = 200;

/** Collects every problem of one run. The same code at the same place is kept once, whoever came by it. */
export class Problems {
  readonly #list: Problem[] = [];
  readonly #seen = new Set<string>();
  #errors = 0;
  #tooLarge = false;

  add(code: ErrorCode, message: string, more: More = {}): void {
    const { at } = more;
    const key = at ? `${code} ${at.source.name} ${at.offset}` : `${code} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const severity = more.severity ?? 'error';
    if (severity === 'error') this.#errors += 1;
    if (code === 'language/too-large') this.#tooLarge = true;
    if (this.#list.length >= MOST) return;
    const place = at?.source.place(at.offset);
    const hint = typeof more.hint === 'function' ? more.hint() : more.hint;
    this.#list.push({
      code,
      message,
      ...(at && place && { place, sourceLine: at.source.line(place.line) }),
      hint: hint ?? ERRORS[code].remedy,
      severity,
    });
  }

  /** Takes over what another run has found. */
  absorb(other: Problems): void {
    for (const key of other.#seen) this.#seen.add(key);
    this.#list.push(...other.#list.slice(0, MOST - this.#list.length));
    this.#errors += other.#errors;
    this.#tooLarge ||= other.#tooLarge;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** Whoever goes on from here would work for too long. */
  get mustStop(): boolean {
    return this.#tooLarge;
  }

  /** All of them, in the order of the file; those without a place first. */
  all(): Problem[] {
    const files = [undefined, ...new Set(this.#list.map((problem) => problem.place?.file))];
    return [...this.#list].sort(
      (a, b) =>
        files.indexOf(a.place?.file) - files.indexOf(b.place?.file) ||
        (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
        (a.place?.column ?? 0) - (b.place?.column ?? 0),
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
