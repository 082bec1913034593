/** The text under the quick reader: lines, columns, keys. The cursor stands at a character of a line with content. */
export class NotQuick extends Error {
  override readonly name = 'NotQuick';
}

/** Control characters, carriage returns among them: rare, and the full reader's business. */
const UNUSUAL = /(?![\t\n])\p{Cc}|[\u2028\u2029\ufeff]/u;
const NOT_AT_START = new Set([
  ',',
  '[',
  ']',
  '{',
  '}',
  '#',
  '&',
  '*',
  '!',
  '|',
  '>',
  "'",
  '"',
  '%',
  '@',
  '`',
]);
const ANCHOR = /&([^\s,[\]{}]+)(?=[ \n]|$)/y;
const ALIAS = /\*([^\s,[\]{}]+)/y;
const DOUBLE = /"((?:[^"\\\n]|\\[^\n])*)"/y;
const SINGLE = /'((?:[^'\n]|'')*)'/y;
/** The end of a line: nothing but spaces and a comment. */
const LINE_END = /(?: +#[^\n]*| *)(?:\n|$)/y;

export interface Key {
  text: string;
  quoted: boolean;
  /** Behind the colon. */
  end: number;
}

export class QuickCursor {
  readonly text: string;
  pos = 0;
  lineStart = 0;
  ended = false;

  constructor(text: string) {
    this.text = text;
  }

  readable = (): boolean => !UNUSUAL.test(this.text);

  get char(): string {
    return this.text[this.pos] ?? '';
  }
  get column(): number {
    return this.pos - this.lineStart;
  }

  /** From the start of a line to the next character that is no space and no comment. */
  nextContent(): void {
    const { text } = this;
    for (let start = this.pos; ; ) {
      let at = start;
      while (text[at] === ' ') at += 1;
      const char = text[at];
      if (char === undefined) {
        this.pos = at;
        this.lineStart = start;
        this.ended = true;
        return;
      }
      if (char !== '\n' && char !== '#') {
        this.pos = at;
        this.lineStart = start;
        if (char === '\t' || (at === start && this.#marker())) throw new NotQuick();
        return;
      }
      const end = text.indexOf('\n', at);
      start = end === -1 ? text.length : end + 1;
    }
  }

  #marker(): boolean {
    const { text, pos } = this;
    if (text[pos] === '%' || text.startsWith('...', pos)) return true;
    // The first marker of all is skipped by whoever starts.
    return pos > 0 && text.startsWith('---', pos);
  }

  /** `---` as the very first line. */
  skipFirstMarker(): void {
    if (this.pos !== 0 || !/^---(?:\s|$)/.test(this.text)) return;
    this.pos = 3;
    this.endLine();
  }

  /** The rest of the line must be empty; goes to the next content. */
  endLine(): void {
    LINE_END.lastIndex = this.pos;
    const found = LINE_END.exec(this.text);
    if (!found) throw new NotQuick();
    this.pos = LINE_END.lastIndex;
    this.nextContent();
  }

  atLineEnd(): boolean {
    LINE_END.lastIndex = this.pos;
    return LINE_END.test(this.text);
  }

  skipSpaces(): void {
    while (this.text[this.pos] === ' ') this.pos += 1;
  }

  atListItem(): boolean {
    if (this.text[this.pos] !== '-') return false;
    const next = this.text[this.pos + 1];
    return next === ' ' || next === '\n' || next === undefined;
  }

  /** More of the collection in this column? */
  goesOn(column: number): boolean {
    if (this.ended || this.column < column) return false;
    if (this.column > column) throw new NotQuick();
    return true;
  }

  mustHaveLeft(column: number): void {
    if (!this.ended && this.column >= column) throw new NotQuick();
  }

  lineEnd(from = this.pos): number {
    const end = this.text.indexOf('\n', from);
    return end === -1 ? this.text.length : end;
  }

  /** Whether a plain scalar may begin here. In flow the brackets end one. */
  atPlain(flow: boolean): boolean {
    const { char } = this;
    if (char === '' || char === '\n' || char === '\t' || NOT_AT_START.has(char)) return false;
    if (char !== '-' && char !== '?' && char !== ':') return true;
    const next = this.text[this.pos + 1] ?? '\n';
    return !/\s/.test(next) && !(flow && ',[]{}'.includes(next));
  }

  key(): Key | undefined {
    const key = this.peekKey();
    if (key) this.pos = key.end;
    return key;
  }

  /** The key of a pair that begins here, on this line. */
  peekKey(): Key | undefined {
    const { text, pos, char } = this;
    if (char === '"' || char === "'") return this.#quotedKey();
    if (!this.atPlain(false)) return undefined;
    const end = this.lineEnd();
    for (let at = text.indexOf(':', pos); at !== -1 && at < end; at = text.indexOf(':', at + 1)) {
      if (at + 1 !== end && text[at + 1] !== ' ') continue;
      const raw = text.slice(pos, at);
      if (raw.includes('\t')) throw new NotQuick();
      if (raw.includes(' #')) return undefined;
      return { text: raw.trimEnd(), quoted: false, end: at + 1 };
    }
    return undefined;
  }

  #quotedKey(): Key | undefined {
    const { pos } = this;
    const text = this.quoted();
    if (text === undefined) return undefined;
    this.skipSpaces();
    const colon = this.pos;
    const isKey = this.text[colon] === ':' && /^(?: |\n|$)/.test(this.text.slice(colon + 1, colon + 2));
    this.pos = pos;
    return isKey ? { text, quoted: true, end: colon + 1 } : undefined;
  }

  /** A quoted scalar that ends on its line; undefined when there is none. Moves behind it. */
  quoted(): string | undefined {
    const pattern = this.char === '"' ? DOUBLE : SINGLE;
    pattern.lastIndex = this.pos;
    const found = pattern.exec(this.text);
    if (!found) return undefined;
    this.pos = pattern.lastIndex;
    const raw = found[1] ?? '';
    return pattern === SINGLE ? raw.replaceAll("''", "'") : unescape(raw);
  }

  anchor(): string | undefined {
    if (this.char !== '&') return undefined;
    ANCHOR.lastIndex = this.pos;
    const found = ANCHOR.exec(this.text);
    if (!found?.[1]) throw new NotQuick();
    this.pos = ANCHOR.lastIndex;
    this.skipSpaces();
    return found[1];
  }

  aliasName(): string {
    ALIAS.lastIndex = this.pos;
    const found = ALIAS.exec(this.text);
    if (!found?.[1]) throw new NotQuick();
    this.pos = ALIAS.lastIndex;
    return found[1];
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '"': '"',
  '/': '/',
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  e: '\u001b',
  ' ': ' ',
};

function unescape(raw: string): string {
  if (!raw.includes('\\')) return raw;
  return raw.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (_whole, code: string) => {
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const text = ESCAPES[code];
    if (text === undefined) throw new NotQuick();
    return text;
  });
}
