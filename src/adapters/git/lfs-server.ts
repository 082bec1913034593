/**
 * A server of Git LFS: its batch API and basic transfers.
 *
 *   LFS-1 Credentials go to the origin of the project's own address and to no other. Headers that the server gives for
 *         a download go to its address, and not to where that redirects.
 *   LFS-2 A download is over https, or at the project's own origin.
 *   LFS-3 A file is complete only with the size and the SHA-256 of its pointer.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { VERSION } from '../../version.ts';
import { TrustingAgents } from '../authorities.ts';
import { readBounded } from '../bounded.ts';
import { oneLine } from '../text.ts';
import type { LfsObject } from './lfs-pointers.ts';

const TYPE = 'application/vnd.git-lfs+json';
const MAX_ANSWER = 4 * 1_024 * 1_024;
const MAX_REDIRECTS = 5;
const TRIES = 3;
/** Without a byte. */
const SILENCE_MS = 60_000;

const answerSchema = z.object({
  transfer: z.string().optional(),
  objects: z.array(
    z.object({
      oid: z.string(),
      authenticated: z.boolean().nullish(),
      actions: z
        .object({
          download: z
            .object({ href: z.string(), header: z.record(z.string(), z.string()).nullish() })
            .optional(),
        })
        .nullish(),
      error: z.object({ code: z.number(), message: z.string() }).nullish(),
    }),
  ),
});

export interface LfsServerOptions {
  /** `https://HOST/team/app.git/info/lfs` */
  url: string;
  /** LFS-1. */
  authorization?: string | undefined;
  /** Files with an additional authority, by origin. */
  authorities?: ReadonlyMap<string, string> | undefined;
  signal?: AbortSignal | undefined;
}
export interface Download extends LfsObject {
  href: string;
  headers: Record<string, string>;
}

export class LfsServer {
  readonly #options: LfsServerOptions;
  readonly #home: string;
  readonly #agents = new TrustingAgents();

  constructor(options: LfsServerOptions) {
    this.#options = options;
    this.#home = new URL(options.url).origin;
  }

  close(): Promise<void> {
    return this.#agents.close();
  }

