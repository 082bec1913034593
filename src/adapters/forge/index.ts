/**
 * Commit statuses and releases at GitLab, GitHub and Gitea. The token is resolved for each call and goes to
 * the forge's own host only: redirects are not followed, and no error contains a request or a header.
 */
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { ProjectSlug } from '../../plan/model/ids.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import { TrustingAgents } from '../authorities.ts';
import type { Forge, ForgeRefs, OpenRequests, ReleaseAt, Secrets } from '../ports.ts';
import { mayCarryToken } from '../text.ts';
import { readOpenRequests } from './open-requests.ts';
import { requestsOfBranch } from './requests-of-branch.ts';
import { readProtection } from './protection.ts';
import { findCall, unsupportedParts, makeCall } from './release.ts';
import { reasonIn, send, type ForgeResponse } from './send.ts';
import type { ForgeKind, ForgeProject } from './project-api.ts';
import { isUnchanged, mayTell, probeCall, stateAt, statusCall } from './status.ts';

export interface ForgeSettings {
  name: ProjectSlug;
  forge: ForgeKind | 'none';
  forge_url?: string | undefined;
  forge_token?: SecretRef | undefined;
  forge_ca_file?: string | undefined;
  /** The token may go over plain http. */
  allow_http?: boolean | undefined;
  repository?: string | undefined;
}
export interface ForgeOptions {
  projects: readonly ForgeSettings[];
  secrets: Pick<Secrets, 'resolve'>;
  /** Replaces the connections; of tests. */
  dispatcher?: Dispatcher;
}

/** A project without forge, address, repository or token reports no status; that is not an error. */
export function forgeStatuses(options: ForgeOptions): Forge {
  return {
    async commitStatus(status) {
      const forge = await forgeOf(options, status.project);
      const state = forge && stateAt(forge.project.kind, status);
      if (!forge || state === undefined) return undefined;
      const answer = await send(statusCall(forge.project, { status, state }, forge.token), forge.dispatcher);
      const { kind } = forge.project;
      return isUnchanged(kind, answer.status, reasonIn(answer.body)) ? state : accepted(answer, state);
    },
    async openRequests(name, branch, signal) {
      const forge = await forgeOf(options, name);
      return forge && requestsOfBranch(forge, branch, (call) => send(call, forge.dispatcher, signal));
    },
    async findRelease(name, tag) {
      const forge = await forgeOf(options, name);
      if (!forge) return 'no-forge';
      const response = await send(findCall(forge.project, tag, forge.token), forge.dispatcher);
      return response.status === 404 ? 'none' : releaseAt(response);
    },
    async makeRelease(name, release) {
      const forge = await forgeOf(options, name);
      if (!forge) throw new DavitError('forge/refused', `The project ${name} has no forge for a release.`);
      const response = await send(makeCall(forge.project, release, forge.token), forge.dispatcher);
      return { ...releaseAt(response), left: unsupportedParts(forge.project, release) };
    },
  };
}

/** What forges protect, by the settings of a project. */
export const forgeRefs = (options: Omit<ForgeOptions, 'projects'>): ForgeRefs => ({
  async read(project, signal) {
    const forge = await forgeAt(project, options);
    if (!forge)
      throw new DavitError(
        'forge/refused',
        `The project ${project.name} has no forge, forge_url, repository or forge_token to read protected refs with.`,
      );
    return readProtection(forge.project, (call) => send(call, forge.dispatcher, signal), forge.token);
  },
});

/** Lists of open merge requests, for the reconciler. */
export const openRequests = (options: Omit<ForgeOptions, 'projects'>): OpenRequests => ({
  async open(project, signal) {
    const forge = await forgeAt(project, options);
    if (!forge) return undefined;
    return readOpenRequests(forge.project, (call) => send(call, forge.dispatcher, signal), forge.token);
  },
});

/** Whether a project's token may write commit statuses; undefined where it names no forge. Asks, and writes nothing. */
export const statusRight =
  (options: Omit<ForgeOptions, 'projects'>) =>
  async (project: ForgeSettings): Promise<true | undefined> => {
    const forge = await forgeAt(project, options);
    if (!forge) return undefined;
    const answer = await send(probeCall(forge.project, forge.token), forge.dispatcher);
    if (mayTell(forge.project.kind, answer.status, reasonIn(answer.body))) return true;
    accepted(answer, '');
    return true;
  };

interface ForgeAt {
  project: ForgeProject;
  token: string;
  dispatcher?: Dispatcher | undefined;
}

const forgeOf = async (options: ForgeOptions, name: ProjectSlug): Promise<ForgeAt | undefined> =>
  forgeAt(
    options.projects.find((one) => one.name === name),
    options,
  );

const agents = new TrustingAgents();

/**
 * Undefined where the project names no forge, address, repository or token. Rejects with `secret/missing`, and with
 * `forge/refused` before a token goes over plain http.
 */
async function forgeAt(
  project: ForgeSettings | undefined,
  { secrets, dispatcher }: Pick<ForgeOptions, 'secrets' | 'dispatcher'>,
): Promise<ForgeAt | undefined> {
  const kind = project?.forge;
  if (!project?.forge_token || !project.repository || !kind || kind === 'none') return undefined;
  const url = project.forge_url ?? (kind === 'github' ? 'https://github.com' : undefined);
  if (url === undefined) return undefined;
  if (!project.allow_http && !mayCarryToken(url)) throw plainHttp();
  const token = await secrets.resolve(project.forge_token);
  return {
    project: { name: project.name, kind, url, repository: project.repository },
    token,
    dispatcher: dispatcher ?? (await agents.of(project.forge_ca_file)),
  };
}

const plainHttp = (): DavitError =>
  new DavitError('forge/refused', 'davit does not send forge_token over plain http.', {
    hint: 'Use an https address. In a network that you trust, set `allow_http: true` for the project.',
  });

/** A token or a repository that is refused may be put right; anything else stays refused. */
function accepted({ host, status, body }: ForgeResponse, state: string): string {
  if (status >= 200 && status <= 299) return state;
  const text = `The forge at ${host} responded with ${status} to a commit status${reasonIn(body)}.`;
  if (status >= 300 && status <= 399)
    throw new DavitError('forge/denied', text, {
      hint: 'It has moved: put its present address into forge_url, and its present name into repository.',
    });
  if ([401, 403, 404].includes(status)) throw new DavitError('forge/denied', text);
  // 409: GitLab is at another request about this commit.
  throw new DavitError(status === 408 || status === 409 ? 'forge/away' : 'forge/refused', text);
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
