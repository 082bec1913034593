/**
 * The open merge requests of a project: `merge_requests?state=opened` of GitLab, `pulls?state=open` of GitHub and Gitea,
 * the last changed first, at most `MAX_PAGES` pages. Rejects with `forge/away`, and with `forge/refused` if an answer is
 * not a list. A request that lacks what davit needs is left out.
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { titleOf } from '../../plan/model/text.ts';
import type { Trigger } from '../../plan/model/trigger.ts';
import type { OpenRequest } from '../ports.ts';
import { apiUrl, headersOf, type ForgeProject } from './project-api.ts';
import type { SendCall } from './protection.ts';
import { reasonIn } from './send.ts';

const MAX_PAGES = 10;
/** Gitea gives no more than 50 by default, whatever is asked for. */
const PAGE = 50;
const MAX_TITLE = 255;
/** GitLab's limit of CI_MERGE_REQUEST_DESCRIPTION. */
const MAX_DESCRIPTION = 2_700;
const MAX_NAMES = 50;

const QUERIES = {
  gitlab: 'merge_requests?state=opened&order_by=updated_at&sort=desc',
  github: 'pulls?state=open&sort=updated&direction=desc',
  gitea: 'pulls?state=open&sort=recentupdate',
} as const;

export async function readOpenRequests(
  project: ForgeProject,
  send: SendCall,
  token: string,
): Promise<{ requests: OpenRequest[]; complete: boolean }> {
  const requests: OpenRequest[] = [];
  const headers = headersOf(project, token);
  for (let page = 1; page <= MAX_PAGES; page++) {
    // The page's number is counted here: an address that the forge names could lead the token elsewhere.
    const path = `${QUERIES[project.kind]}&per_page=${PAGE}&limit=${PAGE}&page=${page}`;
    const { status, body, more } = await send({ method: 'GET', url: apiUrl(project, path), headers });
    if (status < 200 || status > 299 || !Array.isArray(body))
      throw new DavitError(
        'forge/refused',
        `The open merge requests of ${project.repository} could not be read: ${status}${reasonIn(body)}.`,
        { hint: 'forge_token may need the right to read merge requests: docs/forges has its scopes.' },
      );
    for (const one of body) {
      const read = project.kind === 'gitlab' ? ofGitlab(one, project) : ofPull(one);
      if (read) requests.push(read);
    }
    if (!more) return { requests, complete: true };
  }
  return { requests, complete: false };
}

const sha = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
const name = z.string().min(1).max(512);
const words = z.string().nullish().catch(undefined);
const id = z.union([z.number(), z.string()]);
const flag = z.boolean().nullish().catch(undefined);
const names = <K extends string>(key: K) =>
  z
    .array(z.object({ [key]: z.string() }).transform((one) => String(Object.values(one)[0])))
    .nullish()
    .catch(undefined);

const gitlabRequest = z.object({
  iid: z.number().int().min(1),
  id: id.nullish().catch(undefined),
  sha,
  title: z.string(),
  description: words,
  source_branch: name,
  target_branch: name,
  source_project_id: id.nullish(),
  target_project_id: id.nullish(),
  author: z.object({ username: name }).nullish().catch(undefined),
  labels: z.array(z.string()).nullish().catch(undefined),
  assignees: names('username'),
  milestone: z.object({ title: z.string() }).nullish().catch(undefined),
  draft: flag,
  squash: flag,
});

function ofGitlab(body: unknown, project: ForgeProject): OpenRequest | undefined {
  const read = gitlabRequest.safeParse(body);
  if (!read.success) return undefined;
  const { data } = read;
  const { source_project_id: from, target_project_id: into } = data;
  const fork = from === undefined || from === null || String(from) !== String(into);
  return {
    ref: `refs/merge-requests/${data.iid}/head`,
    sha: data.sha,
    title: titleOf(data.title),
    author: data.author?.username ?? 'unknown',
    fork,
    mergeRequest: facts({
      ...data,
      sourceBranch: data.source_branch,
      targetBranch: data.target_branch,
      author: data.author?.username,
      source: fork ? { id: idText(from) } : { id: idText(from), path: project.repository },
      target: { id: idText(into), path: project.repository },
    }),
  };
}

