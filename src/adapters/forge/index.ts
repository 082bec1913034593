/**
 * Commit statuses at GitLab, GitHub and Gitea. The token is resolved for each call and goes to the forge's own host only:
 * redirects are not followed, and no error holds a request or a header.
 */
import { request, type Dispatcher } from 'undici';
import { DavitError } from '../../errors.ts';
import type { ProjectSlug } from '../../plan/ids.ts';
import type { SecretRef } from '../../plan/spec.ts';
import type { Forge, Secrets } from '../ports.ts';
import { statusRequest, type ForgeKind } from './status.ts';

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

/** A project without forge, address, repository or token has no status to report: that is no error. */
export function forgeStatuses(options: ForgeOptions): Forge {
  return {
    async commitStatus(status) {
      const project = options.projects.find((one) => one.name === status.project);
      const kind = project?.forge;
      if (!project?.forge_token || !project.repository || !kind || kind === 'none') return;
      const url = project.forge_url ?? (kind === 'github' ? 'https://github.com' : undefined);
      if (url === undefined) return;
      const token = await options.secrets.resolve(project.forge_token);
      const call = statusRequest(
        { name: project.name, kind, url, repository: project.repository },
        status,
        token,
      );
      await send(call, options.dispatcher);
    },
  };
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
    // The cause may hold the request with its token: only the host is told.
    throw new DavitError('forge/refused', `The forge at ${host} did not answer.`);
  }
  if (code < 200 || code > 299)
    throw new DavitError('forge/refused', `The forge at ${host} answered ${code} to a commit status.`);
}
