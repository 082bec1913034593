/** GitLab: https://docs.gitlab.com/user/project/integrations/webhook_events/ */
import { z } from 'zod';
import type { ForgeRepository } from '../../plan/model/trigger.ts';
import {
  flag,
  idValue,
  ignored,
  known,
  label,
  labelList,
  mergeEvent,
  nameText,
  pushEvent,
  refText,
  shaText,
  words,
  type ForgeEvent,
  type MergeFacts,
} from './event.ts';

const side = z.object({ path_with_namespace: label, web_url: words });
const project = z.object({
  id: idValue.nullish().catch(undefined),
  web_url: words,
  description: words,
  visibility_level: z.number().nullish().catch(undefined),
  path_with_namespace: nameText,
  default_branch: refText.nullish(),
  git_http_url: z.string().max(2_000).nullish(),
});
/** `git push -o ci.skip`, `-o ci.no_pipeline`, `-o ci.variable=A=B`, `-o ci.input=A=B`; of those that may repeat, how often is counted. */
const pushOptions = z.object({
  skip: z.unknown().optional(),
  no_pipeline: z.unknown().optional(),
  variable: z.record(z.string(), z.unknown()).optional(),
  input: z.record(z.string(), z.unknown()).optional(),
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
  push_options: z.object({ ci: pushOptions.optional() }).nullish().catch(undefined),
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
    id: idValue.nullish().catch(undefined),
    description: words,
    draft: flag,
    squash: flag,
    source: side.nullish().catch(undefined),
    target: side.nullish().catch(undefined),
  }),
  labels: labelList('title'),
  assignees: labelList('username'),
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
  const options = payload.push_options?.ci;
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
    of: repositoryOf(payload.project),
    skip: isOn(options?.skip) || isOn(options?.no_pipeline),
    variables: variablesOf(options?.variable),
    inputs: inputsOf(options?.input),
  });
}

const isOn = (value: unknown): boolean => value !== undefined && value !== false && value !== 'false';

/** `NAME=VALUE`; what is of another form is nobody's variable, as at GitLab. */
function variablesOf(given: Record<string, unknown> | undefined): Record<string, string> | undefined {
  const found = Object.keys(given ?? {}).flatMap((text): [string, string][] => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text.slice(0, MAX_VARIABLE)) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found.slice(0, MAX_VARIABLES));
}

/** `NAME=VALUE` each; whether the file takes them, and of which type they are, is found out when it is read. */
function inputsOf(given: Record<string, unknown> | undefined): Record<string, string> | undefined {
  const found = Object.keys(given ?? {}).flatMap((text): [string, string][] => {
    const at = text.indexOf('=');
    return at <= 0 || text.length > MAX_INPUT ? [] : [[text.slice(0, at), text.slice(at + 1)]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found.slice(0, MAX_VARIABLES));
}
const MAX_INPUT = 16_384;
const MAX_VARIABLES = 100;
const MAX_VARIABLE = 4_096;

const VISIBILITY = new Map<number, ForgeRepository['visibility']>([
  [0, 'private'],
  [10, 'internal'],
  [20, 'public'],
]);

const repositoryOf = (of: z.output<typeof project>): ForgeRepository =>
  known({
    id: of.id === undefined || of.id === null ? undefined : String(of.id),
    path: of.path_with_namespace,
    url: of.web_url,
    description: of.description,
    visibility: VISIBILITY.get(of.visibility_level ?? -1),
  });

const sideOf = (id: string | number | null | undefined, of: z.output<typeof side> | null | undefined) =>
  known({
    id: id === undefined || id === null ? undefined : String(id),
    path: of?.path_with_namespace,
    url: of?.web_url,
  });

function mergeFacts(payload: z.output<typeof merge>): MergeFacts {
  const of = payload.object_attributes;
  return known({
    id: of.id === undefined || of.id === null ? undefined : String(of.id),
    description: of.description,
    labels: payload.labels,
    assignees: payload.assignees,
    draft: of.draft,
    squash: of.squash,
    source: sideOf(of.source_project_id, of.source),
    target: sideOf(of.target_project_id, of.target),
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
    of: repositoryOf(into),
    more: mergeFacts(payload),
  });
}
