/** One request to a forge. Redirects are not followed, and no error contains a request, a header or a token. */
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';

export const TIMEOUT_MS = 15_000;

export interface ForgeCall {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: Record<string, unknown>;
  /** A server error is an answer too. */
  anyStatus?: true;
}
export interface ForgeResponse {
  host: string;
  status: number;
  body: unknown;
  /** The header `link` names a next page. */
  more: boolean;
}
const MAX_RESPONSE_BYTES = 1024 * 1024;

/** Rejects with `forge/away`, also after a server error; returns any other response, whatever its status. */
export async function send(
  call: ForgeCall,
  dispatcher?: Dispatcher,
  ended?: AbortSignal,
): Promise<ForgeResponse> {
  const { host } = new URL(call.url);
  let response: ForgeResponse;
  try {
    const got = await request(call.url, {
      method: call.method,
      headers: { ...call.headers, 'content-type': 'application/json', 'user-agent': 'davit' },
      ...(call.body && { body: JSON.stringify(call.body) }),
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(ended ? [ended] : [])]),
      ...(dispatcher ? { dispatcher } : {}),
    });
    const text = (await got.body.text()).slice(0, MAX_RESPONSE_BYTES);
    const more = /;\s*rel="?next"?/.test(String(got.headers.link ?? ''));
    response = { host, status: got.statusCode, body: parsed(text), more };
  } catch {
    // The cause may contain the request with its token, so the message has the host only.
    throw new DavitError('forge/away', `The forge at ${host} did not respond.`);
  }
  if (!call.anyStatus && (response.status >= 500 || response.status === 429))
    throw new DavitError('forge/away', `The forge at ${host} responded with ${response.status}.`);
  return response;
}

/** The forge's message, shortened and without control characters. */
export function reasonIn(body: unknown): string {
  const found = z.object({ message: z.unknown() }).safeParse(body);
  if (!found.success) return '';
  const { message } = found.data;
  const text = typeof message === 'string' ? message : JSON.stringify(message ?? '');
  return `: ${text.replace(/\p{Cc}+/gu, ' ').slice(0, 200)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an error page of a proxy; its status is enough
  }
}
