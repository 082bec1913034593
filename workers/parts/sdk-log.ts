/**
 * Messages of the SDK about a worker, for the process's own log: one line per event, without a stack, without
 * constant facts.
 */
import { DefaultLogger, type LogEntry, type LogLevel } from '@temporalio/worker';
import { QUERY_NOT_READY } from '../../src/plan/model/protocol.ts';

/** Set by `DAVIT_LOG_LEVEL`. The SDK logs every state of a worker at `info`. */
const LEVELS: Record<string, LogLevel> = { trace: 'DEBUG', debug: 'DEBUG', info: 'WARN', warn: 'WARN' };
/** A worker for activities has no workflows, and logs that at each start. */
const ALWAYS_SO = /^No .* registered, not polling/;
/** A query that is repeated in a moment (`workflows/interceptors.ts`). */
const isAskedAgain = ({ meta }: LogEntry): boolean =>
  meta?.error instanceof Error && meta.error.message === QUERY_NOT_READY;
/** The verdict of a pipeline (`workflows/pipeline/end-workflow.ts`), which the worker has carried out well. */
const isVerdict = ({ message, meta }: LogEntry): boolean =>
  message === 'Workflow failed' && meta?.error instanceof Error && meta.error.stack === '';
/** Fields that distinguish events. */
const SHOWN = [
  'taskQueue',
  'workflowId',
  'activityType',
  'activityId',
  'attempt',
  // Of davit's own messages.
  'pipeline',
  'context',
  'code',
  'reason',
] as const;

export const sdkLogger = (logLevel: string, write: (line: string) => void): DefaultLogger =>
  new DefaultLogger(LEVELS[logLevel] ?? 'ERROR', (entry) => {
    if (!ALWAYS_SO.test(entry.message) && !isAskedAgain(entry) && !isVerdict(entry)) write(sdkLine(entry));
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
