/** Text as Temporal and its database accept it. Pure. */

/** Messages cannot contain unpaired surrogates, and PostgreSQL cannot store NUL: U+FFFD replaces them. */
export const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\uFFFD');

const MAX_TITLE = 255;

/** The first line of a text as the title of an event: bounded, because it is stored in a workflow's history. */
export const titleOf = (text: string): string =>
  (text.split('\n', 1)[0] ?? '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_TITLE)
    .toWellFormed();

/** GitLab's expression for a text that requests no pipeline. */
export const SKIP_CI = /\[(ci[ _-]skip|skip[ _-]ci)\]/i;

/** Number of bytes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
