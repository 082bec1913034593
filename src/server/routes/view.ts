/**
 * Pages of pipelines and jobs for browsers, without a script: for who has a token, and of public projects for all.
 *
 * Invariants:
 * PAGE-1 Nothing of a project that is not public is shown without a token, nor whether there is such a project: the
 *        answer is the login form, whatever the address.
 * PAGE-2 Every text is escaped (`view/html.ts`), and the policy of a page allows neither scripts nor other hosts.
 * PAGE-3 No page changes anything but the session of its browser.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import {
  isSlug,
  parsePipelineId,
  pipelineId,
  type PipelineId,
  type ProjectSlug,
} from '../../plan/model/ids.ts';
import type { JobStatus, PipelineStatus } from '../../plan/model/protocol.ts';
import type { ServerDeps } from '../deps.ts';
import { codedError } from '../error-handler.ts';
import { SharedLists } from '../view/shared-lists.ts';
import { jobPage } from '../view/job-page.ts';
import { loginPage, problemPage, projectPage, projectsPage, rootPage } from '../view/list-pages.ts';
import { pipelinePage } from '../view/pipeline-page.ts';
import { sendPage } from '../view/send-page.ts';
import { openSessions } from '../view/session.ts';
import { tailOf } from '../view/tail.ts';
import { callerOf, type Caller } from '../view/visitor.ts';
import type { Views } from '../views.ts';
import { sendArtifact } from './artifacts.ts';
import { loginRoutes } from './login.ts';
import { lastAttempt, pieces } from './logs.ts';
import { jobOf, logQueryOf, missing, reportsOf, slugOf } from './params.ts';

const anybody = { config: { access: 'anybody' } } as const;
const site = { config: { access: 'site' } } as const;
const NO_PAGE = 'There is no such page.';
const HELLO = 'This is a davit server. Pipelines: /pipelines/, or `davit pipelines` on a command line.\n';

/** A scope of its own: its errors are pages, and it alone takes forms. */
export function viewRoutes(app: FastifyInstance, deps: ServerDeps, views: Views): void {
  void app.register(async (scope) => {
    const known = await openSessions(deps);
    const pages: Pages = {
      deps,
      views,
      lists: new SharedLists(views),
      callerOf: (request) => callerOf(request, deps, known),
    };
    scope.setErrorHandler((error, request, reply) => sendProblem(pages, error, { request, reply }));
    loginRoutes(scope, deps, known);
    listRoutes(scope, pages);
    pipelineRoutes(scope, pages);
    fileRoutes(scope, pages);
  });
}

interface Pages {
  deps: ServerDeps;
  views: Views;
  lists: SharedLists;
  callerOf(request: FastifyRequest): Caller;
}

function listRoutes(scope: FastifyInstance, pages: Pages): void {
  const { deps, lists } = pages;
  scope.get('/', anybody, async (request, reply) =>
    request.headers.accept?.includes('text/html')
      ? sendPage(reply, rootPage(pages.callerOf(request)))
      : reply.type('text/plain; charset=utf-8').send(HELLO),
  );
  scope.get('/pipelines', anybody, async (_request, reply) => reply.redirect('/pipelines/', 302));
  // CI_PROJECT_URL of a project without a page at a forge.
  scope.get('/projects/:slug', anybody, async ({ params }, reply) =>
    reply.redirect(`/pipelines/${slugOf(params)}`, 302),
  );
  scope.get('/pipelines/', site, async (request, reply) => {
    const visitor = pages.callerOf(request);
    const projects = deps
      .facts()
      .config.projects.map((one) => one.name)
      .filter((one) => visitor.sees(one));
    if (!visitor.user && projects.length === 0) throw unknownCaller();
    const pipelines = (await lists.all()).filter((one) => visitor.sees(one.project)).slice(0, 30);
    const all = [...new Set([...projects, ...pipelines.map((one) => one.project)])].toSorted();
    return sendPage(reply, projectsPage({ visitor, pipelines, now: Date.now() }, all));
  });
  scope.get('/pipelines/:slug', site, async (request, reply) => {
    const { visitor, project } = allowed(pages, request);
    const pipelines = (await lists.of(project)).filter((one) => visitor.sees(one.project));
    if (pipelines.length === 0 && !deps.facts().config.projects.some((one) => one.name === project))
      throw missing(NO_PAGE);
    return sendPage(reply, projectPage({ visitor, pipelines, now: Date.now() }, project));
  });
}

