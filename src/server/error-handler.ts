/** The one place where an error becomes an answer: coded errors as they are, everything else without detail. */
import { randomBytes } from 'node:crypto';
import type { FastifyError, FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../errors.ts';
import type { ApiError } from './api.ts';
import type { ServerLog } from './log.ts';

export const errorBody = (error: DavitError): ApiError => ({
  error: { code: error.code, message: error.message, hint: error.hint },
});

export function handleErrors(app: FastifyInstance, log: ServerLog): void {
  app.setErrorHandler((error, request, reply) => {
    const coded = codedError(error);
    const route = request.routeOptions.url ?? 'no route';
    const facts = { method: request.method, route };
    if (coded.http === 503) log.warn(coded.message, { ...facts, code: coded.code });
    else if (coded.http >= 500) log.failure({ ...facts, error, coded });
    // Whoever is told no before the body was read must not go on sending it over this connection.
    if (!request.raw.complete) void reply.header('connection', 'close');
    if (coded.code === 'auth/missing') void reply.header('www-authenticate', 'Bearer realm="davit"');
    if (coded.http === 503) void reply.header('retry-after', '1');
    return reply.code(coded.http).type('application/json; charset=utf-8').send(errorBody(coded));
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(
      errorBody(
        new DavitError('not-found', 'There is nothing here.', {
          hint: 'See src/server/api.ts for the routes.',
        }),
      ),
    ),
  );
}

/** Never a text of an unknown error: it may hold anything. A person finds it in the server's log by its number. */
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
    return new DavitError('usage/invalid', `The request was not understood (${error.code}).`, {
      cause: error,
    });
  const id = randomBytes(4).toString('hex');
  return new DavitError('internal/defect', `The server failed (${id}).`, { cause: error });
}

/** Paths and what was expected; values stay out, they may be anything. */
const issuesText = (error: z.ZodError): string =>
  `The request does not fit: ${error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join('.') || 'body'}: ${issue.message}`)
    .join('; ')}.`;
