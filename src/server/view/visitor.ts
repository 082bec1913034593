/** Who looks at a page: by the session of a browser, or by a token as for the API. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DavitError } from '../../errors.ts';
import type { ProjectSlug } from '../../plan/model/ids.ts';
import { bearer, mayAs, type User } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import type { Visitor } from './layout.ts';
import { SESSION_MS, type Sessions } from './session.ts';

/** The prefix makes browsers refuse it from another host of the domain, and without TLS (RFC 6265bis). */
const COOKIE = { secure: '__Host-davit', plain: 'davit' } as const;

export interface Caller extends Visitor {
  user?: User | undefined;
}

/** Without a user, it sees the projects that are public. */
export function callerOf(request: FastifyRequest, deps: ServerDeps, sessions: Sessions): Caller {
  const user = userOf(request, deps, sessions);
  request.user = user;
  if (user && mayAs(user.role, 'reader')) return { user, name: user.name, sees: () => true };
  const open = new Set(publicProjects(deps));
  return { sees: (project) => open.has(project) };
}

export const publicProjects = ({ facts }: ServerDeps): ProjectSlug[] =>
  facts()
    .config.projects.filter((one) => one.public)
    .map((one) => one.name);

function userOf(request: FastifyRequest, { tokens }: ServerDeps, sessions: Sessions): User | undefined {
  const token = bearer(request.headers.authorization);
  if (token !== undefined) return tokens.user(token);
  const value = sessionOf(request);
  return value === undefined ? undefined : sessions.user(value);
}

/** The value of the session's cookie. */
export function sessionOf({ headers: { cookie = '' } }: FastifyRequest): string | undefined {
  const cookies = new Map(
    cookie.split(';').flatMap((one): [string, string][] => {
      const cut = one.indexOf('=');
      return cut < 0 ? [] : [[one.slice(0, cut).trim(), one.slice(cut + 1).trim()]];
    }),
  );
  return cookies.get(COOKIE.secure) ?? cookies.get(COOKIE.plain);
}

/**
 * Lax: a link at the forge opens the page of who is logged in. Every request that changes something is a POST, for
 * which no browser sends it from elsewhere.
 */
export function setSession(request: FastifyRequest, reply: FastifyReply, value: string): void {
  const secure = isOverTls(request);
  const end = value === '' ? 0 : Math.floor(SESSION_MS / 1_000);
  const flags = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${end}`;
  const names = value === '' ? [COOKIE.secure, COOKIE.plain] : [secure ? COOKIE.secure : COOKIE.plain];
  void reply.header(
    'set-cookie',
    names.map((name) => `${name}=${value}; ${flags}${name === COOKIE.secure ? '; Secure' : ''}`),
  );
}

/** A proxy in front may not be known as one; then the browser says how it has called. */
function isOverTls({ protocol, headers: { origin = '' } }: FastifyRequest): boolean {
  return protocol === 'https' || origin.startsWith('https://');
}

/** Refuses forms of other pages. Browsers send the origin of the page with every POST. */
export function refuseForeignForm({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const isOwn =
    origin === undefined
      ? site === undefined || site === 'same-origin'
      : URL.canParse(origin) && new URL(origin).host === host;
  if (!isOwn) throw new DavitError('auth/denied', 'The form comes from a page of another origin.');
}

/** A path of this server to go to; anything else is the first page. */
export function localPath(to: string | undefined): string {
  const base = 'http://davit.invalid';
  const first = '/pipelines/';
  if (to === undefined || !/^\/(?![/\\])/.test(to) || !URL.canParse(to, base)) return first;
  const { origin, pathname, search, hash } = new URL(to, base);
  // What is normalised may begin with two slashes, which name a host.
  return origin === base && !pathname.startsWith('//') ? `${pathname}${search}${hash}` : first;
}