function pipelineRoutes(scope: FastifyInstance, pages: Pages): void {
  scope.get('/pipelines/:slug/:iid', site, async (request, reply) => {
    const { visitor, status } = await opened(pages, request);
    return sendPage(reply, pipelinePage({ visitor, status, now: Date.now() }));
  });
  // The rest of the path, because proxies open the `%2F` in a job's name.
  scope.get('/pipelines/:slug/:iid/jobs/*', site, async (request, reply) => {
    const { visitor, status } = await opened(pages, request);
    const job = jobNamed(status, z.object({ '*': z.string() }).parse(request.params)['*']);
    const { attempt = Math.max(1, job.attempt) } = attemptOf(request.query);
    const log = await tailOf(
      pages.deps,
      { pipeline: status.id, job: job.key, attempt },
      isOver(job, attempt),
    );
    return sendPage(reply, jobPage({ visitor, status, job, attempt, log, now: Date.now() }));
  });
}

const attemptQuery = z.object({ attempt: z.coerce.number().int().min(1).max(10_000).optional() });
const attemptOf = (query: unknown): { attempt?: number | undefined } => attemptQuery.parse(query);
const isOver = (job: JobStatus, attempt: number): boolean => attempt < job.attempt || job.phase === 'ended';

/** Files behind the links of the pages. */
function fileRoutes(scope: FastifyInstance, pages: Pages): void {
  const { deps, views } = pages;
  scope.get('/pipelines/:slug/:iid/log', site, async (request, reply) => {
    const { id } = await opened(pages, request);
    const { job, attempt, offset } = logQueryOf(request.query);
    const ref = {
      pipeline: id,
      job,
      attempt: attempt ?? (await lastAttempt(deps, views, { pipeline: id, job })),
    };
    const state = await deps.logs.state(ref);
    if (!state) throw missing(`Attempt ${ref.attempt} of ${job} has no log yet.`);
    const bytes = pieces(deps, ref, { from: offset, to: state.offset });
    return reply.type('text/plain; charset=utf-8').send(Readable.from(bytes, { objectMode: false }));
  });
  scope.get('/pipelines/:slug/:iid/artifacts', site, async (request, reply) => {
    const { visitor, status } = await opened(pages, request);
    const job = jobNamed(status, jobOf(request.query));
    return sendArtifact(deps, reply, {
      id: status.id,
      job,
      reports: reportsOf(request.query),
      caller: { user: visitor.user },
    });
  });
}

/** Before anything is read: PAGE-1. */
function allowed(pages: Pages, request: FastifyRequest): { visitor: Caller; project: ProjectSlug } {
  const visitor = pages.callerOf(request);
  const { slug } = z.object({ slug: z.string() }).parse(request.params);
  if (!visitor.sees(slug)) throw unknownCaller();
  if (!isSlug(slug)) throw missing(NO_PAGE);
  return { visitor, project: slug };
}

async function opened(
  pages: Pages,
  request: FastifyRequest,
): Promise<{ visitor: Caller; id: PipelineId; status: PipelineStatus }> {
  const { visitor, project } = allowed(pages, request);
  const { iid } = z.object({ iid: z.string() }).parse(request.params);
  const parsed = parsePipelineId(`${project}/${iid}`);
  if (!parsed) throw missing(NO_PAGE);
  const id = pipelineId(parsed.slug, parsed.iid);
  return { visitor, id, status: await pages.views.status(id) };
}

const unknownCaller = (): DavitError => new DavitError('auth/missing', 'This page needs a token.');

function jobNamed(status: PipelineStatus, key: string): JobStatus {
  const job = status.jobs.find((one) => one.key === key);
  if (!job) throw missing(`${status.id} has no job ${key}.`);
  return job;
}

/** Errors as pages; without a token, the login form. */
function sendProblem(
  { deps, callerOf: visitorOf }: Pages,
  error: unknown,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const coded = codedError(error);
  request.failedWith = coded.code;
  const route = { method: request.method, route: request.routeOptions.url ?? 'no route' };
  if (coded.http >= 500 && coded.http !== 503) deps.log.failure({ ...route, error, coded });
  void reply.code(coded.http);
  if (!request.raw.complete) void reply.header('connection', 'close');
  const visitor = visitorOf(request);
  if (coded.code === 'auth/missing') {
    void reply.header('www-authenticate', 'Bearer realm="davit"');
    return sendPage(reply, loginPage({ visitor, to: request.url }));
  }
  const title = coded.http === 404 ? 'Not found' : coded.http < 500 ? 'Refused' : 'Not possible now';
  const away = coded.http === 503 && request.method === 'GET';
  const text = `${coded.message} ${coded.hint}`;
  return sendPage(reply, problemPage(visitor, { title, text, path: request.url, away }));
}
