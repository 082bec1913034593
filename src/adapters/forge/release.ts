/** The release request of each forge (pure). */
import type { ReleaseSpec } from '../../plan/model/spec.ts';
import { apiUrl, headersOf, type ForgeProject } from './project-api.ts';
import type { ForgeCall } from './send.ts';

/**
 * GitLab `GET /projects/:id/releases/:tag`, GitHub and Gitea `GET /repos/:owner/:repo/releases/tags/:tag`.
 */
export function findCall(project: ForgeProject, tag: string, token: string): ForgeCall {
  const last = encodeURIComponent(tag);
  const path = project.kind === 'gitlab' ? last : `tags/${last}`;
  return { method: 'GET', url: `${releasesUrl(project)}/${path}`, headers: headersOf(project, token) };
}

/** `POST` to the releases of the project, with the fields that its forge documents. */
export function makeCall(project: ForgeProject, release: ReleaseSpec, token: string): ForgeCall {
  const body = project.kind === 'gitlab' ? gitlabBody(release) : githubBody(project, release);
  return { method: 'POST', url: releasesUrl(project), headers: headersOf(project, token), body };
}

/** Parts of a release that a forge has no field for; its links go into the text. */
export function unsupportedParts({ kind }: ForgeProject, release: ReleaseSpec): string[] {
  if (kind === 'gitlab') return [];
  return [
    ...(kind === 'github' && release.tagMessage !== undefined ? ['tag_message'] : []),
    ...(release.milestones.length > 0 ? ['milestones'] : []),
    ...(release.releasedAt === undefined ? [] : ['released_at']),
  ];
}

const gitlabBody = (release: ReleaseSpec): Record<string, unknown> => ({
  tag_name: release.tagName,
  name: release.name ?? release.tagName,
  description: release.description,
  ref: release.ref,
  ...(release.tagMessage !== undefined && { tag_message: release.tagMessage }),
  ...(release.milestones.length > 0 && { milestones: release.milestones }),
  ...(release.releasedAt !== undefined && { released_at: release.releasedAt }),
  ...(release.links.length > 0 && {
    assets: {
      links: release.links.map(({ name, url, filepath, type }) => ({
        name,
        url,
        ...(filepath !== undefined && { direct_asset_path: filepath }),
        ...(type !== undefined && { link_type: type }),
      })),
    },
  }),
});

function githubBody({ kind }: ForgeProject, release: ReleaseSpec): Record<string, unknown> {
  const links = release.links.map(({ name, url }) => `- [${name}](${url})`);
  return {
    tag_name: release.tagName,
    target_commitish: release.ref,
    name: release.name ?? release.tagName,
    body: links.length === 0 ? release.description : `${release.description}\n\n${links.join('\n')}`,
    ...(kind === 'gitea' && release.tagMessage !== undefined && { tag_message: release.tagMessage }),
  };
}

const releasesUrl = (project: ForgeProject): string => apiUrl(project, 'releases');
