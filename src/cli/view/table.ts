/** Tables for people: aligned columns, optional colours, no unsafe terminal sequences. Pure. */
import { styleText } from 'node:util';
import { plainText, widthOf } from './terminal-text.ts';

export type Paint = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'dim' | 'bold';

export interface Cell {
  text: string;
  paint?: Paint;
}

/** `color` decides; styleText must not check standard output itself. */
export const painted = (text: string, paint: Paint | undefined, color: boolean): string =>
  color && paint ? styleText(paint, text, { validateStream: false }) : text;

/** Rows as lines: the head is dim, the last column is not padded, every cell is one line. */
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
