/**
 * GitHub and Gitea, whose payloads are alike: https://docs.github.com/webhooks/webhook-events-and-payloads,
 * and Gitea's usage/webhooks.
 */
import { z } from 'zod';
import type { ForgeRepository } from '../../plan/model/trigger.ts';
import {
  closing,
  deletion,
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
} from './event.ts';

const person = z.object({ login: nameText.optional(), username: nameText.optional() });
const page = { html_url: words, private: flag, description: words };
const repository = z.object({
  ...page,
  id: idValue,
  full_name: nameText,
  default_branch: refText.optional(),
  clone_url: z.string().max(2_000).optional(),
});
const push = z.object({
  ref: refText,
  before: shaText,
  after: shaText,
  head_commit: z.object({ id: shaText, message: z.string() }).nullish(),
  repository,
  sender: person.optional(),
});
/** Gitea reports a deleted branch in no other way. */
const deleted = z.object({
  ref: refText,
  ref_type: z.string(),
  repository,
  sender: person.optional(),
});
const side = z.object({
  ref: refText,
  sha: shaText,
  /** `owner:branch`; empty for Gitea's AGit requests. */
  label: z.string().nullish().catch(undefined),
  /** Null if the fork was deleted. */
  repo: z.object({ ...page, id: idValue, full_name: label }).nullish(),
});
const pull = z.object({
  action: z.string(),
  number: z.number().int().min(1),
  before: shaText.optional(),
  pull_request: z.object({
    title: z.string(),
    head: side,
    base: side.omit({ sha: true }),
    user: person.nullish().catch(undefined),
    id: idValue.nullish().catch(undefined),
    body: words,
    draft: flag,
    labels: labelList('name'),
    assignees: labelList('login'),
    milestone: z.object({ title: label }).nullish().catch(undefined),
  }),
  repository,
  sender: person.optional(),
});
/**
 * Actions with new commits; all others (labels, reviews, edits) start nothing. Gitea sends `synchronized`.
 */
const NEW_COMMITS = ['opened', 'reopened', 'synchronize', 'synchronized'];

/**
 * `event`: X-GitHub-Event or X-Gitea-Event. Throws a ZodError if the payload does not have the form of the
 * event.
 */
export function githubEvent(event: string, payload: unknown): ForgeEvent {
  if (event === 'push') return pushOf(push.parse(payload));
  if (event === 'delete') return deleteOf(deleted.parse(payload));
  if (event === 'pull_request') return pullOf(pull.parse(payload));
  return ignored(`Events of kind "${event.slice(0, 40)}" start nothing.`);
}

const actorOf = (sender: z.output<typeof person> | undefined): string =>
  sender?.login ?? sender?.username ?? 'unknown';

const pushOf = (payload: z.output<typeof push>): ForgeEvent =>
  pushEvent({
    repository: payload.repository.full_name,
    ref: payload.ref,
    before: payload.before,
    after: payload.after,
    commit: payload.head_commit?.id,
    message: payload.head_commit?.message,
    actor: actorOf(payload.sender),
    defaultBranch: payload.repository.default_branch,
    cloneUrl: payload.repository.clone_url,
    forgeRepository: repositoryOf(payload.repository),
  });

/** A deleted tag is a push, too, which names what it pointed at. */
function deleteOf({
  ref,
  ref_type,
  repository: { full_name },
  sender,
}: z.output<typeof deleted>): ForgeEvent {
  const about = { ref, sender: actorOf(sender) };
  return ref_type === 'branch'
    ? deletion(full_name, { refKind: 'branch', ref }, about)
    : ignored('The push event reports the deleted tag.', full_name, about);
}

/** The facts that both forges send about a repository. */
const repositoryOf = (sent: NonNullable<z.output<typeof side>['repo']>): ForgeRepository =>
  known({
    id: String(sent.id),
    path: sent.full_name,
    url: sent.html_url,
    description: sent.description,
    visibility:
      sent.private === undefined || sent.private === null ? undefined : sent.private ? 'private' : 'public',
  });

function pullOf(payload: z.output<typeof pull>): ForgeEvent {
  const { pull_request: request, repository: into } = payload;
  const ref = `refs/pull/${payload.number}/head`;
  const about = { ref, sha: request.head.sha, sender: actorOf(payload.sender) };
  if (payload.action === 'closed') return closing(into.full_name, ref, about);
  if (!NEW_COMMITS.includes(payload.action))
    return ignored(
      `A pull request event "${payload.action.slice(0, 40)}" has no new commits.`,
      into.full_name,
      about,
    );
  return mergeEvent({
    repository: into.full_name,
    iid: payload.number,
    ref,
    sha: request.head.sha,
    before: payload.before,
    sourceBranch: request.head.ref,
    targetBranch: request.base.ref,
    title: request.title,
    actor: actorOf(payload.sender),
    fromOutside: request.head.ref.startsWith('refs/') || request.head.label === '',
    from: request.head.repo?.id,
    into: into.id,
    defaultBranch: into.default_branch,
    cloneUrl: into.clone_url,
    forgeRepository: repositoryOf(into),
    facts: known({
      id: request.id === undefined || request.id === null ? undefined : String(request.id),
      author: request.user?.login ?? request.user?.username,
      description: request.body,
      labels: request.labels,
      assignees: request.assignees,
      milestone: request.milestone?.title,
      draft: request.draft,
      source: request.head.repo && repositoryOf(request.head.repo),
      target: request.base.repo && repositoryOf(request.base.repo),
    }),
  });
}
