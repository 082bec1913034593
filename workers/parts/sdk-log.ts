/**
 * What the SDK says of a worker, as lines for the process's own log: one line an event, no stack, nothing
 * that is always so.
 */
import { DefaultLogger, type LogEntry, type LogLevel } from '@temporalio/worker';
import { QUERY_NOT_READY } from '../../src/plan/model/protocol.ts';

/** By `DAVIT_LOG_LEVEL`. The SDK's `info` is every state that a worker passes through. */
const LEVELS: Record<string, LogLevel> = { trace: 'DEBUG', debug: 'DEBUG', info: 'WARN', warn: 'WARN' };
/** A worker for activities has no workflows, and says so at each start. */
const ALWAYS_SO = /^No .* registered, not polling/;
/** A question that is asked again in a moment (`workflows/interceptors.ts`). */
const isAskedAgain = ({ meta }: LogEntry): boolean =>
  meta?.error instanceof Error && meta.error.message === QUERY_NOT_READY;
/** What tells one event from another. */
const SHOWN = ['taskQueue', 'workflowId', 'activityType', 'activityId', 'attempt'] as const;

export const sdkLogger = (logLevel: string, write: (line: string) => void): DefaultLogger =>
  new DefaultLogger(LEVELS[logLevel] ?? 'ERROR', (entry) => {
    if (!ALWAYS_SO.test(entry.message) && !isAskedAgain(entry)) write(sdkLine(entry));
  });

export function sdkLine({ level, message, meta, timestampNanos }: LogEntry): string {
  const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const facts = SHOWN.flatMap((name) =>
    meta?.[name] === undefined ? [] : [`${name}=${String(meta[name])}`],
  );
  const error: unknown = meta?.error;
  const why = error instanceof Error ? [`(${error.message})`] : [];
  return [at, level.toLowerCase(), message, ...facts, ...why].join(' ').replace(/\s*\n\s*/g, ' ');
}
