/** The embedded Temporal server: how it is started. */
import { temporalDatabase } from './temporal-database.ts';

/**
 * A worker that hangs, or whose machine has lost power, receives tasks as long as its open polls live. This
 * is below the heartbeat timeout of a job, so that the second dispatch reaches another worker. The server's
 * default is 1 min.
 */
const POLL_EXPIRY = '20s';

/**
 * Arguments of the dev server. WAL with full sync loses nothing in a power failure; without the poll rate a
 * shard dispatches one task per 50 ms. No namespace: the dev server would create it with one day of
 * retention, davit uses 30.
 */
export function temporalArguments(options: { home: string; port: number; uiPort: number }): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--ui-ip',
    '127.0.0.1',
    '--port',
    String(options.port),
    '--ui-port',
    String(options.uiPort),
    '--db-filename',
    temporalDatabase(options.home),
    '--dynamic-config-value',
    'history.transferProcessorMaxPollRPS=2000',
    '--dynamic-config-value',
    `matching.longPollExpirationInterval="${POLL_EXPIRY}"`,
    '--sqlite-pragma',
    'journal_mode=WAL',
    '--sqlite-pragma',
    'synchronous=FULL',
    '--log-level',
    'warn',
  ];
}

/**
 * Environment of the server. Go lets its heap double before it collects, and keeps freed memory for some
 * time: on a board that costs 50 MB and more. The limit is a soft one: above it Go collects more often.
 */
export const TEMPORAL_MEMORY = { GOGC: '50', GOMEMLIMIT: '96MiB' } as const;
