/**
 * Reading a repository over git's smart HTTP protocol on behalf of somebody who has no credentials for it
 * (https://git-scm.com/docs/http-protocol). Only the service that sends; bytes are passed on as they are.
 *   PACK-1 Credentials go to the origin of the project's own address. A redirect is followed on that host alone, and
 *          never to plain http from https.
 *   PACK-2 What comes back is what git sends for that service, or an error; never a page of the forge.
 */
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { DavitError } from '../../errors.ts';
import { codedStream } from '../../utils/coded-stream.ts';
import type { PackRequest, UploadPack } from '../ports.ts';

const SERVICE = 'git-upload-pack';
const REDIRECTS = 3;
const TIMEOUT_MS = 120_000;

export function uploadPack(): UploadPack & { close(): Promise<void> } {
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  /** Where an address was redirected to. */
  const moved = new Map<string, string>();
  return {
    async refs(asked) {
      let base = baseOf(asked.url);
      for (let hop = 0; hop <= REDIRECTS; hop += 1) {
        const path = `/info/refs?service=${SERVICE}`;
        const reply = await send(agent, { ...asked, method: 'GET', url: `${base}${path}` });
        const { location } = reply.headers;
        if (![301, 302, 307, 308].includes(reply.statusCode) || typeof location !== 'string') {
          if (base !== baseOf(asked.url)) moved.set(asked.url, base);
          return answer(reply, 'advertisement');
        }
        await reply.body.dump();
        base = redirected(base, location, path);
      }
      throw new DavitError('git/unreachable', 'The repository redirects too often.');
    },
    async pack(asked) {
      const base = moved.get(asked.url) ?? baseOf(asked.url);
      const type = `application/x-${SERVICE}-request`;
      const url = `${base}/${SERVICE}`;
      return answer(await send(agent, { ...asked, method: 'POST', url, type }), 'result');
    },
    close: () => agent.destroy(),
  };
}

const baseOf = (url: string): string => url.replace(/\/+$/, '');

/** PACK-1. */
function redirected(from: string, location: string, path: string): string {
  const refused = new DavitError('git/unreachable', 'The repository redirects to another place.');
  if (!URL.canParse(location, from)) throw refused;
  const to = new URL(location, from);
  const was = new URL(from);
  const secure = to.protocol === 'https:' || to.protocol === was.protocol;
  if (to.hostname !== was.hostname || !secure || !to.href.endsWith(path)) throw refused;
  return to.href.slice(0, -path.length);
}

interface Sent extends PackRequest {
  method: 'GET' | 'POST';
  type?: string;
}

async function send(dispatcher: Agent, { method, url, auth, protocol, encoding, type, body }: Sent) {
  const basic = auth && Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  try {
    return await request(url, {
      dispatcher,
      method,
      headers: {
        'user-agent': 'git/davit',
        ...(basic !== undefined && { authorization: `Basic ${basic}` }),
        ...(protocol !== undefined && { 'git-protocol': protocol }),
        ...(encoding !== undefined && { 'content-encoding': encoding }),
        ...(type !== undefined && { 'content-type': type }),
      },
      body,
    });
  } catch (cause) {
    throw away(cause);
  }
}

const away = (cause: unknown): DavitError =>
  new DavitError('git/unreachable', 'The repository does not respond.', { cause });

async function answer(
  reply: Awaited<ReturnType<typeof send>>,
  kind: 'advertisement' | 'result',
): Promise<{ type: string; body: Readable }> {
  const type = `application/x-${SERVICE}-${kind}`;
  if (reply.statusCode === 200 && reply.headers['content-type'] === type)
    return { type, body: codedStream(reply.body, away) };
  await reply.body.dump();
  const denied = [401, 403, 404].includes(reply.statusCode);
  throw new DavitError(
    denied ? 'git/denied' : 'git/unreachable',
    `The repository responded with HTTP status ${reply.statusCode}.`,
  );
}
