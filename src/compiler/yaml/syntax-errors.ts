/**
 * Says what is wrong with a text that is not valid YAML. The library names the place where it could not go on; people want the
 * line that they have to change. Only what is certain from the lines around that place is said, else the library's own words.
 * Pure.
 */
export interface SyntaxMistake {
  offset: number;
  message: string;
  hint?: string;
}
export interface LibraryError {
  code: string;
  message: string;
  offset: number;
}

/** At most this many lines after the place that the library names. */
const LINES_AFTER = 3;

/** One mistake for each part of the file, in order: further errors of the same part follow from the first. */
export function mistakesOf(text: string, errors: readonly LibraryError[]): SyntaxMistake[] {
  const lines = linesOf(text);
  const found: SyntaxMistake[] = [];
  let told = -1;
  for (const error of errors.toSorted((a, b) => a.offset - b.offset)) {
    const line = lines.findLastIndex(({ start }) => start <= error.offset);
    if (line <= told) continue;
    const mistake = explained(lines, line, error) ?? {
      offset: error.offset,
      message: `not valid YAML: ${error.message}`,
    };
    const at = lines.findLastIndex(({ start }) => start <= mistake.offset);
    // Up to the next entry of the top level.
    const next = lines.findIndex(
      ({ indent, isContent }, index) => index > Math.max(at, line) && isContent && indent === 0,
    );
    told = next === -1 ? lines.length : next - 1;
    found.push(mistake);
  }
  return found;
}

interface Line {
  start: number;
  text: string;
  indent: number;
  /** Neither blank nor a comment. */
  isContent: boolean;
  /** In `key: value` or `- key: value`. */
  key?: string;
  /** What follows the colon, without a comment. */
  value?: string;
}

const KEY =
  /^(?<dashes>(?:- +)*)(?<key>"[^"]*"|'[^']*'|[^\s#:,[\]{}"'&*!|>%@`-][^:#]*?)\s*:(?:\s+(?<value>.*))?$/;

function linesOf(text: string): Line[] {
  let start = 0;
  return text.split('\n').map((raw) => {
    const line = raw.replace(/\r$/, '');
    const content = line.trimStart();
    const groups = KEY.exec(content)?.groups;
    const made: Line = {
      start,
      text: content,
      indent: line.length - content.length,
      isContent: content !== '' && !content.startsWith('#'),
      ...(groups && {
        key: groups.key ?? '',
        value: (groups.value ?? '').replace(/(?:^|\s)#.*$/, '').trim(),
      }),
    };
    start += raw.length + 1;
    return made;
  });
}

function explained(lines: readonly Line[], line: number, error: LibraryError): SyntaxMistake | undefined {
  if (error.code === 'TAB_AS_INDENT') return tab(lines, line);
  for (let index = line; index <= Math.min(line + LINES_AFTER, lines.length - 1); index += 1) {
    const mistake = tooDeep(lines, index) ?? betweenLevels(lines, index) ?? withoutColon(lines, index);
    if (mistake) return mistake;
  }
  return undefined;
}

const before = (lines: readonly Line[], index: number): Line | undefined =>
  lines.slice(0, index).findLast(({ isContent }) => isContent);

const at = ({ start, indent }: Line): number => start + indent;
const nameOf = ({ key, text }: Line): string => `"${key ?? text.slice(0, 20)}"`;

function tab(lines: readonly Line[], line: number): SyntaxMistake | undefined {
  const found = lines[line];
  if (!found) return undefined;
  return {
    offset: found.start,
    message: `${nameOf(found)} is indented with a tab`,
    hint: 'YAML takes only spaces in front of a line.',
  };
}

/** A value that is complete: nothing can stand below it. */
const isComplete = ({ value }: Line): boolean =>
  value !== undefined && value !== '' && !/^[|>&!]/.test(value) && !isOpen(value);
const isOpen = (value: string): boolean =>
  (/^[[{]/.test(value) && !/[\]}]$/.test(value)) || /^(["'])(?!.*\1$)/.test(value);

/** `image: alpine` and below it, deeper, another key. */
function tooDeep(lines: readonly Line[], index: number): SyntaxMistake | undefined {
  const line = lines[index];
  const above = before(lines, index);
  if (!line?.isContent || !above || line.indent <= above.indent || !isComplete(above)) return undefined;
  if (line.key === undefined && !/^- /.test(line.text)) return undefined;
  const number = lines.indexOf(above) + 1;
  return {
    offset: at(line),
    message: `${nameOf(line)} is indented more than ${nameOf(above)} on line ${number}, which already has a value`,
    hint: `Begin the line in the same column as ${nameOf(above)}.`,
  };
}

/** An indentation that no line above has. */
function betweenLevels(lines: readonly Line[], index: number): SyntaxMistake | undefined {
  const line = lines[index];
  if (!line?.isContent || (line.key === undefined && !/^- /.test(line.text))) return undefined;
  const levels: Line[] = [];
  for (const one of lines.slice(0, index)) {
    if (!one.isContent || (one.key === undefined && !/^-(?: |$)/.test(one.text))) continue;
    while ((levels.at(-1)?.indent ?? -1) >= one.indent) levels.pop();
    levels.push(one);
  }
  const deeper = levels.find(({ indent }) => indent > line.indent);
  const same = levels.some(({ indent }) => indent === line.indent);
  const above = levels.at(-1);
  if (!deeper || same || !above || line.indent === 0) return undefined;
  const number = lines.indexOf(deeper) + 1;
  return {
    offset: at(line),
    message: `${nameOf(line)} is indented by ${spaces(line)}, and ${nameOf(deeper)} on line ${number} by ${deeper.indent}`,
    hint: 'Lines that belong together begin in the same column.',
  };
}

const spaces = ({ indent }: Line): string => (indent === 1 ? '1 space' : `${indent} spaces`);

/** A key is expected here. */
function withoutColon(lines: readonly Line[], index: number): SyntaxMistake | undefined {
  const line = lines[index];
  if (!line?.isContent || line.key !== undefined || /^(?:-(?: |$)|[[\]{}"'|>&*!%@`,])/.test(line.text))
    return undefined;
  if (!hasKeyBeside(lines, index)) return undefined;
  const glued = /^([\w.-]+):(\S.*)$/.exec(line.text);
  if (glued)
    return {
      offset: at(line) + (glued[1]?.length ?? 0) + 1,
      message: `a space is missing after "${glued[1]}:"`,
      hint: `Write ${glued[1]}: ${glued[2]}`,
    };
  const [name = '', ...rest] = line.text.split(/\s+/);
  return {
    offset: at(line) + name.length,
    message: `":" is missing after "${name}"`,
    hint:
      rest.length > 0
        ? `Write ${name}: ${rest.join(' ')}`
        : `Write ${name}: and its value, or its values below it.`,
  };
}

/** The next or the last key of the same map, or a key below it. */
function hasKeyBeside(lines: readonly Line[], index: number): boolean {
  const { indent } = lines[index] ?? { indent: 0 };
  const next = lines.slice(index + 1).find(({ isContent }) => isContent);
  const last = lines.slice(0, index).findLast((one) => one.isContent && one.indent <= indent);
  const isKey = (one: Line | undefined): boolean => one?.key !== undefined;
  if (isKey(next) && (next?.indent ?? -1) >= indent)
    return !(isKey(last) && last && isComplete(last) && last.indent < indent);
  return isKey(last) && last?.indent === indent;
}
