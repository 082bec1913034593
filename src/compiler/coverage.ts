/**
 * `coverage`: a number from the job's log, as GitLab finds it: line by line from the end, in the first line that matches the
 * last match, of that the last group that there is, of that the first number. Pure; the regular expression runs on RE2.
 */
import { RE2JS } from 're2js';

/** `/PATTERN/`. Throws what RE2 says of a pattern that it does not take. */
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
