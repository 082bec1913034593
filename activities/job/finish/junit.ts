/**
 * JUnit XML as far as a test summary needs it: testcases, and whether each failed, errored or was skipped.
 * Pure, linear in the text, no entities, nothing fetched. As in GitLab, only testcases count, not the totals
 * of the suites.
 */
import type { TestSummary } from '../../../src/plan/model/outcome.ts';

export const noTests = (): TestSummary => ({ total: 0, failed: 0, errored: 0, skipped: 0 });

/**
 * Adds the testcases of a report. `broken`: it ends in the middle, as after a crash of the test program, so the summary may
 * lack testcases. `none`: not a JUnit report.
 */
export function addJunit(sum: TestSummary, text: string): 'whole' | 'broken' | 'none' {
  let isReport = false;
  let inside = false;
  let worst: 'failed' | 'errored' | 'skipped' | undefined;
  let open = 0;
  const end = (): void => {
    if (!inside) return;
    sum.total += 1;
    if (worst) sum[worst] += 1;
    inside = false;
    worst = undefined;
  };
  for (const { name, closes, empty } of tags(text)) {
    if (!empty) open += closes ? -1 : 1;
    if (name === 'testsuites' || name === 'testsuite') isReport = true;
    else if (name === 'testcase') {
      end();
      if (closes) continue;
      inside = true;
      if (empty) end();
    } else if (inside && !closes) worst ??= VERDICTS[name];
  }
  end();
  if (!isReport) return 'none';
  return open === 0 && isComplete(text) ? 'whole' : 'broken';
}
const VERDICTS: Readonly<Record<string, 'failed' | 'errored' | 'skipped' | undefined>> = {
  failure: 'failed',
  error: 'errored',
  skipped: 'skipped',
};

interface Tag {
  name: string;
  closes: boolean;
  /** `<a/>` */
  empty: boolean;
}

/** Text between tags; ignored. */
const SKIPPED = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
  ['<!', '>'],
] as const;

function* tags(text: string): Generator<Tag> {
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at)) {
    const skipped = SKIPPED.find(([open]) => text.startsWith(open, at));
    if (skipped) {
      const close = text.indexOf(skipped[1], at + skipped[0].length);
      if (close === -1) return;
      at = close + skipped[1].length;
      continue;
    }
    const end = endOfTag(text, at);
    if (end === -1) return;
    const closes = text[at + 1] === '/';
    const name = /^[A-Za-z_][\w.-]*/.exec(text.slice(at + (closes ? 2 : 1), at + 64))?.[0] ?? '';
    yield { name, closes, empty: text[end - 1] === '/' };
    at = end + 1;
  }
}

/** Nothing but space, comments and the like follows the last tag. */
const isComplete = (text: string): boolean => />\s*$/.test(text.slice(-1_000));

/** A `>` may be in quotes. */
function endOfTag(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '>') return at;
  }
  return -1;
}
