/** GitLab: https://docs.gitlab.com/user/project/integrations/webhook_events/ */
import { z } from 'zod';
import type { ForgeRepository } from '../../plan/model/trigger.ts';
import {
  closing,
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
/**
 * `git push -o ci.skip`, `-o ci.no_pipeline`, `-o ci.variable=A=B`, `-o ci.input=A=B`. Repeatable options are
 * maps from text to count.
 */
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

/** Throws a ZodError if the payload does not have the form of its kind. */
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
    forgeRepository: repositoryOf(payload.project),
    skip: isOn(options?.skip) || isOn(options?.no_pipeline),
    variables: variablesOf(options?.variable),
    inputs: inputsOf(options?.input),
  });
}

const isOn = (value: unknown): boolean => value !== undefined && value !== false && value !== 'false';

/** `NAME=VALUE`; other forms are ignored, as GitLab does. */
function variablesOf(given: Record<string, unknown> | undefined): Record<string, string> | undefined {
  const found = Object.keys(given ?? {}).flatMap((text): [string, string][] => {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text.slice(0, MAX_VARIABLE)) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found.slice(0, MAX_VARIABLES));
}

/** `NAME=VALUE` each; names and types are checked when the file is read. */
function inputsOf(given: Record<string, unknown> | undefined): Record<string, string> | undefined {
  const found = Object.keys(given ?? {}).flatMap((text): [string, string][] => {
    const equals = text.indexOf('=');
    const valid = equals > 0 && text.length <= MAX_INPUT;
    return valid ? [[text.slice(0, equals), text.slice(equals + 1)]] : [];
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

const repositoryOf = (sent: z.output<typeof project>): ForgeRepository =>
  known({
    id: sent.id === undefined || sent.id === null ? undefined : String(sent.id),
    path: sent.path_with_namespace,
    url: sent.web_url,
    description: sent.description,
    visibility: VISIBILITY.get(sent.visibility_level ?? -1),
  });

const sideOf = (id: string | number | null | undefined, sent: z.output<typeof side> | null | undefined) =>
  known({
    id: id === undefined || id === null ? undefined : String(id),
    path: sent?.path_with_namespace,
    url: sent?.web_url,
  });

function mergeFacts(payload: z.output<typeof merge>): MergeFacts {
  const request = payload.object_attributes;
  return known({
    id: request.id === undefined || request.id === null ? undefined : String(request.id),
    description: request.description,
    labels: payload.labels,
    assignees: payload.assignees,
    draft: request.draft,
    squash: request.squash,
    source: sideOf(request.source_project_id, request.source),
    target: sideOf(request.target_project_id, request.target),
  });
}

function mergeOf(payload: z.output<typeof merge>): ForgeEvent {
  const { object_attributes: request, project: into } = payload;
  const { action, oldrev } = request;
  const ref = `refs/merge-requests/${request.iid}/head`;
  const about = {
    ref,
    sha: request.last_commit.id,
    ...(payload.user && { sender: payload.user.username }),
  };
  if (action === 'close' || action === 'merge') return closing(into.path_with_namespace, ref, about);
  // An update without an old revision changes only texts and labels.
  const hasCommits = action === 'open' || action === 'reopen' || (action === 'update' && oldrev);
  if (!hasCommits) return ignored('The merge request has no new commits.', into.path_with_namespace, about);
  return mergeEvent({
    repository: into.path_with_namespace,
    iid: request.iid,
    ref,
    sha: request.last_commit.id,
    before: oldrev,
    sourceBranch: request.source_branch,
    targetBranch: request.target_branch,
    title: request.title,
    message: request.last_commit.message,
    actor: payload.user?.username ?? 'unknown',
    from: request.source_project_id,
    into: request.target_project_id,
    defaultBranch: into.default_branch ?? undefined,
    cloneUrl: into.git_http_url ?? undefined,
    forgeRepository: repositoryOf(into),
    facts: mergeFacts(payload),
  });
}
