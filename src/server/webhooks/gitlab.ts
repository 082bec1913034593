/** GitLab: https://docs.gitlab.com/user/project/integrations/webhook_events/ */
import { z } from 'zod';
import {
  idValue,
  ignored,
  mergeEvent,
  nameText,
  pushEvent,
  refText,
  shaText,
  type ForgeEvent,
} from './event.ts';

const project = z.object({
  path_with_namespace: nameText,
  default_branch: refText.nullish(),
  git_http_url: z.string().max(2_000).nullish(),
});
const push = z.object({
  object_kind: z.enum(['push', 'tag_push']),
  ref: refText,
  before: shaText,
  after: shaText,
  checkout_sha: shaText.nullish(),
  message: z.string().nullish(),
  user_username: nameText.optional(),
  commits: z.array(z.object({ id: shaText, message: z.string() })).default([]),
  push_options: z.object({ ci: z.object({ skip: z.unknown() }).optional() }).nullish(),
  project,
});
const merge = z.object({
  object_kind: z.literal('merge_request'),
  user: z.object({ username: nameText }).optional(),
  project,
  object_attributes: z.object({
    iid: z.number().int().min(1),
    action: z.string().optional(),
    oldrev: shaText.optional(),
    title: z.string(),
    source_branch: refText,
    target_branch: refText,
    source_project_id: idValue.nullish(),
    target_project_id: idValue.nullish(),
    last_commit: z.object({ id: shaText, message: z.string().optional() }),
  }),
});

/** Throws a ZodError when the payload is not of its kind's form. */
export function gitlabEvent(payload: unknown): ForgeEvent {
  const { object_kind: kind } = z.object({ object_kind: z.string() }).parse(payload);
  if (kind === 'push' || kind === 'tag_push') return pushOf(push.parse(payload));
  if (kind === 'merge_request') return mergeOf(merge.parse(payload));
  return ignored(`Events of kind "${kind.slice(0, 40)}" start nothing.`);
}

function pushOf(payload: z.output<typeof push>): ForgeEvent {
  const commit = payload.checkout_sha ?? undefined;
  const head = payload.commits.find((one) => one.id === (commit ?? payload.after));
  const skip = payload.push_options?.ci?.skip;
  return pushEvent({
    repository: payload.project.path_with_namespace,
    ref: payload.ref,
    before: payload.before,
    after: payload.after,
    commit,
    message: head?.message ?? payload.message ?? undefined,
    actor: payload.user_username ?? 'unknown',
    defaultBranch: payload.project.default_branch ?? undefined,
    cloneUrl: payload.project.git_http_url ?? undefined,
    skip: skip !== undefined && skip !== false && skip !== 'false',
  });
}

function mergeOf(payload: z.output<typeof merge>): ForgeEvent {
  const { object_attributes: of, project: into } = payload;
  // An update without an old revision is of words and labels only.
  const news = of.action === 'open' || of.action === 'reopen' || (of.action === 'update' && of.oldrev);
  if (!news) return ignored('The merge request has no new commits.', into.path_with_namespace);
  return mergeEvent({
    repository: into.path_with_namespace,
    iid: of.iid,
    ref: `refs/merge-requests/${of.iid}/head`,
    sha: of.last_commit.id,
    before: of.oldrev,
    sourceBranch: of.source_branch,
    targetBranch: of.target_branch,
    title: of.title,
    message: of.last_commit.message,
    actor: payload.user?.username ?? 'unknown',
    from: of.source_project_id,
    into: of.target_project_id,
    defaultBranch: into.default_branch ?? undefined,
    cloneUrl: into.git_http_url ?? undefined,
  });
}
