/** A job's test coverage, read from its stored log: masked, and complete whichever dispatch followed it. */
import type { LogRef, LogStore } from '../../../src/adapters/ports.ts';
import { coverageOf, coveragePattern } from '../../../src/compiler/coverage.ts';

const WINDOW_BYTES = 1_024 * 1_024;
/** Longer lines are not searched. */
const MAX_LINE_BYTES = 1_024 * 1_024;
const NEWLINE = 10;

/** The number in the last matching line. Rejects as the store does. */
export async function coverageOfLog(logs: LogStore, ref: LogRef, regex: string): Promise<number | undefined> {
  const pattern = coveragePattern(regex);
  if (!pattern) return undefined;
  const decoder = new TextDecoder();
  let end = (await logs.state(ref))?.offset ?? 0;
  let tail: Uint8Array = new Uint8Array(0);
  while (end > 0) {
    const start = Math.max(0, end - WINDOW_BYTES);
    const bytes = Buffer.concat([await window(logs, ref, { start, end }), tail]);
    // The first line may have started in the previous window.
    const newline = bytes.indexOf(NEWLINE);
    const first = start === 0 ? 0 : newline === -1 ? bytes.length : newline + 1;
    for (const line of decoder.decode(bytes.subarray(first)).split('\n').reverse()) {
      const coverage = coverageOf(pattern, line.replace(/\r$/, ''));
      if (coverage !== undefined) return coverage;
    }
    tail = first > MAX_LINE_BYTES ? new Uint8Array(0) : bytes.subarray(0, first);
    end = start;
  }
  return undefined;
}

async function window(logs: LogStore, ref: LogRef, range: { start: number; end: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let from = range.start; from < range.end; ) {
    const { bytes } = await logs.read(ref, from, range.end - from);
    if (bytes.length === 0) break;
    chunks.push(bytes);
    from += bytes.length;
  }
  return Buffer.concat(chunks);
}
