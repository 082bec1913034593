/**
 * Deny by default: a route that does not say who may call it cannot be registered, and the check stands before a body is
 * read. Not its role: what a user may do to one job (the workflow decides, the role goes with the decision).
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DavitError } from '../errors.ts';
import { bearer, mayAs, type Access, type Tokens, type User } from './auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Set by the check of every route that is for people. */
    user: User | undefined;
  }
}

export function guardRoutes(app: FastifyInstance, tokens: Tokens): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new DavitError('internal/defect', `The route ${route.url} does not say who may call it.`);
  });
  app.decorateRequest('user', undefined);
  app.addHook('onRequest', async (request) => {
    const { access } = request.routeOptions.config;
    // Only the answer "not found" has no route, hence no access.
    if (access === undefined || access === 'anybody' || access === 'webhook' || access === 'site') return;
    refuseOtherOrigins(request);
    check(request, access, tokens);
  });
}

function check(
  request: FastifyRequest,
  access: Exclude<Access, 'anybody' | 'webhook' | 'site'>,
  tokens: Tokens,
): void {
  const { authorization } = request.headers;
  if (authorization === undefined) throw new DavitError('auth/missing', 'The request carries no token.');
  // What cannot be a token is nobody's.
  const token = bearer(authorization) ?? '';
  if (access === 'worker') {
    if (!tokens.isWorker(token))
      throw new DavitError('auth/missing', 'This is not the token of the workers.');
    return;
  }
  const user = tokens.user(token);
  if (!user) throw new DavitError('auth/missing', 'Nobody has this token.');
  if (!mayAs(user.role, access))
    throw new DavitError('auth/denied', `${user.name} is ${user.role}; this takes ${access}.`);
  request.user = user;
}

/** A browser names the page that asks; no page of another origin has business here. */
function refuseOtherOrigins(request: FastifyRequest): void {
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host)
    throw new DavitError('auth/denied', 'The request comes from a page of another origin.');
}

/** Of a route for people: the check has run before. */
export function userOf(request: FastifyRequest): User {
  if (!request.user) throw new DavitError('internal/defect', 'A route for people was reached without one.');
  return request.user;
}
