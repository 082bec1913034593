/**
 * Whose repository an include names, and whether this pipeline may read it (pure).
 *
 * Invariants: A1 a token is sent only to the repository that the operator wrote it beside, or, where `forge_projects` says so,
 * to another path of the same address. A2 a fork's pipeline reads its own project and what the operator calls public, nothing
 * else: whoever can open a merge request decides what stands in its file.
 */
import type { Installation, InstallationProject } from '../../installation.ts';
import type { IncludeRefusal, IncludeRepository } from '../../plan/model/includes.ts';
import { wildcardMatches } from '../../match/wildcard.ts';
import type { IncludeReader } from '../ports.ts';

export interface IncludeSettings {
  projects: readonly InstallationProject[];
  includes: Installation['includes'];
  /** Address people reach davit's server at: its host is CI_SERVER_FQDN. */
  url: string;
}
/** Where it is fetched from, and whose credentials open it. */
export interface Readable {
  url: string;
  owner: InstallationProject;
}
/** At a forge: groups and a project. */
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
    return refuse(`The installation file names no clone_url for the project ${found.name}.`);
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
    return `A pipeline of a fork may not include files of the project ${found.name}.`;
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

/** A repository that the installation file does not name, beside the one of the including project. */
function atForge(
  { path, host }: IncludeRepository,
  { reader, own, settings }: AtForge,
): Readable | IncludeRefusal {
  const shown = host === undefined ? path : `${host}/${path}`;
  const unknown = refuse(
    `The installation knows no project ${shown} that ${reader.project} may include files of.`,
    'An operator adds it to projects in the installation file, or allows its group by includes.forge_projects.',
  );
  const base = own && baseOf(own);
  if (reader.fork || !own || base === undefined || !PATH.test(path) || path.includes('..')) return unknown;
  if (!settings.includes.forge_projects.some((pattern) => wildcardMatches(pattern, path))) return unknown;
  if (host !== undefined && host !== hostOf(settings.url) && host !== hostOf(own.forge_url ?? own.clone_url))
    return unknown;
  return { url: `${base}${path}.git`, owner: own };
}

/** What stands before the project's own path in its clone address. */
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
