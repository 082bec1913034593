/**
 * The one log of the server. It is handed facts, never a request, its headers or its body, and every text in it goes through
 * the redaction of the secrets this process knows.
 */
import { pino, type Logger } from 'pino';
import type { DavitError } from '../errors.ts';

export interface ServerLog {
  answered(facts: { method: string; route: string; status: number; ms: number; user?: string }): void;
  failure(facts: { method: string; route: string; error: unknown; coded: DavitError }): void;
  note(message: string, facts?: Record<string, string | number | boolean | undefined>): void;
  warn(message: string, facts?: Record<string, string | number | boolean | undefined>): void;
}

const MIN_SECRET_CHARS = 6;

/** `secrets`: values that this process holds; they are known when it starts. */
export function serverLog(logger: Logger, secrets: readonly string[]): ServerLog {
  const known = secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS);
  const redact = (text: string): string =>
    known.reduce((so, secret) => so.replaceAll(secret, '[REDACTED]'), text);
  const clean = (facts: object): object =>
    Object.fromEntries(
      Object.entries(facts).map(([key, value]) => [key, typeof value === 'string' ? redact(value) : value]),
    );
  return {
    answered: (facts) => logger.debug(clean(facts), 'answered'),
    failure: ({ error, coded, ...facts }) =>
      logger.error(
        clean({ ...facts, code: coded.code, message: coded.message, cause: causeText(error) }),
        'failed',
      ),
    note: (message, facts = {}) => logger.info(clean(facts), redact(message)),
    warn: (message, facts = {}) => logger.warn(clean(facts), redact(message)),
  };
}

/** To standard error, JSON lines; keys that hold a secret by their name are removed whatever is in them. */
export const processLogger = (level: string): Logger =>
  pino(
    {
      level,
      base: { process: 'server' },
      redact: {
        paths: ['authorization', '*.authorization', 'token', '*.token', 'headers', '*.headers'],
        remove: true,
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );

/** Name, message and stack of an error and of what caused it; no other field of it, requests hide there. */
function causeText(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return typeof error;
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined || depth > 3
    ? own
    : `${own}\ncaused by ${causeText(error.cause, depth + 1)}`;
}
