/**
 * `closeLog`: closes the log of an attempt whose machine was given up. The epoch is raised, so that later
 * writes of that machine are refused, and the log ends as incomplete. Idempotent: an earlier end stays, and
 * the last line is written once.
 */
import { Context } from '@temporalio/activity';
import type { LogStore } from '../../src/adapters/ports.ts';
import type { CloseLogInput, ControlActivities } from '../contract.ts';
import { Appender } from '../runtime/log/appender.ts';
import { bad } from '../runtime/log/log-lines.ts';
import { retryUntilReachable } from '../runtime/retry-policies.ts';

/** Below the activity's own timeout, so that it ends by its own error. */
const STORE_MS = 45_000;

export function makeCloseLog({ logs }: { logs: LogStore }): ControlActivities['closeLog'] {
  return async ({ ref, text }) => {
    const signal = AbortSignal.any([Context.current().cancellationSignal, AbortSignal.timeout(STORE_MS)]);
    const appender = await Appender.open({ store: logs, ref, epoch: ref.epoch, signal });
    const { offset, ended } = appender.state;
    if (ended) return ended;
    // The log may end in the middle of a line.
    const line = new TextEncoder().encode(`${offset === 0 ? '' : '\n'}${bad(text)}\n`);
    if (!(await retryUntilReachable(signal, () => endsWith(logs, { ref, offset, line })))) {
      appender.put(line);
      await appender.flush();
    }
    return appender.close(false);
  };
}

/** An earlier attempt of this activity may have written the line already. */
async function endsWith(
  logs: LogStore,
  { ref, offset, line }: Pick<CloseLogInput, 'ref'> & { offset: number; line: Uint8Array },
): Promise<boolean> {
  const from = offset - line.length;
  if (from < 0) return false;
  const last = await logs.read(ref, from, line.length);
  return Buffer.from(last.bytes).equals(line);
}
