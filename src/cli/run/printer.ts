/**
 * Prints logs of many jobs on one terminal: whole lines, each with its job's name, without unsafe terminal
 * sequences.
 */
import { MarkReader, shownLine } from '../view/own-lines.ts';
import { SectionFilter } from '../view/log-sections.ts';
import { painted, type Paint } from '../view/table.ts';
import { closedColors, plainText, TerminalFilter, widthOf } from '../view/terminal-text.ts';

const PAINTS: readonly Paint[] = ['cyan', 'magenta', 'blue', 'green', 'yellow'];
const MAX_NAME_WIDTH = 24;
/** A longer line is shown in pieces. */
const MAX_LINE = 16 * 1024;

/** Lines of one job: takes pieces of text, writes whole lines. */
export class JobPrinter {
  readonly #prefix: string;
  readonly #filter: TerminalFilter;
  readonly #sections = new SectionFilter();
  readonly #marks = new MarkReader();
  readonly #write: (text: string) => void;
  #rest = '';

  constructor(options: { prefix: string; color: boolean; write(text: string): void }) {
    this.#prefix = options.prefix;
    this.#filter = new TerminalFilter(options.color);
    this.#write = (text) => options.write(text);
  }

  push(text: string): void {
    this.#take(this.#sections.push(this.#marks.push(text)));
  }

  #take(text: string): void {
    const lines = (this.#rest + this.#filter.push(text)).split('\n');
    this.#rest = lines.pop() ?? '';
    let out = '';
    for (const line of lines) out += this.#line(line);
    while (this.#rest.length > MAX_LINE) {
      out += this.#line(this.#rest.slice(0, MAX_LINE));
      this.#rest = this.#rest.slice(MAX_LINE);
    }
    if (out) this.#write(out);
  }

  /** Writes a last line without a line feed. */
  end(): void {
    this.#take(this.#sections.push(this.#marks.end()) + this.#sections.end());
    if (this.#rest) this.#write(this.#line(this.#rest));
    this.#rest = '';
  }

  #line(line: string): string {
    return `${this.#prefix} ${closedColors(shownLine(line))}\n`;
  }
}

/** Job names padded to one width, each job in its own colour. */
export class Prefixes {
  readonly #color: boolean;
  readonly #known = new Map<string, number>();
  #width = 0;

  constructor(color: boolean) {
    this.#color = color;
  }

  learn(jobs: readonly string[]): void {
    for (const job of jobs) if (!this.#known.has(job)) this.#known.set(job, this.#known.size);
    this.#width = Math.min(
      MAX_NAME_WIDTH,
      Math.max(0, ...[...this.#known.keys()].map((job) => widthOf(plainText(job)))),
    );
  }

  of(job: string): string {
    const name = plainText(job).replace(/\n/g, ' ');
    const gap = ' '.repeat(Math.max(0, this.#width - widthOf(name)));
    const paint = PAINTS[(this.#known.get(job) ?? 0) % PAINTS.length];
    return `${painted(name, paint, this.#color)}${gap} ${painted('|', 'dim', this.#color)}`;
  }
}
