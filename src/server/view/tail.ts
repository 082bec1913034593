/** The end of a log, from the beginning of a line. */
import type { FollowedLogs, LogRef } from '../../adapters/ports.ts';
import type { LogTail } from './job-page.ts';

export const TAIL_BYTES = 256 * 1_024;
const LINE_FEED = 0x0a;

/** Undefined: the attempt has no log. `over`: nothing will be added to it. */
export async function tailOf(
  { logs }: { logs: Pick<FollowedLogs, 'state' | 'read'> },
  ref: LogRef,
  over: boolean,
): Promise<LogTail | undefined> {
  const state = await logs.state(ref);
  if (!state) return undefined;
  const from = Math.max(0, state.offset - TAIL_BYTES);
  const bytes: Uint8Array[] = [];
  for (let offset = from; offset < state.offset; ) {
    const piece = await logs.read(ref, offset, state.offset - offset);
    if (piece.bytes.length === 0) break;
    bytes.push(piece.bytes);
    offset += piece.bytes.length;
  }
  const all = Buffer.concat(bytes);
  // A line that is longer than the tail is shown from its middle.
  const cut = from === 0 ? 0 : all.indexOf(LINE_FEED) + 1;
  return {
    text: all.subarray(cut).toString('utf8'),
    before: from + cut,
    complete: state.ended ? state.ended.complete : !(state.incomplete || over),
  };
}