const side = z.object({
  ref: name,
  label: words,
  repo: z.object({ id, full_name: words }).nullish(),
});
const pull = z.object({
  number: z.number().int().min(1),
  id: id.nullish().catch(undefined),
  title: z.string(),
  body: words,
  head: side.extend({ sha }),
  base: side,
  user: z
    .object({ login: z.string().optional(), username: z.string().optional() })
    .nullish()
    .catch(undefined),
  labels: names('name'),
  assignees: names('login'),
  milestone: z.object({ title: z.string() }).nullish().catch(undefined),
  draft: flag,
});

function ofPull(body: unknown): OpenRequest | undefined {
  const read = pull.safeParse(body);
  if (!read.success) return undefined;
  const { data } = read;
  const { head, base, user } = data;
  // As in deliveries: a request that was made without the right to push (AGit) names the target as its source.
  const outside = head.ref.startsWith('refs/') || head.label === '';
  const fork = outside || !head.repo || String(head.repo.id) !== String(base.repo?.id);
  const author = user?.login ?? user?.username;
  const repository = (of: z.output<typeof side>['repo']) =>
    of ? { id: idText(of.id), path: of.full_name ?? undefined } : undefined;
  return {
    ref: `refs/pull/${data.number}/head`,
    sha: head.sha,
    title: titleOf(data.title),
    author: author ?? 'unknown',
    fork,
    mergeRequest: facts({
      ...data,
      iid: data.number,
      sha: head.sha,
      description: data.body,
      sourceBranch: head.ref,
      targetBranch: base.ref,
      author,
      source: repository(head.repo),
      target: repository(base.repo),
    }),
  };
}

interface Facts {
  iid: number;
  sha: string;
  title: string;
  id?: string | number | null | undefined;
  description?: string | null | undefined;
  sourceBranch: string;
  targetBranch: string;
  author?: string | undefined;
  labels?: readonly string[] | null | undefined;
  assignees?: readonly string[] | null | undefined;
  milestone?: { title: string } | null | undefined;
  draft?: boolean | null | undefined;
  squash?: boolean | null | undefined;
  source?: { id?: string | undefined; path?: string | undefined } | undefined;
  target?: { id?: string | undefined; path?: string | undefined } | undefined;
}

/** Texts are cut and lists bounded, because they are stored in a workflow's history. */
function facts(of: Facts): NonNullable<Trigger['mergeRequest']> {
  const { description } = of;
  const list = (given: readonly string[] | null | undefined): string[] =>
    (given ?? []).slice(0, MAX_NAMES).map((text) => text.slice(0, MAX_TITLE));
  return known({
    iid: of.iid,
    sourceBranch: of.sourceBranch,
    targetBranch: of.targetBranch,
    sourceSha: of.sha,
    title: titleOf(of.title),
    id: idText(of.id),
    author: of.author,
    description: description?.slice(0, MAX_DESCRIPTION).toWellFormed(),
    descriptionCut: (description?.length ?? 0) > MAX_DESCRIPTION ? true : undefined,
    labels: of.labels?.length ? list(of.labels) : undefined,
    assignees: of.assignees?.length ? list(of.assignees) : undefined,
    milestone: of.milestone?.title.slice(0, MAX_TITLE),
    draft: of.draft ?? undefined,
    squash: of.squash ?? undefined,
    source: of.source && known(of.source),
    target: of.target && known(of.target),
  });
}

const idText = (of: string | number | null | undefined): string | undefined =>
  of === undefined || of === null ? undefined : String(of);

/** Without undefined fields. */
function known<T extends object>(values: T): T {
  // The keys are those of T.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
