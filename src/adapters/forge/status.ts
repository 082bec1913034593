/** The commit status request of each forge (pure). */
import type { PipelineState } from '../../plan/model/protocol.ts';
import type { ForgeStatus } from '../ports.ts';
import { apiUrl, headersOf, type ForgeKind, type ForgeProject } from './project-api.ts';
import type { ForgeCall } from './send.ts';

/** Waiting for a person, a lock or a time is told as waiting; `none`: there is nothing to tell. */
type Told = 'planned' | 'running' | 'waiting' | 'passed' | 'failed' | 'errored' | 'cancelled' | 'none';
const TOLD: Record<PipelineState, Told> = {
  created: 'planned',
  running: 'running',
  waiting_for_resource: 'waiting',
  manual: 'waiting',
  scheduled: 'waiting',
  success: 'passed',
  failed: 'failed',
  canceled: 'cancelled',
  skipped: 'none',
  config_error: 'failed',
};

/** GitHub: error, failure, pending, success. Gitea adds warning and skipped, which its required checks take as passed. */
const GITHUB: Record<Exclude<Told, 'planned' | 'none'>, string> = {
  running: 'pending',
  waiting: 'pending',
  passed: 'success',
  failed: 'failure',
  errored: 'error',
  cancelled: 'error',
};
const GITLAB: Record<Exclude<Told, 'none'>, string> = {
  planned: 'pending',
  running: 'running',
  waiting: 'pending',
  passed: 'success',
  failed: 'failed',
  errored: 'failed',
  cancelled: 'canceled',
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
  skipped: 'had nothing to run',
  config_error: 'the pipeline file has errors',
};

/** States that a forge shows as open: a pipeline that said so has to say how it ended. */
const OPEN = ['pending', 'running'];

/** The state as this forge names it; undefined: nothing is told. A required check never passes by what did not run. */
export function stateAt(kind: ForgeKind, { state, cause, told }: ForgeStatus): string | undefined {
  const what = cause === 'source' && TOLD[state] === 'failed' ? 'errored' : TOLD[state];
  if (what === 'none') {
    if (told === undefined || !OPEN.includes(told)) return undefined;
    if (kind !== 'gitlab') return GITHUB.errored;
    // GitLab lets only what is pending be skipped.
    return told === 'pending' ? 'skipped' : GITLAB.cancelled;
  }
  if (kind === 'gitlab') return GITLAB[what];
  // Only GitLab has a state that takes it back, should there be nothing to run.
  return what === 'planned' ? undefined : GITHUB[what];
}

/**
 * The request that each forge documents: GitLab `POST /projects/:id/statuses/:sha`, GitHub and Gitea `POST
 * /repos/:owner/:repo/statuses/:sha`. Description at most 140 characters (GitHub).
 */
export function statusCall(
  project: ForgeProject,
  { status, state }: { status: ForgeStatus; state: string },
  token: string,
): ForgeCall {
  const text = status.cause === 'source' ? 'the source could not be read' : TEXT[status.state];
  const description = `davit ${status.pipeline} ${text}`.slice(0, 140);
  const link: Record<string, string> = status.url === undefined ? {} : { target_url: status.url };
  const name: Record<string, string> =
    project.kind === 'gitlab' ? { name: status.context, ref: status.ref } : { context: status.context };
  return {
    method: 'POST',
    url: apiUrl(project, `statuses/${status.sha}`),
    headers: headersOf(project, token),
    body: { state, ...name, description, ...link },
  };
}

/** GitLab refuses a state that the status has already, or has left: the answer to a repeated request. */
export const isUnchanged = (kind: ForgeKind, status: number, reason: string): boolean =>
  kind === 'gitlab' && status === 400 && reason.includes('Cannot transition status');

/** A status of a commit that does not exist: the forge checks the token first, and keeps nothing. */
export const probeCall = (project: ForgeProject, token: string): ForgeCall => ({
  method: 'POST',
  url: apiUrl(project, `statuses/${'0'.repeat(40)}`),
  headers: headersOf(project, token),
  body: { state: 'pending', ...(project.kind === 'gitlab' ? { name: 'davit' } : { context: 'davit' }) },
  anyStatus: true,
});

/** True if the answer to `probeCall` is about the commit, and not about token or repository. */
export function mayTell(kind: ForgeKind, status: number, reason: string): boolean {
  if (status === 401 || status === 403 || status === 429) return false;
  if (status >= 300 && status <= 399) return false;
  // GitLab says which of the two it did not find; GitHub answers 422 about the commit, Gitea 500.
  return status !== 404 || (kind === 'gitlab' && /commit/i.test(reason));
}
