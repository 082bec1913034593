/**
 * `coverage`: a number from the job's log, as GitLab finds it: the lines are searched from the end; in the
 * first line that matches, the last match counts, its last group, and the first number in that. Pure; the
 * regular expression runs on RE2.
 */
import { RE2JS } from 're2js';

/** `/PATTERN/`. Throws the error of RE2 for an invalid pattern. */
export function coveragePattern(text: string): RE2JS | undefined {
  const found = /^\/(.+)\/$/s.exec(text);
  return found?.[1] === undefined ? undefined : RE2JS.compile(found[1]);
}

/** Undefined: no number in this line. `line` without its end. */
export function coverageOf(pattern: RE2JS, line: string): number | undefined {
  const matcher = pattern.matcher(line);
  let last: string | undefined;
  while (matcher.find()) {
    const groups = matcher.groupCount();
    if (groups === 0) last = matcher.group() ?? undefined;
    for (let index = 1; index <= groups; index += 1) last = matcher.group(index) ?? undefined;
  }
  const number = /\d+(\.\d+)?/.exec(last ?? '')?.[0];
  return number === undefined ? undefined : Number(number);
}
