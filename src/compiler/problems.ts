import { ERRORS, placeText, type ErrorCode, type Place } from '../errors.ts';
import type { Origin } from './source-text.ts';

/** One error or warning about a file, for people and editors. */
export interface Problem {
  code: ErrorCode;
  message: string;
  place?: Place;
  hint?: string;
  /** The line of the file that `place` points into. */
  sourceLine?: string;
  /**
   * For an included file: where it is included, then where that file is included, up to the pipeline's own
   * file.
   */
  includedFrom?: Place[];
  severity: 'error' | 'warning';
}
interface ProblemOptions {
  at?: Origin;
  /** A function if it is expensive: it is called only for a problem that is kept. */
  hint?: string | (() => string | undefined);
  severity?: 'error' | 'warning';
}

/** A longer list does not help. */
const MAX_PROBLEMS = 200;

/** Collects every problem of one run. The same code at the same place is kept once. */
export class Problems {
  readonly #list: Problem[] = [];
  readonly #seen = new Set<string>();
  /** Where each file was included first, by its name. */
  readonly #included = new Map<string, Origin>();
  #errors = 0;
  #tooLarge = false;

  add(code: ErrorCode, message: string, options: ProblemOptions = {}): void {
    const { at } = options;
    const key = at ? `${code} ${at.source.name} ${at.offset}` : `${code} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const severity = options.severity ?? 'error';
    if (severity === 'error') this.#errors += 1;
    if (code === 'language/too-large') this.#tooLarge = true;
    if (this.#list.length >= MAX_PROBLEMS) return;
    const place = at?.source.place(at.offset);
    const hint = typeof options.hint === 'function' ? options.hint() : options.hint;
    this.#list.push({
      code,
      message,
      ...(at && place && { place, sourceLine: at.source.line(place.line) }),
      hint: hint ?? ERRORS[code].remedy,
      severity,
    });
  }

  /** Problems of the file will name this place. */
  noteInclude(name: string, at: Origin): void {
    if (!this.#included.has(name)) this.#included.set(name, at);
  }

  /** Adds the problems of another run. */
  absorb(other: Problems): void {
    for (const [name, at] of other.#included) this.noteInclude(name, at);
    for (const key of other.#seen) this.#seen.add(key);
    this.#list.push(...other.#list.slice(0, MAX_PROBLEMS - this.#list.length));
    this.#errors += other.#errors;
    this.#tooLarge ||= other.#tooLarge;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** The file is too large to be processed further. */
  get mustStop(): boolean {
    return this.#tooLarge;
  }

  /** All of them, in the order of the file; those without a place first. */
  all(): Problem[] {
    const files = [undefined, ...new Set(this.#list.map((problem) => problem.place?.file))];
    const complete = this.#list.map((problem) => this.#withChain(problem));
    return complete.sort(
      (a, b) =>
        files.indexOf(a.place?.file) - files.indexOf(b.place?.file) ||
        (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
        (a.place?.column ?? 0) - (b.place?.column ?? 0),
    );
  }
  #withChain(problem: Problem): Problem {
    const chain: Place[] = [];
    const files = new Set<string>();
    for (let file = problem.place?.file; file !== undefined && !files.has(file); file = chain.at(-1)?.file) {
      files.add(file);
      const at = this.#included.get(file);
      if (!at) break;
      chain.push(at.source.place(at.offset));
    }
    return chain.length === 0 ? problem : { ...problem, includedFrom: chain };
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
  const chain = includedText(problem);
  return `${where}${problem.message} [${problem.code}]${chain && `, ${chain}`}${hint}`;
}

/** `included from b.yml:2, .gitlab-ci.yml:1`; empty for the pipeline's own file. */
export function includedText({ includedFrom = [] }: Problem): string {
  if (includedFrom.length === 0) return '';
  return `included from ${includedFrom.map(({ file, line }) => `${file}:${line}`).join(', ')}`;
}
