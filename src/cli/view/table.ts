/** Tables for people: aligned columns, colours where they are wanted, nothing of others that a terminal would obey. Pure. */
import { styleText } from 'node:util';
import { plainText, widthOf } from './terminal-text.ts';

export type Paint = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'dim' | 'bold';

export interface Cell {
  text: string;
  paint?: Paint;
}

/** `color` says whether the stream takes colors, so styleText must not ask standard output. */
export const painted = (text: string, paint: Paint | undefined, color: boolean): string =>
  color && paint ? styleText(paint, text, { validateStream: false }) : text;

/** Rows as lines; the head is dim, the last column is not padded. Every cell is one line. */
export function table(head: string[], rows: (string | Cell)[][], color: boolean): string {
  if (rows.length === 0) return '';
  const cells = [head.map((text): Cell => ({ text, paint: 'dim' })), ...rows.map((row) => row.map(cellOf))];
  const widths = head.map((_name, column) =>
    Math.max(...cells.map((row) => widthOf(row[column]?.text ?? ''))),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const gap = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - widthOf(cell.text));
        return painted(cell.text, cell.paint, color) + gap;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function cellOf(cell: string | Cell): Cell {
  const { text, paint } = typeof cell === 'string' ? { text: cell, paint: undefined } : cell;
  return { text: plainText(text).replace(/[\n\t]+/g, ' '), paint };
}
