/** The table of a run: on the terminal, and in docs/reliability.md between its marks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/source.ts';
import type { Break } from './checker.ts';
import type { Row } from './rows/row.ts';

export interface Line {
  row: Pick<Row, 'row' | 'fault' | 'moment'>;
  injected: number;
  /** Runs without the outcome that the matrix requires. */
  failed: number;
  recoveryMs: number[];
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`);
function cells({ row, injected, failed, recoveryMs }: Line): string[] {
  const sorted = recoveryMs.toSorted((one, other) => one - other);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return [
    String(row.row),
    row.fault,
    row.moment,
    String(injected),
    String(failed),
    seconds(median),
    seconds(sorted.at(-1)),
  ];
}
const HEAD = ['row', 'fault', 'moment', 'injected', 'breaks', 'median recovery', 'worst'];
const ordered = (lines: readonly Line[]): Line[] =>
  lines.toSorted((one, other) => one.row.row - other.row.row);

export function table(lines: readonly Line[]): string {
  const rows = [HEAD, ...ordered(lines).map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const FILE = join(ROOT, 'docs', 'reliability.md');
/** Replaces the table of the last run with that of this run. */
export function docsTable(run: {
  command: string;
  pipelines: number;
  seconds: number;
  breaks: readonly Break[];
  lines: readonly Line[];
  kind: 'rows' | 'literal' | 'soak' | 'postgres rows' | 'postgres soak';
}): void {
  const { kind } = run;
  const marks = { from: `<!-- ${kind}: written by the harness -->`, to: `<!-- end of ${kind} -->` };
  const rows = [HEAD, HEAD.map(() => '---'), ...ordered(run.lines).map(cells)];
  const text = [
    `\`${run.command}\`: ${run.pipelines} pipelines in ${run.seconds} s, ${run.breaks.length} breaks of an invariant.`,
    '',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
  const page = readFileSync(FILE, 'utf8');
  const [before, after] = [page.indexOf(marks.from), page.indexOf(marks.to)];
  if (before < 0 || after < 0) throw new Error(`${FILE} has no marks for ${kind}`);
  writeFileSync(FILE, `${page.slice(0, before)}${marks.from}\n${text}\n${page.slice(after)}`);
}
