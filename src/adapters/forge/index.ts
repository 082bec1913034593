/**
 * Commit statuses and releases at GitLab, GitHub and Gitea. The token is resolved for each call and goes to
 * the forge's own host only: redirects are not followed, and no error contains a request or a header.
 */
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { ProjectSlug } from '../../plan/model/ids.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import type { Forge, ReleaseAt, Secrets } from '../ports.ts';
import { findCall, unsupportedParts, makeCall, type ReleaseCall } from './release.ts';
import { statusRequest, type ForgeKind, type ForgeProject } from './status.ts';

const TIMEOUT_MS = 15_000;

export interface ForgeSettings {
  name: ProjectSlug;
  forge: ForgeKind | 'none';
  forge_url?: string;
  forge_token?: SecretRef;
  repository?: string;
}
export interface ForgeOptions {
  projects: readonly ForgeSettings[];
  secrets: Pick<Secrets, 'resolve'>;
  dispatcher?: Dispatcher;
}

/** A project without forge, address, repository or token reports no status; that is not an error. */
export function forgeStatuses(options: ForgeOptions): Forge {
  return {
    async commitStatus(status) {
      const forge = await forgeOf(options, status.project);
      if (forge) await sendStatus(statusRequest(forge.project, status, forge.token), options.dispatcher);
    },
    async findRelease(name, tag) {
      const forge = await forgeOf(options, name);
      if (!forge) return 'no-forge';
      const response = await send(findCall(forge.project, tag, forge.token), options.dispatcher);
      return response.status === 404 ? 'none' : releaseAt(response);
    },
    async makeRelease(name, release) {
      const forge = await forgeOf(options, name);
      if (!forge) throw new DavitError('forge/refused', `The project ${name} has no forge for a release.`);
      const response = await send(makeCall(forge.project, release, forge.token), options.dispatcher);
      return { ...releaseAt(response), left: unsupportedParts(forge.project, release) };
    },
  };
}

interface ForgeAt {
  project: ForgeProject;
  token: string;
}

async function forgeOf(options: ForgeOptions, name: ProjectSlug): Promise<ForgeAt | undefined> {
  const project = options.projects.find((one) => one.name === name);
  const kind = project?.forge;
  if (!project?.forge_token || !project.repository || !kind || kind === 'none') return undefined;
  const url = project.forge_url ?? (kind === 'github' ? 'https://github.com' : undefined);
  if (url === undefined) return undefined;
  const token = await options.secrets.resolve(project.forge_token);
  return { project: { name: project.name, kind, url, repository: project.repository }, token };
}

interface ForgeResponse {
  host: string;
  status: number;
  body: unknown;
}
const MAX_RESPONSE_BYTES = 1024 * 1024;

/** Rejects with `forge/away`; returns any response, whatever its status. */
async function send(call: ReleaseCall, dispatcher?: Dispatcher): Promise<ForgeResponse> {
  const { host } = new URL(call.url);
  let response: ForgeResponse;
  try {
    const got = await request(call.url, {
      method: call.method,
      headers: { ...call.headers, 'content-type': 'application/json', 'user-agent': 'davit' },
      ...(call.body && { body: JSON.stringify(call.body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(dispatcher ? { dispatcher } : {}),
    });
    const text = (await got.body.text()).slice(0, MAX_RESPONSE_BYTES);
    response = { host, status: got.statusCode, body: parsed(text) };
  } catch {
    // The cause may contain the request with its token, so the message has the host only.
    throw new DavitError('forge/away', `The forge at ${host} did not respond.`);
  }
  if (response.status >= 500 || response.status === 429)
    throw new DavitError('forge/away', `The forge at ${host} responded with ${response.status}.`);
  return response;
}

function releaseAt({ host, status, body }: ForgeResponse): ReleaseAt {
  if (status < 200 || status > 299)
    throw new DavitError('forge/refused', `The forge at ${host} responded with ${status}${reasonIn(body)}.`);
  const found = releaseBody.safeParse(body);
  const url = found.success ? (found.data._links?.self ?? found.data.html_url) : undefined;
  return url === undefined ? {} : { url };
}

const releaseBody = z.object({
  html_url: z.string().optional(),
  _links: z.object({ self: z.string().optional() }).optional(),
});

/** The forge's message, shortened and without control characters. */
function reasonIn(body: unknown): string {
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

async function sendStatus(call: ReturnType<typeof statusRequest>, dispatcher?: Dispatcher): Promise<void> {
  const host = new URL(call.url).host;
  let code: number;
  try {
    const response = await request(call.url, {
      method: 'POST',
      headers: { ...call.headers, 'content-type': 'application/json', 'user-agent': 'davit' },
      body: JSON.stringify(call.body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(dispatcher ? { dispatcher } : {}),
    });
    code = response.statusCode;
    await response.body.dump({ limit: 64 * 1024 });
  } catch {
    // The cause may contain the request with its token, so the message has the host only.
    throw new DavitError('forge/refused', `The forge at ${host} did not respond.`);
  }
  if (code < 200 || code > 299)
    throw new DavitError('forge/refused', `The forge at ${host} responded with ${code} to a commit status.`);
}
