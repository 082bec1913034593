/**
 * Durations as GitLab's keywords take them (`timeout`, `expire_in`, `start_in`): `1h 30m`, `3 mins 4 sec`, `2 hrs 20 min`,
 * `6 mos 1 day`, `47 yrs 6 mos and 4d`, `3 weeks and 2 days`, a bare number of seconds (GitLab: chronic_duration).
 */
const SECOND = 1000;
const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^(s|secs?|seconds?)$/, SECOND],
  [/^(m|mins?|minutes?)$/, 60 * SECOND],
  [/^(h|hrs?|hours?)$/, 3_600 * SECOND],
  [/^(d|days?)$/, 86_400 * SECOND],
  [/^(w|wks?|weeks?)$/, 604_800 * SECOND],
  [/^(mo|mos|mon|months?)$/, 2_592_000 * SECOND],
  [/^(y|yrs?|years?)$/, 31_557_600 * SECOND],
];

/** Milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const words = text
    .toLowerCase()
    .replace(/\band\b|,/g, ' ')
    .trim();
  if (/^\d+(\.\d+)?$/.test(words)) return Number(words) * SECOND;
  const parts = words.match(/\d+(?:\.\d+)?\s*[a-z]+/g);
  if (!parts || parts.join('').replace(/\s/g, '') !== words.replace(/\s/g, '')) return undefined;
  let total = 0;
  for (const part of parts) {
    const found = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(part);
    const unit = UNITS.find(([name]) => name.test(found?.[2] ?? ''));
    if (!found || !unit) return undefined;
    total += Number(found[1]) * unit[1];
  }
  return Math.round(total);
}

/** `1 h 2 min`, `4 min`, `3.4 s`, `120 ms`: for eyes. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return twoUnits(seconds, 60, ['min', 's']);
  return twoUnits(Math.round(seconds / 60), 60, ['h', 'min']);
}

const twoUnits = (count: number, size: number, [big, small]: readonly [string, string]): string =>
  count % size === 0
    ? `${count / size} ${big}`
    : `${Math.floor(count / size)} ${big} ${count % size} ${small}`;
