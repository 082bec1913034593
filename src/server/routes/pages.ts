/**
 * Sites that jobs have published.
 *
 * Invariants: S1 a path is looked up in the index of a site and in nothing else, so none leads out of it. S2 a page has no
 * origin (CSP `sandbox` without allow-same-origin): a script in it can do nothing in the name of who looks at it. S3 nobody
 * learns whether there is a site who may not see it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { isDigest, isSlug, type Digest, type ProjectSlug } from '../../plan/model/ids.ts';
import { isSitePrefix, pagesPrefix, type PagesRecord, type SiteFile } from '../../plan/model/pages.ts';
import { bearer, mayAs } from '../auth.ts';
import type { ServerDeps } from '../deps.ts';
import { contentType } from './content-types.ts';
import { missing } from './params.ts';

const HEADERS = {
  'content-security-policy': "sandbox allow-scripts; frame-ancestors 'none'",
  // A page without an origin is another origin to its own images and styles.
  'cross-origin-resource-policy': 'cross-origin',
} as const;
const MAX_INDEX_BYTES = 64 * 1_024 * 1_024;
const KEPT_INDEXES = 16;
/** The one part of an index that is relied on; davit wrote it, and its digest holds the bytes. */
const indexShape = z.object({
  files: z.record(
    z.string(),
    z.object({ digest: z.string().transform(digestText), bytes: z.number().int().min(0) }),
  ),
});
function digestText(text: string): Digest {
  if (!isDigest(text)) throw new DavitError('store/corrupt', 'The index of a site names no digest.');
  return text;
}

type Files = ReadonlyMap<string, SiteFile>;

export function pageRoutes(app: FastifyInstance, deps: ServerDeps): void {
  const sites = new Sites(deps);
  for (const url of ['/pages/:slug', '/pages/:slug/*'])
    app.get(url, { config: { access: 'site' } }, async (request, reply) => {
      const { slug, rest } = paramsOf(request.params);
      // Everything below carries them, refusals too.
      reply.headers(HEADERS);
      const open = isPublic(deps, slug);
      if (!open && !mayRead(request, deps)) return askForToken(reply);
      reply.header('cache-control', open ? 'no-cache' : 'private, no-cache');
      if (open) reply.header('access-control-allow-origin', '*');
      if (rest === undefined) return reply.redirect(`/pages/${slug}/`, 302);
      return answer(sites, { slug, rest, request, reply });
    });
}

function paramsOf(params: unknown): { slug: ProjectSlug; rest?: string } {
  const { slug, '*': rest } = z.object({ slug: z.string(), '*': z.string().optional() }).parse(params);
  if (!isSlug(slug)) throw missing('site here');
  return rest === undefined ? { slug } : { slug, rest };
}

const isPublic = ({ facts }: ServerDeps, slug: ProjectSlug): boolean =>
  facts().config.projects.some((project) => project.name === slug && project.pages === 'public');

/** `Bearer`, or what a browser asks for: any name, and the token as the password (RFC 7617). */
function mayRead(request: FastifyRequest, { tokens }: ServerDeps): boolean {
  const { authorization = '' } = request.headers;
  const basic = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(authorization)?.[1];
  const password = basic && Buffer.from(basic, 'base64').toString('utf8').split(':').slice(1).join(':');
  const token = bearer(password === undefined ? authorization : `Bearer ${password}`);
  const user = token === undefined ? undefined : tokens.user(token);
  return user !== undefined && mayAs(user.role, 'reader');
}

const askForToken = (reply: FastifyReply): FastifyReply =>
  reply
    .code(401)
    .header('www-authenticate', 'Basic realm="davit pages: the password is your token", charset="UTF-8"')
    .type('text/plain; charset=utf-8')
    .send('This site is for people with a token of davit: give it as the password, with any name.\n');

async function answer(
  sites: Sites,
  ask: { slug: ProjectSlug; rest: string; request: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const { slug, rest, request, reply } = ask;
  const [first = '', ...others] = rest.split('/');
  const own = isSitePrefix(first) ? await sites.files(slug, first) : undefined;
  if (own && others.length === 0) return reply.redirect(`/pages/${slug}/${first}/`, 302);
  const files = own ?? (await sites.files(slug, ''));
  if (!files) throw missing('site here');
  const path = own ? others.join('/') : rest;
  const found = locate(files, path);
  if (found.kind === 'folder') return reply.redirect(`${addressOf(slug, rest)}/`, 302);
  if (found.kind === 'none') {
    const page = files.get('404.html');
    if (!page) throw missing('such page');
    return sites.send(reply.code(404), '404.html', page);
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

/** As GitLab's pages: the file, the index of a folder, or the file with .html. */
function locate(files: Files, path: string): Located {
  const index = path === '' || path.endsWith('/');
  const names = index ? [`${path}index.html`] : [path, `${path}.html`];
  for (const name of names) {
    const file = files.get(name);
    if (file) return { kind: 'file', path: name, file };
  }
  return !index && files.has(`${path}/index.html`) ? { kind: 'folder' } : { kind: 'none' };
}

/** What is published, as the records say it now; indexes are kept by their digest, which never lies. */
class Sites {
  readonly #deps: ServerDeps;
  readonly #indexes = new Map<Digest, Promise<Files>>();

  constructor(deps: ServerDeps) {
    this.#deps = deps;
  }

  /** Undefined when nothing is published there, or its time is over. */
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
    if (this.#indexes.size > KEPT_INDEXES && oldest) this.#indexes.delete(oldest);
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
