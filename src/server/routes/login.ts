/** A session for a browser: a token for a cookie, and its end. */
import { parse } from 'node:querystring';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { ServerDeps } from '../deps.ts';
import { Guesses } from '../view/guesses.ts';
import { loginPage } from '../view/list-pages.ts';
import { sendPage } from '../view/send-page.ts';
import type { Sessions } from '../view/session.ts';
import { callerOf, localPath, refuseForeignForm, sessionOf, setSession } from '../view/visitor.ts';

const MAX_FORM = 16 * 1_024;
const form = z.object({ token: z.string().min(1).max(8_192), to: z.string().max(4_096).optional() });
const loginQuery = z.object({ to: z.string().max(4_096).optional() });
const anybody = { config: { access: 'anybody' } } as const;

export function loginRoutes(scope: FastifyInstance, deps: ServerDeps, sessions: Sessions): void {
  const guesses = new Guesses();
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: MAX_FORM },
    (_request, body, done) => done(null, parse(String(body))),
  );
  scope.get('/login', anybody, async (request, reply) => {
    const visitor = callerOf(request, deps, sessions);
    const to = localPath(loginQuery.parse(request.query).to);
    if (visitor.user) return reply.redirect(to, 303);
    return sendPage(reply, loginPage({ visitor, to }));
  });
  scope.post('/login', { ...anybody, bodyLimit: MAX_FORM }, async (request, reply) => {
    refuseForeignForm(request);
    const { token, to } = form.parse(request.body);
    if (!guesses.mayTry(request.ip))
      throw new DavitError('auth/too-often', 'Too many unknown tokens were tried.');
    const begun = sessions.begin(token.trim());
    if (!begun) {
      guesses.missed(request.ip);
      request.failedWith = 'auth/missing';
      void reply.code(401).header('www-authenticate', 'Bearer realm="davit"');
      const visitor = { sees: () => false };
      return sendPage(
        reply,
        loginPage({ visitor, to: localPath(to), problem: 'davit does not know this token.' }),
      );
    }
    request.user = begun.user;
    setSession(request, reply, begun.value);
    return reply.redirect(localPath(to), 303);
  });
  scope.post('/logout', anybody, async (request, reply) => {
    refuseForeignForm(request);
    request.user = callerOf(request, deps, sessions).user;
    const value = sessionOf(request);
    setSession(request, reply, '');
    if (value !== undefined) await sessions.end(value);
    return reply.redirect('/', 303);
  });
}
