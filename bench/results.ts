/** The rows of the run with their bars: a table at the end, and with `--write-docs` in docs/performance.md between its marks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '..', 'docs', 'performance.md');
const MARKS = { from: '<!-- table: written by npm run bench -->', to: '<!-- end of table -->' };
const HEAD = ['what', 'plain Docker', 'davit', 'bar', ''];

export interface Result {
  what: string;
  plain?: string;
  davit: string;
  bar: string;
  met: boolean;
}

export class Results {
  readonly #results: Result[] = [];

  add(result: Result): void {
    this.#results.push(result);
  }

  table(): string {
    const rows = this.#results.map(({ what, plain = '', davit, bar, met }) => [
      ...[what, plain, davit, bar],
      met ? 'met' : 'missed',
    ]);
    return [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  }

  writeDocs(subject: string): void {
    const page = readFileSync(FILE, 'utf8');
    const [before, after] = [page.indexOf(MARKS.from), page.indexOf(MARKS.to)];
    if (before < 0 || after < 0) throw new Error(`${FILE} has no marks for the table`);
    const text = `${subject}\n\n${this.table()}`;
    writeFileSync(FILE, `${page.slice(0, before)}${MARKS.from}\n${text}\n${page.slice(after)}`);
  }
}
