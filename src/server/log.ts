/**
 * The log of the server. It receives facts, never a request, its headers or its body, and redacts the secrets
 * that this process knows from every text.
 */
import { pino, type Logger } from 'pino';
import type { DavitError } from '../errors.ts';

export interface ServerLog {
  /** A text without the secrets that this process knows. */
  redact(text: string): string;
  request(facts: { method: string; route: string; status: number; ms: number; user?: string }): void;
  failure(facts: { method: string; route: string; error: unknown; coded: DavitError }): void;
  note(message: string, facts?: Record<string, string | number | boolean | undefined>): void;
  warn(message: string, facts?: Record<string, string | number | boolean | undefined>): void;
}

const MIN_SECRET_CHARS = 6;

/** `secrets`: the values that this process holds, known at its start. */
export function serverLog(logger: Logger, secrets: readonly string[]): ServerLog {
  const known = secrets.filter((secret) => secret.length >= MIN_SECRET_CHARS);
  const redact = (text: string): string =>
    known.reduce((redacted, secret) => redacted.replaceAll(secret, '[REDACTED]'), text);
  const clean = (facts: object): object =>
    Object.fromEntries(
      Object.entries(facts).map(([key, value]) => [key, typeof value === 'string' ? redact(value) : value]),
    );
  return {
    redact,
    request: (facts) => logger.debug(clean(facts), 'request'),
    failure: ({ error, coded, ...facts }) =>
      logger.error(
        clean({ ...facts, code: coded.code, message: coded.message, cause: causeText(error) }),
        'failed',
      ),
    note: (message, facts = {}) => logger.info(clean(facts), redact(message)),
    warn: (message, facts = {}) => logger.warn(clean(facts), redact(message)),
  };
}

/** JSON lines to standard error; keys whose name suggests a secret are removed. */
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

/** Name, message and stack of an error and its causes; other fields may contain requests. */
function causeText(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return typeof error;
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined || depth > 3
    ? own
    : `${own}\ncaused by ${causeText(error.cause, depth + 1)}`;
}
