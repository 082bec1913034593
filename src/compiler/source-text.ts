import type { Place } from '../errors.ts';

/**
 * One text that was read, with its name and the starts of its lines: what turns an offset into file, line,
 * column.
 */
export class SourceText {
  readonly name: string;
  readonly text: string;
  #starts: number[] | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  /** 1-based line and column of a character offset. */
  place(offset: number): Place {
    const starts = this.#lineStarts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.name, line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  }

  /** The text of a 1-based line, at most 400 characters, without its line break. */
  line(line: number): string {
    const starts = this.#lineStarts();
    const start = starts[line - 1];
    if (start === undefined) return '';
    const end = starts[line] ?? this.text.length + 1;
    return this.text.slice(start, Math.min(end - 1, start + 400)).replace(/\r$/, '');
  }

  #lineStarts(): number[] {
    if (this.#starts) return this.#starts;
    const starts = [0];
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1))
      starts.push(at + 1);
    this.#starts = starts;
    return starts;
  }
}

/** Where something was written. */
export interface Origin {
  readonly source: SourceText;
  readonly offset: number;
}
