/**
 * Deny by default: a route without an access rule cannot be registered, and the check runs before a body is
 * read. What a user may do to one job is decided by the workflow, which receives the role with the decision.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DavitError } from '../errors.ts';
import type { Machine } from './machine-rules.ts';
import { bearer, mayAs, passwordOf, type Access, type Tokens, type User } from './auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** A page of this origin may call the route too. */
    origin?: string | undefined;
    /** The token may also be the password of HTTP's basic authentication, which browsers send by themselves. */
    basic?: boolean;
  }
  interface FastifyRequest {
    /** Set by the check of every route for people, also of one that is refused. */
    user: User | undefined;
    /** Set by the check of every route for workers: the one whose own token was used. */
    machine: Machine | undefined;
  }
}

export function guardRoutes(app: FastifyInstance, tokens: Tokens): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new DavitError('internal/defect', `The route ${route.url} has no access rule.`);
  });
  app.decorateRequest('user', undefined);
  app.decorateRequest('machine', undefined);
  app.addHook('onRequest', async (request) => {
    const { access, origin, basic } = request.routeOptions.config;
    // Only the "not found" response has no route and therefore no access rule.
    if (access === undefined || access === 'anybody' || access === 'webhook' || access === 'site') return;
    refuseOtherOrigins(request, origin);
    check(request, access, { tokens, basic });
  });
}

function check(
  request: FastifyRequest,
  access: Exclude<Access, 'anybody' | 'webhook' | 'site'>,
  { tokens, basic = false }: { tokens: Tokens; basic?: boolean | undefined },
): void {
  const { authorization } = request.headers;
  if (authorization === undefined) throw new DavitError('auth/missing', 'The request has no token.');
  // A malformed token is unknown.
  const token = (basic ? passwordOf(authorization) : undefined) ?? bearer(authorization) ?? '';
  if (access === 'worker') {
    const worker = tokens.worker(token);
    if (!worker) throw new DavitError('auth/missing', 'The token is not the worker token.');
    request.machine = worker.machine;
    return;
  }
  const user = tokens.user(token);
  if (!user) throw new DavitError('auth/missing', 'Unknown token.');
  request.user = user;
  if (!mayAs(user.role, access))
    throw new DavitError('auth/denied', `${user.name} has role ${user.role}; ${access} is required.`);
}

/** Browsers send the origin of the calling page; pages of other origins are refused. */
function refuseOtherOrigins(request: FastifyRequest, allowed: string | undefined): void {
  const { origin, host } = request.headers;
  if (origin === undefined || origin === allowed) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host)
    throw new DavitError('auth/denied', 'The request comes from a page of another origin.');
}

/** The user of a route for people; the check has run before. */
export function userOf(request: FastifyRequest): User {
  if (!request.user) throw new DavitError('internal/defect', 'A route for people was called without a user.');
  return request.user;
}
