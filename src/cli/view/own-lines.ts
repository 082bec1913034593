/**
 * davit's own lines of a log, told from those of the job: `[davit] ` before each, which a line of the job that begins like it
 * does not get to have (`\[davit] `). Marks are read before the text is filtered for terminals, which removes them.
 */
import { OWN_LINE } from '../../plan/model/log-mark.ts';
import { plainText } from './terminal-text.ts';

const PREFIX = '[davit] ';
/** Stands for the mark between reading and showing. A noncharacter of Unicode: in the text of a job it is removed. */
const SIGN = '\ufdd0';
/** What people do not see before a text. */
const BLANK = '(?:\\u001b\\[[0-9;:]*m|[\\s\\u200b-\\u200f\\u2060\\ufeff])*';
const ALIKE = new RegExp(`^${BLANK}\\[davit\\]`);
/** A line that may still become one of these. */
const UNDECIDED = new RegExp(`^${BLANK}(?:\\u001b(?:\\[[0-9;:]*)?|\\[(?:d(?:a(?:v(?:i(?:t)?)?)?)?)?)?$`);
const MAX_UNDECIDED = 4_096;

/** Puts a sign in place of each mark, at the beginning of a line, however the log is cut into pieces. */
export class MarkReader {
  #held = '';
  #atStart = true;

  push(piece: string): string {
    const text = this.#held + piece;
    const held = heldOf(text);
    this.#held = text.slice(text.length - held);
    return this.#read(text.slice(0, text.length - held));
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#read(rest);
  }

  #read(text: string): string {
    if (text === '') return '';
    const clean = text.replaceAll(SIGN, '');
    const out = clean.replaceAll(OWN_LINE, (_mark, at: number) => {
      const atStart = at === 0 ? this.#atStart : clean[at - 1] === '\n';
      return atStart ? SIGN : `\n${SIGN}`;
    });
    if (out !== '') this.#atStart = out.endsWith('\n');
    return out;
  }
}

/** Length of the end that may be the beginning of a mark. */
function heldOf(text: string): number {
  for (let length = Math.min(text.length, OWN_LINE.length - 1); length > 0; length -= 1)
    if (OWN_LINE.startsWith(text.slice(-length))) return length;
  return 0;
}

export interface LogLine {
  source: 'davit' | 'job';
  text: string;
}
/** A line after the filters. */
export const readLine = (line: string): LogLine =>
  line.startsWith(SIGN) ? { source: 'davit', text: line.slice(SIGN.length) } : { source: 'job', text: line };

/** A line, or its beginning, as it is shown. */
export function shownLine(line: string): string {
  const { source, text } = readLine(line);
  if (source === 'davit') return `${PREFIX}${text}`;
  return ALIKE.test(text) ? `\\${text}` : text;
}

/** Shows a stream of filtered text; only a line's first characters are waited for. */
export class OwnLines {
  #line = '';
  #decided = false;

  push(text: string): string {
    let out = '';
    const parts = text.split('\n');
    for (const [index, part] of parts.entries()) {
      out += this.#part(part);
      if (index < parts.length - 1) out += `${this.end()}\n`;
    }
    return out;
  }

  /** What was waited for: the line ends here. */
  end(): string {
    const rest = this.#decided ? '' : shownLine(this.#line);
    this.#line = '';
    this.#decided = false;
    return rest;
  }

  #part(part: string): string {
    if (this.#decided) return part;
    this.#line += part;
    if (this.#line.length < MAX_UNDECIDED && UNDECIDED.test(this.#line)) return '';
    this.#decided = true;
    return shownLine(this.#line);
  }
}

/** Lines of a whole stream as JSON, without colours. */
export class JsonLines {
  #line = '';

  push(text: string): string {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    return lines.map(jsonLine).join('');
  }

  end(): string {
    const rest = this.#line === '' ? '' : jsonLine(this.#line);
    this.#line = '';
    return rest;
  }
}
const jsonLine = (line: string): string => {
  const { source, text } = readLine(line);
  return `${JSON.stringify({ source, text: plainText(text) })}\n`;
};
