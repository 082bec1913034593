/**
 * `.dockerignore`, as BuildKit reads it (moby/patternmatcher): one pattern per line, `!` negates, the last
 * match decides, a pattern that matches a folder matches all below it. Patterns run on RE2, in linear time.
 */
import { RE2JS } from 're2js';
import { DavitError } from '../errors.ts';

interface Pattern {
  negated: boolean;
  matches(path: string): boolean;
}

/**
 * Returns whether a path (relative, `/` between parts) is excluded from the context. Throws `source/refused`.
 */
export function dockerIgnore(text: string): (path: string) => boolean {
  const patterns = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap(parseLine);
  // One result per pattern for every folder: a pattern that matches a folder matches all below it.
  const folders = new Map<string, readonly boolean[]>();
  const results = (path: string): readonly boolean[] => {
    const slash = path.lastIndexOf('/');
    const above = slash < 0 ? undefined : folderResults(path.slice(0, slash));
    return patterns.map((pattern, index) => (above?.[index] ?? false) || pattern.matches(path));
  };
  const folderResults = (path: string): readonly boolean[] => {
    const known = folders.get(path) ?? results(path);
    folders.set(path, known);
    return known;
  };
  return (path) => {
    if (patterns.length === 0) return false;
    const last = results(path).lastIndexOf(true);
    return last >= 0 && patterns[last]?.negated === false;
  };
}

function parseLine(line: string): Pattern[] {
  if (line.startsWith('#')) return [];
  let text = line.trim();
  if (text === '') return [];
  const negated = text.startsWith('!');
  if (negated) text = text.slice(1).trim();
  const clean = normalized(text);
  if (clean === '') return [];
  return [{ negated, matches: matcher(clean) }];
}

/** As Go's filepath.Clean, without a leading or trailing slash; the root itself is empty. */
function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/'))
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  return parts.join('/');
}

function matcher(pattern: string): (path: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (path) => path === pattern;
  try {
    const compiled = RE2JS.compile(toRegex(pattern));
    return (path) => compiled.matches(path);
  } catch (error) {
    throw new DavitError(
      'source/refused',
      `.dockerignore: "${pattern.slice(0, 200)}" is not a valid pattern.`,
      { cause: error },
    );
  }
}

/** The translation of moby/patternmatcher `compile`. */
function toRegex(pattern: string): string {
  let out = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? '';
    if (char === '*' && pattern[at + 1] === '*') {
      at += 1;
      if (pattern[at + 1] === '/') at += 1;
      out += at + 1 >= pattern.length ? '.*' : '(.*/)?';
    } else if (char === '*') out += '[^/]*';
    else if (char === '?') out += '[^/]';
    else if (char === '\\') out += escape(pattern[++at] ?? '\\');
    else if (char === '[' || char === ']' || char === '^' || char === '-') out += char;
    else out += escape(char);
  }
  return out;
}

const escape = (char: string): string => (/[.$|(){}+^*?\\[\]]/.test(char) ? `\\${char}` : char);
