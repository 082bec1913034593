/**
 * Which repository an include names, and whether this pipeline may read it (pure). Invariants:
 *   REPOSITORY-1 A token is sent only to the repository that the operator configured it for, or, with
 *             `forge_projects`, to another path of the same address.
 *   REPOSITORY-2 A fork's pipeline reads its own project and projects that the operator made public, nothing
 *             else: anyone who can open a merge request controls its file.
 */
import type { Installation, InstallationProject } from '../../installation.ts';
import type { IncludeRefusal, IncludeRepository } from '../../plan/model/includes.ts';
import { wildcardMatches } from '../../match/wildcard.ts';
import type { IncludeReader } from '../ports.ts';

export interface IncludeSettings {
  projects: readonly InstallationProject[];
  includes: Installation['includes'];
  /** Public address of davit's server; its host is CI_SERVER_FQDN. */
  url: string;
}
/** Where a repository is fetched from, and the credentials for it. */
export interface Readable {
  url: string;
  owner: InstallationProject;
}
/** A path at a forge: groups and a project. */
const PATH = /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)+$/;

export function readable(
  repository: IncludeRepository,
  reader: Pick<IncludeReader, 'project' | 'fork'>,
  settings: IncludeSettings,
): Readable | IncludeRefusal {
  const { projects } = settings;
  const own = projects.find((project) => project.name === reader.project);
  const named = projects.filter((project) => isCalled(project, repository, settings));
  const found = named.find((one) => one === own) ?? named.find((one) => sameForge(one, own)) ?? named[0];
  if (!found) return atForge(repository, { reader, own, settings });
  const refusal = mayNot(found, reader);
  if (refusal !== undefined) return refuse(refusal);
  if (found.clone_url === undefined)
    return refuse(`The installation file has no clone_url for the project ${found.name}.`);
  return { url: found.clone_url, owner: found };
}

function isCalled(
  project: InstallationProject,
  { path, host }: IncludeRepository,
  settings: IncludeSettings,
): boolean {
  const wanted = path.toLowerCase();
  if (project.repository?.toLowerCase() !== wanted && project.name !== wanted) return false;
  if (host === undefined || host === hostOf(settings.url)) return true;
  return host === hostOf(project.forge_url) || host === hostOf(project.clone_url);
}

const sameForge = (one: InstallationProject, own: InstallationProject | undefined): boolean =>
  own?.forge_url !== undefined && one.forge_url === own.forge_url;

function mayNot(found: InstallationProject, { project, fork }: IncludeAsker): string | undefined {
  if (found.name === project) return undefined;
  if (fork && !found.include_by_forks)
    return `The pipeline of a fork must not include files of the project ${found.name}.`;
  if (!fork && !found.include_by.some((pattern) => wildcardMatches(pattern, project)))
    return `The project ${found.name} does not let ${project} include its files.`;
  return undefined;
}
type IncludeAsker = Pick<IncludeReader, 'project' | 'fork'>;

interface AtForge {
  reader: IncludeAsker;
  own: InstallationProject | undefined;
  settings: IncludeSettings;
}

/** A repository that is not in the installation file, at the same forge as the including project. */
function atForge(
  { path, host }: IncludeRepository,
  { reader, own, settings }: AtForge,
): Readable | IncludeRefusal {
  const shown = host === undefined ? path : `${host}/${path}`;
  const unknown = refuse(
    `There is no project ${shown} in the installation that ${reader.project} may include files of.`,
    'An operator can add it to projects in the installation file, or allow its group with includes.forge_projects.',
  );
  const base = own && baseOf(own);
  if (reader.fork || !own || base === undefined || !PATH.test(path) || path.includes('..')) return unknown;
  if (!settings.includes.forge_projects.some((pattern) => wildcardMatches(pattern, path))) return unknown;
  if (host !== undefined && host !== hostOf(settings.url) && host !== hostOf(own.forge_url ?? own.clone_url))
    return unknown;
  return { url: `${base}${path}.git`, owner: own };
}

/** The part of the clone address before the project's own path. */
function baseOf({ clone_url: url, repository }: InstallationProject): string | undefined {
  if (url === undefined || repository === undefined) return undefined;
  const bare = url.replace(/\/+$/, '').replace(/\.git$/, '');
  return bare.endsWith(`/${repository}`) || bare.endsWith(`:${repository}`)
    ? bare.slice(0, -repository.length)
    : undefined;
}

function hostOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const scp = /^[\w.-]+@([\w.-]+):/.exec(url)?.[1];
  return scp ?? (URL.canParse(url) ? new URL(url).host : undefined);
}

const refuse = (message: string, hint?: string): IncludeRefusal => ({
  code: 'include/refused',
  message,
  ...(hint !== undefined && { hint }),
});
