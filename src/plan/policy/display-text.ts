/** What operators see in Temporal, cut to the limits of Temporal and PostgreSQL. Pure. */
import type { AttemptRef } from '../model/ids.ts';
import { storable, utf8Length } from '../model/text.ts';
import type { Trigger } from '../model/trigger.ts';

/** PostgreSQL's VARCHAR(255) for keywords. */
const KEYWORD_CHARS = 255;
/**
 * Temporal terminates a workflow whose search attribute exceeds 2 KiB: stay well below, including JSON
 * quotes.
 */
const LIST_BYTES = 1_800;
const SUMMARY_BYTES = 200;

/**
 * Every value of a search attribute passes through this function. It counts bytes, because the server does.
 * PostgreSQL does not store NUL: with one, the pipeline would never be listed correctly again.
 */
export function keyword(text: string): string {
  return cut(storable(text), KEYWORD_CHARS);
}

/**
 * A KeywordList: distinct, sorted so that equal sets are equal values, and bounded in sum; the rest is
 * counted.
 */
export function keywords(values: Iterable<string>): string[] {
  const all = [...new Set([...values].map(keyword))].sort();
  const list: string[] = [];
  let bytes = 2;
  for (const value of all) {
    bytes += utf8Length(JSON.stringify(value)) + 1;
    if (bytes > LIST_BYTES) return [...list, `+${all.length - list.length} more`];
    list.push(value);
  }
  return list;
}

/** `REF SHA8 TITLE` */
export const summaryText = (trigger: Pick<Trigger, 'ref' | 'sha' | 'title'>): string =>
  cut(
    `${cut(trigger.ref, 80)} ${trigger.sha.slice(0, 8)} ${trigger.title}`.replace(/\s+/g, ' ').trim(),
    SUMMARY_BYTES,
  );

/** Names an activity: `unit`, `unit, attempt 2`, `unit, taken up again on h2`. */
export const activitySummary = (
  { job, attempt }: Pick<AttemptRef, 'job' | 'attempt'>,
  host: string | undefined,
): string =>
  cut(
    [
      cut(storable(job), 100),
      ...(attempt > 1 ? [`attempt ${attempt}`] : []),
      ...(host === undefined ? [] : [`taken up again on ${host}`]),
    ].join(', '),
    SUMMARY_BYTES,
  );

/** The longest prefix with at most that many bytes in UTF-8, without half characters. */
export function cut(text: string, bytes: number): string {
  if (text.length * 3 <= bytes || utf8Length(text) <= bytes) return text;
  let used = 0;
  let kept = '';
  for (const char of text) {
    used += utf8Length(char);
    if (used > bytes - 3) break;
    kept += char;
  }
  return `${kept}…`;
}
