/**
 * Sites that jobs have published.
 *
 * Invariants:
 * SITE-1 A path is looked up only in the index of its site, so no path leads outside.
 * SITE-2 A page has no origin (CSP `sandbox` without allow-same-origin): its scripts cannot act as the
 *         viewer.
 * SITE-3 Without access it cannot be learned whether a site exists.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { isDigest, isSlug, type Digest, type ProjectSlug } from '../../plan/model/ids.ts';
import { isSitePrefix, pagesPrefix, type PagesRecord, type SiteFile } from '../../plan/model/pages.ts';
import { bearer, mayAs, passwordOf } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import { contentType } from './content-types.ts';
import { missing } from './params.ts';

const HEADERS = {
  'content-security-policy': "sandbox allow-scripts; frame-ancestors 'none'",
  // For a page without an origin its own images and styles are cross-origin.
  'cross-origin-resource-policy': 'cross-origin',
} as const;
const MAX_INDEX_BYTES = 64 * 1_024 * 1_024;
const MAX_INDEXES = 16;
/** The part of an index that is used; davit has written it, and its digest protects it. */
const indexShape = z.object({
  files: z.record(
    z.string(),
    z.object({ digest: z.string().transform(digestText), bytes: z.number().int().min(0) }),
  ),
});
function digestText(text: string): Digest {
  if (!isDigest(text))
    throw new DavitError('store/corrupt', 'The index of a site contains an invalid digest.');
  return text;
}

const NO_SITE = 'There is no site at this address.';
type Files = ReadonlyMap<string, SiteFile>;

export function pageRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const sites = new Sites(deps);
  for (const url of ['/pages/:slug', '/pages/:slug/*'])
    app.get(url, { config: { access: 'site' } }, async (request, reply) => {
      const { slug, rest } = paramsOf(request.params);
      // For all responses below, refusals too.
      reply.headers(HEADERS);
      const open = isPublic(deps, slug);
      if (!open && !mayRead(request, deps)) return askForToken(reply);
      reply.header('cache-control', open ? 'no-cache' : 'private, no-cache');
      if (open) reply.header('access-control-allow-origin', '*');
      if (rest === undefined) return reply.redirect(`/pages/${slug}/`, 302);
      return sendPage(sites, { slug, rest, request, reply });
    });
}

function paramsOf(params: unknown): { slug: ProjectSlug; rest?: string } {
  const { slug, '*': rest } = z.object({ slug: z.string(), '*': z.string().optional() }).parse(params);
  if (!isSlug(slug)) throw missing(NO_SITE);
  return rest === undefined ? { slug } : { slug, rest };
}

const isPublic = ({ facts }: ServerDeps, slug: ProjectSlug): boolean =>
  facts().config.projects.some((project) => project.name === slug && project.pages === 'public');

/** `Bearer`, or from a browser any name with the token as password (RFC 7617). */
function mayRead(request: FastifyRequest, { tokens }: ServerDeps): boolean {
  const { authorization = '' } = request.headers;
  const password = passwordOf(authorization);
  const token = bearer(password === undefined ? authorization : `Bearer ${password}`);
  const user = token === undefined ? undefined : tokens.user(token);
  return user !== undefined && mayAs(user.role, 'reader');
}

const askForToken = (reply: FastifyReply): FastifyReply =>
  reply
    .code(401)
    .header('www-authenticate', 'Basic realm="davit pages: the password is your token", charset="UTF-8"')
    .type('text/plain; charset=utf-8')
    .send('This site requires a davit token. Enter it as the password, with any name.\n');

async function sendPage(
  sites: Sites,
  page: { slug: ProjectSlug; rest: string; request: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const { slug, rest, request, reply } = page;
  const [first = '', ...others] = rest.split('/');
  const own = isSitePrefix(first) ? await sites.files(slug, first) : undefined;
  if (own && others.length === 0) return reply.redirect(`/pages/${slug}/${first}/`, 302);
  const files = own ?? (await sites.files(slug, ''));
  if (!files) throw missing(NO_SITE);
  const path = own ? others.join('/') : rest;
  const found = locate(files, path);
  if (found.kind === 'folder') return reply.redirect(`${addressOf(slug, rest)}/`, 302);
  if (found.kind === 'none') {
    const notFound = files.get('404.html');
    if (!notFound) throw missing('This site does not have this page.');
    return sites.send(reply.code(404), '404.html', notFound);
  }
  const tag = `"${found.file.digest}"`;
  reply.header('etag', tag);
  if (request.headers['if-none-match'] === tag) return reply.code(304).send();
  return sites.send(reply, found.path, found.file);
}

const addressOf = (slug: ProjectSlug, rest: string): string =>
  `/pages/${slug}/${rest
    .split('/')
    .map((part) => encodeURIComponent(part.toWellFormed()))
    .join('/')}`;

type Located = { kind: 'file'; path: string; file: SiteFile } | { kind: 'folder' } | { kind: 'none' };

/** Like GitLab Pages: the file, the index of a folder, or the file with .html. */
function locate(files: Files, path: string): Located {
  const index = path === '' || path.endsWith('/');
  const names = index ? [`${path}index.html`] : [path, `${path}.html`];
  for (const name of names) {
    const file = files.get(name);
    if (file) return { kind: 'file', path: name, file };
  }
  return !index && files.has(`${path}/index.html`) ? { kind: 'folder' } : { kind: 'none' };
}

/** Published sites by their current records; indexes are cached by their digest. */
class Sites {
  readonly #deps: ServerDeps;
  readonly #indexes = new Map<Digest, Promise<Files>>();

  constructor(deps: ServerDeps) {
    this.#deps = deps;
  }

  /** Undefined if nothing is published there, or it has expired. */
  async files(slug: ProjectSlug, prefix: string): Promise<Files | undefined> {
    const { records } = this.#deps;
    const [name] = await records.list(pagesPrefix(slug, prefix), 1);
    const site = name === undefined ? undefined : (await records.get<PagesRecord>(name))?.site;
    if (!site || (site.expiresAt !== undefined && site.expiresAt <= Date.now())) return undefined;
    return this.#index(site.digest);
  }

  async send(reply: FastifyReply, path: string, file: SiteFile): Promise<FastifyReply> {
    const stream = await this.#deps.blobs.getStream(file.digest);
    return reply.type(contentType(path)).header('content-length', file.bytes).send(stream);
  }

  async #index(digest: Digest): Promise<Files> {
    const known = this.#indexes.get(digest);
    const read = known ?? this.#read(digest);
    this.#indexes.delete(digest);
    this.#indexes.set(digest, read);
    const oldest = this.#indexes.keys().next().value;
    if (this.#indexes.size > MAX_INDEXES && oldest) this.#indexes.delete(oldest);
    try {
      return await read;
    } catch (error) {
      this.#indexes.delete(digest);
      throw error;
    }
  }

  async #read(digest: Digest): Promise<Files> {
    const bytes = await this.#deps.blobs.getBytes(digest, MAX_INDEX_BYTES);
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return new Map(Object.entries(indexShape.parse(parsed).files));
  }
}
