/** Where a forge has the API of a project, and how it takes a token (pure). */
import type { ProjectSlug } from '../../plan/model/ids.ts';

export type ForgeKind = 'gitlab' | 'github' | 'gitea';
export interface ForgeProject {
  name: ProjectSlug;
  kind: ForgeKind;
  /** Address of the forge, without credentials. */
  url: string;
  /** `group/project` */
  repository: string;
}

/** `path` below `/projects/:id` at GitLab, below `/repos/:owner/:repo` at GitHub and Gitea. */
export function apiUrl(project: ForgeProject, path: string): string {
  if (project.kind === 'gitlab')
    return join(project.url, `api/v4/projects/${encodeURIComponent(project.repository)}/${path}`);
  const base = project.kind === 'gitea' ? join(project.url, 'api/v1') : githubApi(project.url);
  return join(base, `repos/${project.repository.split('/').map(encodeURIComponent).join('/')}/${path}`);
}

export function headersOf({ kind }: ForgeProject, token: string): Record<string, string> {
  if (kind === 'gitlab') return { 'private-token': token };
  if (kind === 'gitea') return { authorization: `token ${token}` };
  return { authorization: `Bearer ${token}`, accept: 'application/vnd.github+json' };
}

/** github.com has its API on a separate host; an Enterprise server below /api/v3. */
function githubApi(url: string): string {
  const host = new URL(url).host;
  if (host === 'github.com' || host === 'api.github.com') return 'https://api.github.com';
  return new URL(url).pathname === '/' ? join(url, 'api/v3') : url;
}

const join = (base: string, path: string): string => `${base.replace(/\/+$/, '')}/${path}`;
