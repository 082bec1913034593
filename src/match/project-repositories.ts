/**
 * Where images of a project stand in a registry, and where it may push. A registry gives rights by repository and
 * never by tag, so what protected refs rely on has repositories of its own. Pure.
 *
 *   PROJECT, PROJECT/NAME             what push jobs write
 *   PROJECT/pipelines/AREA[/NAME]     what build jobs write, for later jobs of their pipeline
 *   PROJECT/cache/AREA[/NAME]         layers for later builds
 *   forks/PROJECT                     all that pipelines of forks write
 *
 * PROJECT is the project's name, or where the registry is a forge's (`paths: repository`) its name at the forge, because
 * those have no other place: `acme/shop`.
 */
import { FORKS } from './image-permission.ts';
import { wildcardMatches } from './wildcard.ts';

export interface ProjectRepositories {
  project: string;
  /** The installation's own registry. */
  registry: string;
  /** PROJECT, below the registry; absent: `project`. */
  root?: string | undefined;
  protectedRef: boolean;
}
export type Area = 'protected' | 'branches';

/** The parts behind a project's name that only davit writes. */
export const RESERVED: readonly string[] = ['pipelines', 'cache'];
const areaOf = ({ protectedRef }: ProjectRepositories): Area => (protectedRef ? 'protected' : 'branches');

/** What stands behind the project's own name: `/api`; undefined for a repository that is not below it. */
function behind(repository: string, { registry, project, root }: ProjectRepositories): string | undefined {
  const own = `${registry}/${root ?? project}`;
  if (repository === own) return '';
  return repository.startsWith(`${own}/`) ? repository.slice(own.length) : undefined;
}

/** Where a build pushes an image that is to end in this repository. */
export function pipelineRepository(repository: string, of: ProjectRepositories): string {
  const name = behind(repository, of);
  return name === undefined
    ? repository
    : `${of.registry}/${of.root ?? of.project}/pipelines/${areaOf(of)}${name}`;
}

/** Where a build of this repository keeps its layers. */
export function cacheRepository(
  repository: string,
  of: ProjectRepositories,
  area: Area = areaOf(of),
): string {
  const name = behind(repository, of) ?? `/${repository.replace(':', '-')}`;
  return `${of.registry}/${of.root ?? of.project}/cache/${area}${name}`;
}

/** Why a job may not push there; undefined when it may. `pushTo`: of the installation file. */
export function pushRefusal(
  repository: string,
  of: Pick<ProjectRepositories, 'project' | 'registry' | 'root'>,
  { pushTo, local }: { pushTo: readonly string[]; local?: boolean | undefined },
): string | undefined {
  const path = repository.startsWith(`${of.registry}/`)
    ? repository.slice(of.registry.length + 1)
    : undefined;
  const { root = of.project } = of;
  const parts = path?.split('/') ?? [];
  if (RESERVED.includes(parts[root.split('/').length] ?? ''))
    return `${repository} is a repository that only davit writes to.`;
  if (parts[0] === FORKS && parts.length > 1) return `${repository} is for pipelines of forks.`;
  if (path !== undefined && (path === root || path.startsWith(`${root}/`))) return undefined;
  if (local || pushTo.some((pattern) => wildcardMatches(pattern, repository))) return undefined;
  return `The project ${of.project} pushes to ${of.registry}/${root} and below, not to ${repository}.`;
}
