import { RE2JS } from 're2js';

/**
 * Ruby's `File.fnmatch` with FNM_PATHNAME, FNM_DOTMATCH and FNM_EXTGLOB, which GitLab matches paths with: `*`
 * and `?` stop at slashes, `**` followed by a slash is any number of folders, dots are ordinary, `{a,b}` is
 * either. Runs in linear time.
 */
export type Glob = (path: string) => boolean;

/**
 * How stars are interpreted. `ruby`: as above · `path`: `**` is any text, in any place · `text`: slashes are
 * ordinary characters, so each star is any text. Gitea uses the last two, for branches and for tags.
 */
export type Stars = 'ruby' | 'path' | 'text';

/** Throws when it is no glob. */
export function compileGlob(glob: string, stars: Stars = 'ruby'): Glob {
  if (!/[*?[\]{}\\]/.test(glob)) return (path) => path === glob;
  const regex = RE2JS.compile(`^(?:${translate(glob, stars)})$`, RE2JS.DOTALL);
  return (path) => regex.matcher(path).find();
}

/** Text of a regular expression that matches like the glob. */
function translate(glob: string, stars: Stars): string {
  const closes = braces(glob);
  let text = '';
  let depth = 0;
  for (let at = 0; at < glob.length; at += 1) {
    const char = glob[at] ?? '';
    const begins = at === 0 || '/{,'.includes(glob[at - 1] ?? '');
    if (char === '*' && stars !== 'ruby') {
      const double = glob[at + 1] === '*';
      while (glob[at + 1] === '*') at += 1;
      text += double || stars === 'text' ? '.*' : '[^/]*';
    } else if (char === '?' && stars === 'text') text += '.';
    else if (char === '*' && begins && glob.startsWith('**/', at)) {
      text += '(?:[^/]*/)*';
      at += 2;
      while (glob.startsWith('**/', at + 1)) at += 3;
    } else if (char === '*') text += '[^/]*';
    else if (char === '?') text += '[^/]';
    else if (char === '\\' && at + 1 < glob.length) text += RE2JS.quote(glob[(at += 1)] ?? '');
    else if (char === '[') {
      const set = setAt(glob, at);
      text += set.text;
      at = set.end;
    } else if (closes.has(at)) {
      text += char === '{' ? '(?:' : ')';
      depth += char === '{' ? 1 : -1;
    } else if (char === ',' && depth > 0) text += '|';
    else text += RE2JS.quote(char);
  }
  return text;
}

/** Positions of paired braces; any other brace is a plain character. */
function braces(glob: string): Set<number> {
  const open: number[] = [];
  const pairs = new Set<number>();
  for (let at = 0; at < glob.length; at += 1) {
    if (glob[at] === '\\') at += 1;
    else if (glob[at] === '{') open.push(at);
    else if (glob[at] === '}') {
      const start = open.pop();
      if (start !== undefined) pairs.add(start).add(at);
    }
  }
  return pairs;
}

/** `[a-z]`, `[^a-z]` or `[!a-z]`, never a slash. An unclosed set matches nothing, as in Ruby. */
function setAt(glob: string, start: number): { text: string; end: number } {
  const negated = glob[start + 1] === '!' || glob[start + 1] === '^';
  const from = start + (negated ? 2 : 1);
  let end = from;
  while (end < glob.length && (glob[end] !== ']' || end === from)) end += glob[end] === '\\' ? 2 : 1;
  if (end >= glob.length) return { text: '[^\\x00-\\x{10FFFF}]', end: glob.length };
  const inner = glob
    .slice(from, end)
    .replace(/\\(.)|([[\]^&~\\])/g, (_whole, escaped: string | undefined, special: string | undefined) =>
      RE2JS.quote(escaped ?? special ?? ''),
    );
  try {
    RE2JS.compile(`[${inner}]`);
  } catch {
    // A range that goes backwards: Ruby finds nothing in it.
    return { text: '[^\\x00-\\x{10FFFF}]', end };
  }
  return { text: negated ? `[^/${inner}]` : `[${inner}]`, end };
}
