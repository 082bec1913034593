/** The commit status request of each forge (pure). */
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineState } from '../../plan/model/protocol.ts';
import { apiUrl, headersOf, type ForgeProject } from './project-api.ts';

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
  const url = apiUrl(project, `statuses/${status.sha}`);
  const headers = headersOf(project, token);
  if (project.kind === 'gitlab')
    return { url, headers, body: { state: coarse, name: context, ref: status.ref, description, ...link } };
  return { url, headers, body: { state: GITHUB[coarse], context, description, ...link } };
}
