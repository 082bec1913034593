/** GitLab's regular expressions between slashes, in `only`, `except` and `rules:if`. Pure. */
import { RE2JS } from 're2js';

const REGEX = /^\/(.*)\/([ismU]*)$/s;

/** Compiles `/pattern/flags` on RE2; undefined when the text is a plain name. Throws when it is not valid. */
export function refPattern(text: string): RE2JS | undefined {
  const found = REGEX.exec(text);
  if (!found) return undefined;
  const flags = found[2] ? `(?${found[2]})` : '';
  return RE2JS.compile(flags + (found[1] ?? ''));
}
