/**
 * Reading a repository over git's smart HTTP protocol on behalf of somebody who has no credentials for it
 * (https://git-scm.com/docs/http-protocol). Only the service that sends; bytes are passed on as they are.
 *   PACK-1 Credentials go to the project's own address. As elsewhere, no redirect is followed.
 *   PACK-2 What comes back is what git sends for that service, or an error; never a page of the forge.
 */
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { DavitError } from '../../errors.ts';
import { codedStream } from '../../utils/coded-stream.ts';
import { TrustingAgents } from '../authorities.ts';
import type { PackRequest, UploadPack } from '../ports.ts';
import { mayCarryToken } from '../text.ts';
import { plainHttp, type GitOptions } from './git-workspace.ts';

const SERVICE = 'git-upload-pack';
const TIMEOUT_MS = 120_000;

/** Rejects with `git/bad-request` before a token goes over plain http. */
export function uploadPack({ plainOrigins }: Pick<GitOptions, 'plainOrigins'> = {}): UploadPack & {
  close(): Promise<void>;
} {
  const trusting = new TrustingAgents();
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  const baseOf = ({ url, auth }: PackRequest): string => {
    if (auth && !mayCarryToken(url, plainOrigins)) throw plainHttp('clone_token');
    return url.replace(/\/+$/, '');
  };
  return {
    async refs(asked) {
      const url = `${baseOf(asked)}/info/refs?service=${SERVICE}`;
      const dispatcher = (await trusting.of(asked.caFile)) ?? agent;
      return answer(await send(dispatcher, { ...asked, method: 'GET', url }), 'advertisement');
    },
    async pack(asked) {
      const url = `${baseOf(asked)}/${SERVICE}`;
      const type = `application/x-${SERVICE}-request`;
      const dispatcher = (await trusting.of(asked.caFile)) ?? agent;
      return answer(await send(dispatcher, { ...asked, method: 'POST', url, type }), 'result');
    },
    close: async () => void (await Promise.all([agent.destroy(), trusting.close()])),
  };
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
  const text = `The repository responded with HTTP status ${reply.statusCode}.`;
  if (denied) throw new DavitError('git/denied', text);
  throw new DavitError(reply.headers.location === undefined ? 'git/unreachable' : 'git/moved', text);
}