  /** Where each object is. Rejects with `git/lfs`, `git/denied` and `git/unreachable`. */
  async find(objects: readonly LfsObject[]): Promise<Download[]> {
    const { url, authorization } = this.#options;
    const wanted = objects.map(({ oid, size }) => ({ oid, size }));
    const reply = await this.#send(new URL(`${url}/objects/batch`), {
      method: 'POST',
      headers: { accept: TYPE, 'content-type': TYPE, ...(authorization !== undefined && { authorization }) },
      body: JSON.stringify({ operation: 'download', transfers: ['basic'], objects: wanted }),
    });
    const bytes = await this.#reading(() =>
      readBounded(reply.body, MAX_ANSWER, () => lfs('its answer is too long')),
    );
    if (reply.statusCode !== 200) throw this.#refused(reply.statusCode, bytes);
    const answer = answerOf(bytes);
    return objects.map((object) => this.#downloadOf(object, answer));
  }

  #refused(status: number, bytes: Buffer): DavitError {
    const { authorization } = this.#options;
    if (status === 401 || status === 403)
      return new DavitError(
        'git/denied',
        authorization === undefined
          ? 'Git LFS: the forge gives these objects to nobody without a token, and a token is not sent here.'
          : 'Git LFS: the forge refused the token that it was asked with.',
      );
    if (status >= 300 && status < 400)
      return new DavitError('git/moved', 'Git LFS: the address of the repository redirects.');
    const said = `it responded with HTTP ${status}: ${oneLine(bytes.toString('utf8').slice(0, 300))}`;
    return status === 429 || status >= 500 ? unreachable(said) : lfs(said);
  }

  #downloadOf({ oid, size }: LfsObject, { objects }: z.output<typeof answerSchema>): Download {
    const found = objects.find((one) => one.oid === oid);
    const action = found?.actions?.download;
    if (!action) {
      const why = found?.error
        ? `${found.error.code} ${oneLine(found.error.message)}`
        : 'it names no address.';
      throw lfs(`it does not give the object ${oid.slice(0, 12)}: ${why}`);
    }
    if (!URL.canParse(action.href)) throw lfs(`the address of the object ${oid.slice(0, 12)} is invalid`);
    const headers = Object.fromEntries(
      Object.entries(action.header ?? {}).filter(
        ([name]) => !/^(host|connection|content-length|te|transfer-encoding|range)$/i.test(name),
      ),
    );
    const isNamed = Object.keys(headers).some((name) => /^authorization$/i.test(name));
    const { authorization } = this.#options;
    // A server that says nothing expects the credentials of its repository at its own address.
    if (
      !isNamed &&
      found.authenticated !== true &&
      authorization !== undefined &&
      this.#isHome(new URL(action.href))
    )
      headers['authorization'] = authorization;
    return { oid, size, href: action.href, headers };
  }

  #isHome(url: URL): boolean {
    return url.origin === this.#home;
  }

  /** Writes the object to a file. A transfer that breaks off is continued. Rejects as `find` does. */
  async fetch(download: Download, file: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const before = await sizeOf(file);
      try {
        await this.#receive(download, file, before);
        if (await isComplete(download, file)) return;
      } catch (error) {
        const again = error instanceof DavitError && error.code === 'git/unreachable' && tries < TRIES;
        if (!again) throw error;
        continue;
      }
      await rm(file, { force: true });
      if (before === 0 || tries >= TRIES)
        throw lfs(`the object ${download.oid.slice(0, 12)} arrived with another content`);
    }
  }

  async #receive({ oid, size, href, headers }: Download, file: string, before: number): Promise<void> {
    const resumes = before > 0 && before < size;
    const range: Record<string, string> = resumes ? { range: `bytes=${before}-` } : {};
    const reply = await this.#get(new URL(href), { headers, range });
    const { statusCode: status, body } = reply;
    if (status !== 200 && status !== 206) {
      await body.dump();
      const said = `the object ${oid.slice(0, 12)} is answered with HTTP ${status}`;
      // A server that cannot continue gets a fresh start.
      if (status === 416) await rm(file, { force: true });
      if (status === 401 || status === 403) throw new DavitError('git/denied', `Git LFS: ${said}.`);
      throw status === 429 || status === 416 || status >= 500 ? unreachable(said) : lfs(said);
    }
    const continues =
      status === 206 && String(reply.headers['content-range']).startsWith(`bytes ${before}-`) && resumes;
    if (status === 206 && !continues) {
      await body.dump();
      await rm(file, { force: true });
      throw unreachable(`the object ${oid.slice(0, 12)} is continued at another place`);
    }
    let left = continues ? size - before : size;
    await this.#reading(() =>
      pipeline(
        body,
        async function* (parts: AsyncIterable<Buffer>) {
          for await (const part of parts) {
            left -= part.length;
            if (left < 0) throw lfs(`the object ${oid.slice(0, 12)} is longer than its pointer says`);
            yield part;
          }
        },
        createWriteStream(file, { flags: continues ? 'a' : 'w', mode: 0o600 }),
      ),
    );
  }

  /** LFS-1, LFS-2, for each address on the way. */
  async #get(
    from: URL,
    { headers, range }: { headers: Record<string, string>; range: Record<string, string> },
  ): Promise<Dispatcher.ResponseData> {
    let url = from;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      if (url.protocol !== 'https:' && !this.#isHome(url))
        throw lfs(`${url.host} is neither the forge's own address nor https`);
      const own = url.origin === from.origin ? headers : {};
      const reply = await this.#send(url, {
        method: 'GET',
        headers: { ...own, ...range, 'accept-encoding': 'identity' },
      });
      const { location } = reply.headers;
      if (![301, 302, 303, 307, 308].includes(reply.statusCode) || typeof location !== 'string') return reply;
      await reply.body.dump();
      if (!URL.canParse(location, url.href)) throw lfs('it redirects to an invalid address');
      url = new URL(location, url);
    }
    throw lfs('it redirects too often');
  }

  async #send(
    url: URL,
    ask: { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string },
  ): Promise<Dispatcher.ResponseData> {
    const { authorities, signal } = this.#options;
    const dispatcher = await this.#agents.of(authorities?.get(url.origin));
    return this.#reading(() =>
      request(url, {
        ...ask,
        headers: { 'user-agent': `davit/${VERSION}`, ...ask.headers },
        headersTimeout: SILENCE_MS,
        bodyTimeout: SILENCE_MS,
        ...(dispatcher && { dispatcher }),
        ...(signal && { signal }),
      }),
    );
  }

  /** One coded error for a connection that fails. */
  async #reading<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      this.#options.signal?.throwIfAborted();
      if (cause instanceof DavitError) throw cause;
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no reason given';
      if (/^(ENOSPC|EDQUOT|EACCES|EIO)$/.test(code)) throw cause;
      throw unreachable(`the connection failed (${code})`);
    }
  }
}

function answerOf(bytes: Buffer): z.output<typeof answerSchema> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw lfs('its answer is not JSON');
  }
  const answer = answerSchema.safeParse(json);
  if (!answer.success) throw lfs('its answer has another form than the batch API');
  const { transfer = 'basic' } = answer.data;
  if (transfer !== 'basic')
    throw lfs(`it wants the transfer "${transfer.slice(0, 40)}", which was not offered`);
  return answer.data;
}

/** LFS-3. */
async function isComplete({ oid, size }: LfsObject, file: string): Promise<boolean> {
  if ((await sizeOf(file)) !== size) return false;
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex') === oid;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

const ending = (what: string): string => `Git LFS: ${what}${/[.!?]$/.test(what) ? '' : '.'}`;
const lfs = (what: string): DavitError => new DavitError('git/lfs', ending(what));
const unreachable = (what: string): DavitError => new DavitError('git/unreachable', ending(what));
