/**
 * Deny by default: a route without an access rule cannot be registered, and the check runs before a body is
 * read. What a user may do to one job is decided by the workflow, which receives the role with the decision; what an
 * attempt may do is decided by `attempts/attempt-rules.ts`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyRing } from '../adapters/ports.ts';
import { DavitError } from '../errors.ts';
import type { PipelineId } from '../plan/model/ids.ts';
import type { Credentials, JobCredential } from './registry/credentials.ts';
import type { RefusedCalls } from './workers/refused-calls.ts';
import { isAttemptToken, readAttempt, type AttemptClaims } from './attempts/attempt-token.ts';
import {
  basicPassword,
  bearer,
  mayAs,
  type Access,
  type Tokens,
  type User,
  type WorkerCaller,
} from './auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** For jobs too, by CI_JOB_TOKEN: the route says what a job may have of it. */
    jobs?: true;
    /** A page of this origin may call the route too. */
    origin?: string | undefined;
    /** The token may also be the password of HTTP's basic authentication, which browsers send by themselves. */
    basic?: boolean;
  }
  interface FastifyRequest {
    /** Set by the check of every route for people, also of one that is refused. */
    user: User | undefined;
    /** Set where a route for people was called with the token of a job. */
    job: JobCredential | undefined;
    /** Set by the route for tokens of the registry: the id of the deploy token that was shown. */
    deployToken: string | undefined;
    /** Set by the check of every route for workers: the one whose own token was used. */
    worker: WorkerCaller | undefined;
    /** Set by the check of routes for attempts: what the token says. Undefined for a control worker. */
    attempt: AttemptClaims | undefined;
  }
}
interface Guard {
  tokens: Tokens;
  keys: KeyRing;
  credentials: Pick<Credentials, 'job'>;
  refusedCalls: Pick<RefusedCalls, 'note'>;
}
type RouteChecks = 'anybody' | 'webhook' | 'site' | 'credential';
type Checked = Exclude<Access, RouteChecks>;
type OfWorkers = Extract<Access, 'worker' | 'attempt' | 'sealed' | 'control'>;

export function guardRoutes(app: FastifyInstance, guard: Guard): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new DavitError('internal/defect', `The route ${route.url} has no access rule.`);
  });
  app.decorateRequest('user', undefined);
  app.decorateRequest('worker', undefined);
  app.decorateRequest('attempt', undefined);
  app.decorateRequest('job', undefined);
  app.decorateRequest('deployToken', undefined);
  app.addHook('onRequest', async (request) => {
    const { access, jobs, origin, basic } = request.routeOptions.config;
    // Only the "not found" response has no route and therefore no access rule.
    if (access === undefined || isCheckedByRoute(access)) return;
    refuseOtherOrigins(request, origin);
    request.job = jobs && (await jobOf(request, guard.credentials));
    if (request.job) return;
    check(request, access, { ...guard, basic });
  });
}

const isCheckedByRoute = (access: Access): access is RouteChecks =>
  access === 'anybody' || access === 'webhook' || access === 'site' || access === 'credential';

const isForWorkers = (access: Checked): access is OfWorkers =>
  access === 'worker' || access === 'attempt' || access === 'sealed' || access === 'control';

function check(
  request: FastifyRequest,
  access: Checked,
  { basic = false, ...guard }: Guard & { basic?: boolean | undefined },
): void {
  const { authorization } = request.headers;
  if (authorization === undefined) throw new DavitError('auth/missing', 'The request has no token.');
  // A malformed token is unknown.
  const token = (basic ? basicPassword(authorization) : undefined) ?? bearer(authorization) ?? '';
  if (isForWorkers(access)) {
    if (isAttemptToken(token)) request.attempt = attemptOf(token, access, guard);
    else request.worker = workerOf(token, access, { ...guard, from: request.ip });
    return;
  }
  const user = guard.tokens.user(token);
  if (!user) throw new DavitError('auth/missing', 'Unknown token.');
  request.user = user;
  if (!mayAs(user.role, access))
    throw new DavitError('auth/denied', `${user.name} has role ${user.role}; ${access} is required.`);
}

/** As GitLab's API takes it: `JOB-TOKEN`, or as a bearer. Undefined for any other token. */
async function jobOf(
  { headers }: FastifyRequest,
  credentials: Pick<Credentials, 'job'>,
): Promise<JobCredential | undefined> {
  const shown = headers['job-token'] ?? bearer(headers.authorization);
  return typeof shown === 'string' ? credentials.job(shown) : undefined;
}

function attemptOf(token: string, access: OfWorkers, { tokens, keys }: Guard): AttemptClaims {
  const attempt = readAttempt(keys, token);
  if (!attempt) throw new DavitError('auth/expired', 'The token of the attempt is not of this installation.');
  if (attempt.until < Date.now())
    throw new DavitError('auth/expired', 'The token of the attempt has expired.');
  if (!tokens.isLive(attempt.token))
    throw new DavitError('auth/expired', `The token of the worker ${attempt.worker} was revoked.`);
  if (access === 'worker' || access === 'control')
    throw new DavitError('auth/denied', 'The token of an attempt does not open this.');
  return attempt;
}

function workerOf(
  token: string,
  access: OfWorkers,
  { tokens, refusedCalls, from }: Guard & { from: string },
): WorkerCaller {
  const worker = tokens.worker(token);
  if (!worker) {
    const name = tokens.expired(token);
    refusedCalls.note({ from, why: name === undefined ? 'unknown' : 'expired', name });
    throw name === undefined
      ? new DavitError('auth/missing', 'The token is not that of a worker, or was revoked.', {
          hint: WORKER_TOKEN_HINT,
        })
      : new DavitError('auth/expired', `The token of the worker ${name} has expired.`, {
          hint: `Make another with \`davit worker token create ${name}\`, and put it into DAVIT_WORKER_TOKEN_FILE of that machine.`,
        });
  }
  if (access === 'worker') return worker;
  if (access === 'sealed') throw new DavitError('auth/denied', 'Only the token of an attempt opens this.');
  if (worker.kind !== 'machine') return worker;
  if (access === 'attempt')
    throw new DavitError(
      'worker/outdated',
      `The worker ${worker.machine.name} uses its own token where one of an attempt is needed.`,
    );
  throw new DavitError('auth/denied', `The worker ${worker.machine.name} is not a control worker.`);
}

const WORKER_TOKEN_HINT =
  'Put the token that `davit worker token create NAME` prints into the file that DAVIT_WORKER_TOKEN_FILE of that machine names, and start its worker again.';

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

/** A job has its own pipeline, and nothing of others. The check has run before. */
export function ownPipeline({ job }: FastifyRequest, id: PipelineId): void {
  if (job && job.attempt.pipeline !== id)
    throw new DavitError('auth/denied', `A job of ${job.attempt.pipeline} has no access to ${id}.`);
}
