/**
 * Sections of a job's log, as GitLab marks them: `section_start:TIME:NAME[OPTIONS]\r\e[0KHEADER`,
 * `section_end:TIME:NAME\r\e[0K`. Stored logs keep them; a terminal shows the header and how long the section
 * took. Pure.
 */

const MARK = /(?:\u001b\[0K)?section_(start|end):(\d+):([\w.-]+)(?:\[[^\]\r\n]*\])?\r\u001b\[0K(\n?)/g;
const BEGINNING = '\u001b[0Ksection_';
/** A line with a mark is held until it ends, or until it is longer than this. */
const MAX_LINE = 4_096;

export class SectionFilter {
  #held = '';
  readonly #began = new Map<string, number>();

  /** The text to show for this piece, however the log is cut into pieces. */
  push(piece: string): string {
    const text = this.#held + piece;
    const held = holdFrom(text);
    this.#held = text.slice(held);
    return this.#shown(text.slice(0, held));
  }

  /** The held text. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#shown(rest);
  }

  #shown(text: string): string {
    if (!text.includes('section_')) return text;
    let out = '';
    let from = 0;
    for (const mark of text.matchAll(MARK)) {
      out += text.slice(from, mark.index) + this.#mark(mark);
      from = mark.index + mark[0].length;
    }
    return out + text.slice(from);
  }

  #mark([, kind, time = '', name = '', newline]: RegExpExecArray): string {
    const seconds = Number(time);
    const began = this.#began.get(name);
    if (kind === 'start') {
      this.#began.set(name, seconds);
      return newline === '' ? '> ' : `> ${name}\n`;
    }
    this.#began.delete(name);
    return began === undefined ? '' : `< ${name} ${Math.max(0, seconds - began)} s\n`;
  }
}

/** Index of a possible mark whose line has not ended; the length of the text if there is none. */
function holdFrom(text: string): number {
  const line = text.lastIndexOf('\n') + 1;
  const tail = text.slice(line);
  const begun = tail.search(/(?:\u001b\[0K)?section_/);
  if (begun !== -1) return tail.length - begun > MAX_LINE ? text.length : line + begun;
  for (let length = Math.min(tail.length, BEGINNING.length); length > 0; length -= 1) {
    const end = tail.slice(-length);
    if (BEGINNING.startsWith(end) || 'section_'.startsWith(end)) return text.length - length;
  }
  return text.length;
}
