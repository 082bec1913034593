/** The embedded Temporal server: how it is started. */
import { temporalDatabase } from './temporal-database.ts';

/**
 * A worker that stands still, or whose machine has lost its power, is given tasks for as long as its open polls live. Below the
 * heartbeat timeout of a job: what such a worker was given comes to another at the second try. (The server's default is 1 min.)
 */
const POLL_EXPIRY = '20s';

/**
 * Arguments of the dev server. WAL with full sync loses nothing at a power cut; without the poll rate a shard dispatches one
 * task each 50 ms. No namespace here: the dev server would make it with a day of retention, davit makes it with 30.
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
 * Environment of the server. Go lets its heap double before it collects, and keeps what it freed for a while: on a board that
 * costs 50 MB and more. The limit is a soft one: above it Go collects more often.
 */
export const TEMPORAL_MEMORY = { GOGC: '50', GOMEMLIMIT: '96MiB' } as const;
