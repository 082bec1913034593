/** Turns errors into responses: coded errors as they are, all others without detail. */
import { randomBytes } from 'node:crypto';
import type { FastifyError, FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../errors.ts';
import type { ApiError } from './api.ts';
import type { ServerLog } from './log.ts';

const BASIC = 'Basic realm="davit: the password is your token", charset="UTF-8"';

export const errorBody = (error: DavitError): ApiError => ({
  error: { code: error.code, message: error.message, hint: error.hint },
});

export function handleErrors(app: FastifyInstance, log: ServerLog): void {
  app.setErrorHandler((error, request, reply) => {
    const coded = codedError(error);
    request.failedWith = coded.code;
    const route = request.routeOptions.url ?? 'no route';
    const facts = { method: request.method, route };
    if (coded.http === 503) log.warn(coded.message, { ...facts, code: coded.code });
    else if (coded.http >= 500) log.failure({ ...facts, error, coded });
    // A client that is refused before its body was read must not continue to send it over this connection.
    if (!request.raw.complete) void reply.header('connection', 'close');
    const { basic } = request.routeOptions.config;
    if (coded.code === 'auth/missing')
      void reply.header('www-authenticate', basic ? BASIC : 'Bearer realm="davit"');
    if (coded.http === 503) void reply.header('retry-after', '1');
    return reply.code(coded.http).type('application/json; charset=utf-8').send(errorBody(coded));
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(
      errorBody(
        new DavitError('not-found', 'Unknown path or method.', {
          hint: 'Check the address and the HTTP method of the request.',
        }),
      ),
    ),
  );
}

/**
 * The text of an unknown error stays out, because it may contain anything; the id leads to it in the server's
 * log.
 */
export function codedError(error: unknown): DavitError {
  if (error instanceof DavitError) return error;
  if (error instanceof z.ZodError) return new DavitError('usage/invalid', issuesText(error));
  if (isFastifyError(error)) return fastifyError(error);
  const id = randomBytes(4).toString('hex');
  return new DavitError('internal/defect', `The server failed (${id}).`, { cause: error });
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' && 'code' in error;

function fastifyError(error: FastifyError): DavitError {
  if (error.statusCode === 413)
    return new DavitError('request/too-large', 'The body is too large.', { cause: error });
  if (error.statusCode !== undefined && error.statusCode < 500)
    return new DavitError('usage/invalid', `The request is not valid (${error.code}).`, {
      cause: error,
    });
  const id = randomBytes(4).toString('hex');
  return new DavitError('internal/defect', `The server failed (${id}).`, { cause: error });
}

/** Paths and expectations; values stay out, because they may contain anything. */
const issuesText = (error: z.ZodError): string =>
  `The request is not valid: ${error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join('.') || 'body'}: ${issue.message}`)
    .join('; ')}.`;
