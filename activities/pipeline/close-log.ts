/**
 * `closeLog`: the log of an attempt whose machine was given up. Its epoch is raised, so what the machine writes when it comes
 * back is refused, and it ends as incomplete. Idempotent: an end that stands stays, and the last line is said once.
 */
import { Context } from '@temporalio/activity';
import type { LogState, LogStore } from '../../src/adapters/ports.ts';
import { crcText, type LogSummary } from '../../src/plan/model/outcome.ts';
import type { CloseLogInput, ControlActivities } from '../contract.ts';
import { retryUntilReachable } from '../runtime/retry.ts';
import { bad } from '../runtime/log-lines.ts';

/** Below the activity's own time, so that it ends by its own error. */
const STORE_MS = 45_000;

export function makeCloseLog({ logs }: { logs: LogStore }): ControlActivities['closeLog'] {
  return async (input) => {
    const signal = AbortSignal.any([Context.current().cancellationSignal, AbortSignal.timeout(STORE_MS)]);
    return retryUntilReachable(signal, () => close(logs, input));
  };
}

async function close(logs: LogStore, { ref, text }: CloseLogInput): Promise<LogSummary> {
  const { epoch } = ref;
  const state = await logs.open(ref, epoch);
  if (state.ended) return state.ended;
  const { offset, crc } = await withLine(logs, { ref, text }, state);
  const summary = { bytes: offset, crc: crcText(crc), complete: false };
  return (await logs.end(ref, { epoch, summary })).ended ?? summary;
}

/** Behind whatever stands there, which may end in the middle of a line. A former try of this may have said it already. */
async function withLine(logs: LogStore, { ref, text }: CloseLogInput, state: LogState): Promise<LogState> {
  const bytes = new TextEncoder().encode(`${state.offset === 0 ? '' : '\n'}${bad(text)}\n`);
  const from = state.offset - bytes.length;
  if (from >= 0) {
    const last = await logs.read(ref, from, bytes.length);
    if (Buffer.from(last.bytes).equals(bytes)) return state;
  }
  return logs.append(ref, { epoch: ref.epoch, offset: state.offset, bytes });
}
