/**
 * Durations as GitLab's keywords take them (`timeout`, `expire_in`, `start_in`): `1h 30m`, `3 mins 4 sec`, `2
 * hrs 20 min`, `47 yrs 6 mos and 4d`, `3 weeks and 2 days`, `one week`, `1:30:00`, a bare number of seconds
 * (GitLab: chronic_duration, with numerizer for the words).
 */
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^(s|secs?|seconds?)$/, SECOND],
  [/^(m|mins?|minutes?)$/, MINUTE],
  [/^(h|hrs?|hours?)$/, HOUR],
  [/^(d|dy|days?)$/, DAY],
  [/^(w|wks?|weeks?)$/, 7 * DAY],
  [/^(mo|mos|mon|months?)$/, 30 * DAY],
  [/^(y|yrs?|years?)$/, 365.25 * DAY],
];
const JOINING: ReadonlySet<string> = new Set(['and', 'with', 'plus']);
const SMALL =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
/** Units of `1:30:00` from its end. */
const CLOCK = [SECOND, MINUTE, HOUR, DAY] as const;

/** Milliseconds, or undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const written = text.toLowerCase().trim();
  if (/^\d+(\.\d+)?(:\d+(\.\d+)?){1,3}$/.test(written)) return clock(written.split(':'));
  const words = written.replace(/(\d+(?:\.\d+)?)/g, ' $1 ').split(/[\s,]+|(?<=[a-z])-(?=[a-z])/);
  return total(numbers(words.filter((word) => word !== '' && !JOINING.has(word))));
}

function clock(parts: readonly string[]): number {
  return parts.reduce((sum, part, index) => sum + Number(part) * (CLOCK[parts.length - 1 - index] ?? 0), 0);
}

/** Number words become numbers: `twenty`, `five` is 25. */
function numbers(words: readonly string[]): (string | number)[] {
  const found: (string | number)[] = [];
  let tens = false;
  for (const word of words) {
    const small = SMALL.indexOf(word);
    const ten = TENS.indexOf(word);
    const last = found.at(-1);
    if (tens && typeof last === 'number' && small > 0 && small < 10) found[found.length - 1] = last + small;
    else if (ten >= 0) found.push(20 + ten * 10);
    else found.push(small >= 0 ? small : /^\d/.test(word) ? Number(word) : word);
    tens = ten >= 0;
  }
  return found;
}

/** A unit in front counts once (`week`), a number at the end means seconds (`1h30`). */
function total(words: readonly (string | number)[]): number | undefined {
  if (words.length === 0) return undefined;
  let sum = 0;
  let count: number | undefined = typeof words[0] === 'number' ? undefined : 1;
  for (const word of words) {
    if (typeof word === 'number') {
      if (count !== undefined) return undefined;
      count = word;
      continue;
    }
    const unit = UNITS.find(([name]) => name.test(word));
    if (!unit || count === undefined) return undefined;
    sum += count * unit[1];
    count = undefined;
  }
  return Math.round(sum + (count ?? 0) * SECOND);
}
