/**
 * Whose images a project may use. The installation's own registry has one account for all, so davit itself keeps
 * its projects apart there: by the first part of the repository, which is the name of a project, or with
 * `paths: repository` by the project's name at the forge. Pure.
 */
import { parseImageName } from './image-name.ts';

/** Who wants to use an image. */
export interface ImageAsk {
  project: string;
  /** The job is of a fork: it gets its own and public things. */
  fork: boolean;
  /** The working tree of the operator of the server's own machine. */
  local?: boolean | undefined;
}
export interface ImageRules {
  registries: readonly ({ host: string; default?: boolean } & RegistryPaths)[];
  projects: readonly ({ name: string; images_to?: readonly string[] } & Placed)[];
}
/** How a registry names the place of a project: by its name here, or by its name at the forge. */
export interface RegistryPaths {
  paths?: 'project' | 'repository' | undefined;
}
interface Placed {
  name: string;
  /** Its name at the forge. */
  repository?: string | undefined;
}

/** The place of a project's images below a registry: `shop`, or `acme/shop` at a forge's own registry. */
export const rootOf = ({ paths }: RegistryPaths, { name, repository }: Placed): string =>
  paths === 'repository' && repository !== undefined ? repository.toLowerCase() : name;

/** The project with this place, or whose place is the nearest above it; empty: of no project. */
function ownerOf(repository: string, registry: RegistryPaths, projects: readonly Placed[]): string {
  const above = projects
    .map((project) => ({ name: project.name, root: rootOf(registry, project) }))
    .filter(({ root }) => repository === root || repository.startsWith(`${root}/`))
    .toSorted((a, b) => b.root.length - a.root.length);
  if (above[0]) return above[0].name;
  // A project that the installation file does not have, such as the folder of a `davit run`.
  return registry.paths === 'repository' ? '' : (repository.split('/')[0] ?? '');
}

/** Where the images of forks are, below the registry: `forks/PROJECT`. */
export const FORKS = 'forks';

/** Why the image may not be used; undefined when the registry decides. Throws `registry/name`. */
export function imageRefusal(image: string, ask: ImageAsk, rules: ImageRules): string | undefined {
  if (ask.local) return undefined;
  const { host, repository } = parseImageName(image);
  const own = rules.registries.find((one) => one.default) ?? rules.registries[0];
  if (host !== own?.host) return undefined;
  const [first = '', second = ''] = repository.split('/');
  const ofForks = first === FORKS && second !== '';
  const owner = ofForks ? second : ownerOf(repository, own, rules.projects);
  if (owner === ask.project && (!ask.fork || ofForks)) return undefined;
  const known = rules.projects.find((one) => one.name === owner);
  const gives = known?.images_to ?? [];
  if (gives.includes('*') || (!ask.fork && gives.includes(ask.project))) return undefined;
  if (known && owner !== ask.project)
    return `The image ${image} is of the project ${owner}, which does not give its images to ${ask.fork ? 'forks' : ask.project} (images_to of the project ${owner}).`;
  if (!ask.fork || !(known || isLoopback(host))) return undefined;
  return `The image ${image} is not public, and a pipeline of a fork gets public images only.`;
}

const isLoopback = (host: string): boolean => /^(?:127\.|localhost(?::|$)|\[::1\])/.test(host);

/** Whether the name means one of these names of an image, and not the beginning of an id. */
export function isNamed(name: string, names: readonly string[]): boolean {
  const wanted = full(name);
  return names.some((one) => full(one.replace(/^localhost\/(?=.)/, '')) === wanted || full(one) === wanted);
}

/** The digest under which an image of these repository digests was in the repository of the name. */
export function digestIn(name: string, repoDigests: readonly string[]): string | undefined {
  const { host, repository } = parseImageName(name);
  for (const text of repoDigests) {
    const one = parseImageName(text);
    if (one.host === host && one.repository === repository) return one.digest;
  }
  return undefined;
}

function full(name: string): string {
  const { host, repository, tag, digest } = parseImageName(name);
  return `${host}/${repository}${digest ? `@${digest}` : `:${tag ?? 'latest'}`}`;
}
