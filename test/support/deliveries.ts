/**
 * Deliveries as the forges send them: headers, body, signature. Most fields that davit does not read are left
 * out.
 */
import { createHmac, randomUUID } from 'node:crypto';

export type Forge = 'gitlab' | 'github' | 'gitea';
export interface Delivery {
  headers: Record<string, string>;
  body: string;
}
export const SHA = { a: 'a'.repeat(40), b: 'b'.repeat(40), zero: '0'.repeat(40) };

const repository = {
  id: 1,
  full_name: 'group/table',
  default_branch: 'main',
  clone_url: 'https://forge.test/group/table.git',
};
const project = {
  id: 1,
  path_with_namespace: 'group/table',
  default_branch: 'main',
  git_http_url: 'https://forge.test/group/table.git',
};

/** Signs a payload as the forge does. */
export function deliver(
  forge: Forge,
  event: string,
  options: { payload: unknown; secret: string },
): Delivery {
  return sign(forge, event, { body: JSON.stringify(options.payload), secret: options.secret });
}
export function sign(
  forge: Forge,
  event: string,
  { body, secret }: { body: string; secret: string },
): Delivery {
  const mac = createHmac('sha256', secret).update(body).digest('hex');
  const own: Record<Forge, Record<string, string>> = {
    github: {
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${mac}`,
    },
    gitea: { 'x-gitea-event': event, 'x-gitea-delivery': randomUUID(), 'x-gitea-signature': mac },
    gitlab: { 'x-gitlab-event': event, 'x-gitlab-event-uuid': randomUUID(), 'x-gitlab-token': secret },
  };
  return { body, headers: { 'content-type': 'application/json', ...own[forge] } };
}

export interface PushOf {
  ref?: string;
  before?: string;
  after?: string;
  message?: string;
  repository?: string;
}
export function push(forge: Forge, of: PushOf = {}): { event: string; payload: Record<string, unknown> } {
  const { ref = 'refs/heads/main', before = SHA.a, after = SHA.b, message = 'a change\n\nwith words' } = of;
  const commit =
    after === SHA.zero ? null : { id: after, message, author: { name: 'forged', email: 'root@x' } };
  if (forge === 'gitlab') {
    const kind = ref.startsWith('refs/tags/') ? 'tag_push' : 'push';
    const path_with_namespace = of.repository ?? project.path_with_namespace;
    return {
      event: 'Push Hook',
      payload: {
        object_kind: kind,
        ref,
        before,
        after,
        checkout_sha: commit?.id ?? null,
        user_username: 'ada',
        user_name: 'not a login',
        project: { ...project, path_with_namespace },
        commits: commit ? [commit] : [],
      },
    };
  }
  return {
    event: 'push',
    payload: {
      ref,
      before,
      after,
      head_commit: commit,
      repository: { ...repository, full_name: of.repository ?? repository.full_name },
      sender: { login: 'ada' },
      pusher: { name: 'not a login' },
    },
  };
}

/** `from`: id of the head repository; null when it is gone. */
export function merge(
  forge: Forge,
  of: { action?: string; from?: number | null; message?: string } = {},
): { event: string; payload: Record<string, unknown> } {
  const from = of.from === undefined ? 1 : of.from;
  if (forge === 'gitlab')
    return {
      event: 'Merge Request Hook',
      payload: {
        object_kind: 'merge_request',
        user: { username: 'ada' },
        project,
        object_attributes: {
          iid: 3,
          action: of.action ?? 'open',
          title: 'Better legs',
          source_branch: 'legs',
          target_branch: 'main',
          source_project_id: from,
          target_project_id: 1,
          last_commit: { id: SHA.b, message: of.message ?? 'legs' },
        },
      },
    };
  return {
    event: 'pull_request',
    payload: {
      action: of.action ?? 'opened',
      number: 3,
      pull_request: {
        title: 'Better legs',
        head: { ref: 'legs', sha: SHA.b, repo: from === null ? null : { id: from } },
        base: { ref: 'main', sha: SHA.a, repo: { id: 1 } },
      },
      repository,
      sender: { login: 'ada' },
    },
  };
}
