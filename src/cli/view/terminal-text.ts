/**
 * Filters untrusted text for a terminal. A log may contain any bytes: of all terminal sequences only colours
 * (SGR) are kept. Nothing moves the cursor, sets a title, writes the clipboard or overwrites a line. Pure.
 */

type State = 'text' | 'escape' | 'csi' | 'string' | 'stringEscape' | 'intermediate';

/** A sequence with more parameter characters is not a colour. */
const MAX_PARAMETERS = 64;
/** Characters that are not shown unchanged; each is one UTF-16 unit. */
const SPECIAL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
const ESC = '\u001b';
const RESET = `${ESC}[0m`;

/**
 * Filters a stream, however it is cut into pieces. Control strings (OSC, DCS, APC, PM, SOS) end at BEL, ST or
 * a line feed: an unterminated string must not hide the rest of a log. A lone CR becomes a line feed, so that
 * nothing is overwritten.
 */
export class TerminalFilter {
  #state: State = 'text';
  #parameters = '';
  #afterCr = false;
  readonly #color: boolean;

  constructor(color: boolean) {
    this.#color = color;
  }

  /** The safe part of this piece. Plain text is copied in whole runs, because logs are large. */
  push(text: string): string {
    let out = '';
    for (let index = 0; index < text.length; ) {
      if (this.#state === 'text' && !this.#afterCr) {
        SPECIAL.lastIndex = index;
        const next = SPECIAL.exec(text)?.index ?? text.length;
        out += text.slice(index, next);
        index = next;
        if (index >= text.length) break;
      }
      out += this.#take(text.charAt(index));
      index += 1;
    }
    return out;
  }

  #take(char: string): string {
    const code = char.charCodeAt(0);
    const cr = this.#afterCr ? (char === '\n' ? '' : '\n') : '';
    this.#afterCr = false;
    switch (this.#state) {
      case 'escape':
        return cr + this.#escape(char);
      case 'intermediate':
        if (code < 0x20 || code > 0x2f) this.#state = 'text';
        return cr;
      case 'csi':
        return cr + this.#csi(char, code);
      case 'string':
      case 'stringEscape':
        return cr + this.#string(char, code);
      case 'text':
        return cr + this.#text(char, code);
    }
  }

  #text(char: string, code: number): string {
    if (char === ESC) return this.#enter('escape');
    if (code === 0x9b) return this.#enter('csi');
    if (code === 0x90 || code === 0x98 || code === 0x9d || code === 0x9e || code === 0x9f)
      return this.#enter('string');
    if (char === '\n' || char === '\t') return char;
    if (char === '\r') {
      this.#afterCr = true;
      return '';
    }
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return '';
    // Bidirectional controls can make text look like other text.
    if ((code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) return '';
    return char;
  }

  #escape(char: string): string {
    if (char === '[') return this.#enter('csi');
    if (char === ']' || char === 'P' || char === 'X' || char === '^' || char === '_')
      return this.#enter('string');
    if (char === ESC) return '';
    if (char === '\n') return this.#leave('\n');
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0x20 && code <= 0x2f) return this.#enter('intermediate');
    return this.#leave('');
  }

  #csi(char: string, code: number): string {
    if (char === ESC) return this.#enter('escape');
    if (char === '\n') return this.#leave('\n');
    if (code >= 0x40 && code <= 0x7e) {
      const colour = char === 'm' && this.#color && /^[0-9;:]{0,64}$/.test(this.#parameters);
      return this.#leave(colour ? `${ESC}[${this.#parameters}m` : '');
    }
    if (code >= 0x20 && code <= 0x3f && this.#parameters.length <= MAX_PARAMETERS) this.#parameters += char;
    return '';
  }

  #string(char: string, code: number): string {
    if (char === '\n') return this.#leave('\n');
    if (code === 0x07 || code === 0x9c) return this.#leave('');
    if (this.#state === 'stringEscape')
      return char === ESC ? '' : char === '\\' ? this.#leave('') : this.#escape(char);
    if (char === ESC) return this.#enter('stringEscape');
    return '';
  }

  #enter(state: State): string {
    this.#state = state;
    this.#parameters = '';
    return '';
  }

  #leave(text: string): string {
    this.#state = 'text';
    return text;
  }
}

/** A text without colours and control sequences. */
export const plainText = (text: string): string => new TerminalFilter(false).push(text);

/** Untrusted text within a line: resets its colours at its end. */
export const closedColors = (text: string): string => (text.includes(ESC) ? text + RESET : text);

/** Columns of a text without its colours; wide characters count two. Good enough for tables. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text.replace(/\u001b\[[0-9;:]*m/g, '')) {
    const code = char.codePointAt(0) ?? 0;
    const wide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff);
    width += wide ? 2 : 1;
  }
  return width;
}
