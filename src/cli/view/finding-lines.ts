/** A finding of `davit doctor` or `davit worker add`, for people. Pure. */
import { painted } from './table.ts';
import { plainText } from './terminal-text.ts';

const SIGNS = { ok: ['✓', 'green'], warn: ['!', 'yellow'], fail: ['✗', 'red'] } as const;

export interface FindingView {
  name: string;
  verdict: keyof typeof SIGNS;
  found: string;
  remedy?: string;
}

/** A line, and one with the remedy. */
export function findingLines({ name, verdict, found, remedy }: FindingView, color: boolean): string {
  const [sign, paint] = SIGNS[verdict];
  const line = `${painted(sign, paint, color)} ${name}: ${plainText(found)}\n`;
  return remedy === undefined ? line : `${line}    ${plainText(remedy).replaceAll('\n', '\n    ')}\n`;
}
