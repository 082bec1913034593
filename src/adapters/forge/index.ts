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
import { findCall, leftOut, makeCall, type ReleaseCall } from './release.ts';
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
      const at = await forgeOf(options, status.project);
      if (at) await send(statusRequest(at.project, status, at.token), options.dispatcher);
    },
    async findRelease(name, tag) {
      const at = await forgeOf(options, name);
      if (!at) return 'no-forge';
      const answer = await ask(findCall(at.project, tag, at.token), options.dispatcher);
      return answer.status === 404 ? 'none' : releaseAt(answer);
    },
    async makeRelease(name, release) {
      const at = await forgeOf(options, name);
      if (!at) throw new DavitError('forge/refused', `The project ${name} has no forge for a release.`);
      const answer = await ask(makeCall(at.project, release, at.token), options.dispatcher);
      return { ...releaseAt(answer), left: leftOut(at.project, release) };
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

interface Answer {
  host: string;
  status: number;
  body: unknown;
}
const MAX_ANSWER = 1024 * 1024;

/** Rejects with `forge/away`; returns any response, whatever its status. */
async function ask(call: ReleaseCall, dispatcher?: Dispatcher): Promise<Answer> {
  const { host } = new URL(call.url);
  let answer: Answer;
  try {
    const got = await request(call.url, {
      method: call.method,
      headers: { ...call.headers, 'content-type': 'application/json', 'user-agent': 'davit' },
      ...(call.body && { body: JSON.stringify(call.body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(dispatcher ? { dispatcher } : {}),
    });
    const text = (await got.body.text()).slice(0, MAX_ANSWER);
    answer = { host, status: got.statusCode, body: parsed(text) };
  } catch {
    // The cause may contain the request with its token, so the message has the host only.
    throw new DavitError('forge/away', `The forge at ${host} did not respond.`);
  }
  if (answer.status >= 500 || answer.status === 429)
    throw new DavitError('forge/away', `The forge at ${host} responded with ${answer.status}.`);
  return answer;
}

function releaseAt({ host, status, body }: Answer): ReleaseAt {
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

async function send(call: ReturnType<typeof statusRequest>, dispatcher?: Dispatcher): Promise<void> {
  const host = new URL(call.url).host;
  let code: number;
  try {
    const answer = await request(call.url, {
      method: 'POST',
      headers: { ...call.headers, 'content-type': 'application/json', 'user-agent': 'davit' },
      body: JSON.stringify(call.body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(dispatcher ? { dispatcher } : {}),
    });
    code = answer.statusCode;
    await answer.body.dump({ limit: 64 * 1024 });
  } catch {
    // The cause may contain the request with its token, so the message has the host only.
    throw new DavitError('forge/refused', `The forge at ${host} did not respond.`);
  }
  if (code < 200 || code > 299)
    throw new DavitError('forge/refused', `The forge at ${host} responded with ${code} to a commit status.`);
}
