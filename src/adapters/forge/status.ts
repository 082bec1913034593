/** The commit status request of each forge (pure). */
import type { PipelineId, ProjectSlug } from '../../plan/model/ids.ts';
import type { PipelineState } from '../../plan/model/protocol.ts';

export type ForgeKind = 'gitlab' | 'github' | 'gitea';
export interface ForgeProject {
  name: ProjectSlug;
  kind: ForgeKind;
  /** Address of the forge, without credentials. */
  url: string;
  /** `group/project` */
  repository: string;
}
export interface StatusRequest {
  url: string;
  headers: Record<string, string>;
  body: Record<string, string>;
}
export interface CommitStatus {
  sha: string;
  ref: string;
  pipeline: PipelineId;
  state: PipelineState;
  url?: string;
  /** It has a context of its own: no stranger sets what a required check looks at. */
  fork?: boolean;
}

type Coarse = 'pending' | 'running' | 'success' | 'failed' | 'canceled';
const COARSE: Record<PipelineState, Coarse> = {
  created: 'pending',
  running: 'running',
  waiting_for_resource: 'running',
  manual: 'running',
  scheduled: 'running',
  success: 'success',
  failed: 'failed',
  canceled: 'canceled',
  skipped: 'success',
  config_error: 'failed',
};
const GITHUB: Record<Coarse, string> = {
  pending: 'pending',
  running: 'pending',
  success: 'success',
  failed: 'failure',
  canceled: 'error',
};

const TEXT: Record<PipelineState, string> = {
  created: 'waits for its turn',
  running: 'runs',
  waiting_for_resource: 'waits for a lock',
  manual: 'waits for a person',
  scheduled: 'waits for a time',
  success: 'passed',
  failed: 'failed',
  canceled: 'cancelled',
  skipped: 'nothing to run',
  config_error: 'the pipeline file has errors',
};

/** The same for every state of every pipeline of a commit, so that the newest replaces the others. */
export const CONTEXT = 'davit';
export const FORK_CONTEXT = 'davit/fork';

/**
 * The request that each forge documents: GitLab `POST /projects/:id/statuses/:sha`, GitHub and Gitea `POST
 * /repos/:owner/:repo/statuses/:sha`. Description at most 140 characters (GitHub).
 */
export function statusRequest(project: ForgeProject, status: CommitStatus, token: string): StatusRequest {
  const coarse = COARSE[status.state];
  const context = status.fork ? FORK_CONTEXT : CONTEXT;
  const description = `davit ${status.pipeline} ${TEXT[status.state]}`.slice(0, 140);
  const link: Record<string, string> = status.url === undefined ? {} : { target_url: status.url };
  if (project.kind === 'gitlab')
    return {
      url: join(
        project.url,
        `api/v4/projects/${encodeURIComponent(project.repository)}/statuses/${status.sha}`,
      ),
      headers: { 'private-token': token },
      body: { state: coarse, name: context, ref: status.ref, description, ...link },
    };
  const path = `repos/${project.repository.split('/').map(encodeURIComponent).join('/')}/statuses/${status.sha}`;
  const base = project.kind === 'gitea' ? join(project.url, 'api/v1') : githubApi(project.url);
  return {
    url: join(base, path),
    headers: {
      authorization: project.kind === 'gitea' ? `token ${token}` : `Bearer ${token}`,
      ...(project.kind === 'github' ? { accept: 'application/vnd.github+json' } : {}),
    },
    body: { state: GITHUB[coarse], context, description, ...link },
  };
}

/** github.com has its API on a separate host; an Enterprise server below /api/v3. */
export function githubApi(url: string): string {
  const host = new URL(url).host;
  if (host === 'github.com' || host === 'api.github.com') return 'https://api.github.com';
  return new URL(url).pathname === '/' ? join(url, 'api/v3') : url;
}

export const join = (base: string, path: string): string => `${base.replace(/\/+$/, '')}/${path}`;
