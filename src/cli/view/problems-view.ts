/** Formats problems of a file for people: place, code, the line with a caret, a hint. Pure. */
import { placeText } from '../../errors.ts';
import { includedText, type Problem } from '../../compiler/problems.ts';
import { painted } from './table.ts';
import { plainText, widthOf } from './terminal-text.ts';

const MAX_LINE = 160;

export function problemsText(problems: readonly Problem[], color: boolean): string {
  return problems.map((problem) => problemView(problem, color)).join('');
}

function problemView(problem: Problem, color: boolean): string {
  const where = problem.place ? `${plainText(placeText(problem.place))}: ` : '';
  const kind = painted(problem.severity, problem.severity === 'error' ? 'red' : 'yellow', color);
  const head = `${painted(where, 'bold', color)}${kind}: ${plainText(problem.message)} [${problem.code}]\n`;
  const hint = problem.hint ? `      ${painted('→', 'cyan', color)} ${plainText(problem.hint)}\n` : '';
  const chain = includedText(problem);
  const from = chain && `      ${painted(plainText(chain), 'dim', color)}\n`;
  return head + excerpt(problem, color) + from + hint;
}

/** The line of the file with a caret below the column; a long line is cut around it. */
function excerpt({ place, sourceLine }: Problem, color: boolean): string {
  if (!place || sourceLine === undefined) return '';
  const clean = plainText(sourceLine).replace(/\t/g, ' ').replace(/\n/g, '');
  const from = place.column > MAX_LINE - 20 ? place.column - MAX_LINE / 2 : 0;
  const shown = clean.slice(from, from + MAX_LINE);
  const number = String(place.line).padStart(4);
  const gap = ' '.repeat(widthOf(clean.slice(from, Math.max(from, place.column - 1))));
  return `${painted(`${number} |`, 'dim', color)} ${shown}\n     ${painted('|', 'dim', color)} ${gap}${painted('^', 'red', color)}\n`;
}

/** `2 errors, 1 warning` */
export function countText(problems: readonly Problem[]): string {
  const errors = problems.filter((one) => one.severity === 'error').length;
  const warnings = problems.length - errors;
  const text = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
  return [errors > 0 ? text(errors, 'error') : '', warnings > 0 ? text(warnings, 'warning') : '']
    .filter((one) => one !== '')
    .join(', ');
}
