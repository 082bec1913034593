/**
 * What a credential may do in davit's own registry, by repository. Pure; the server asks it for every token.
 *
 * Invariants:
 *   ACCESS-1 A project pushes below its own name. What only davit writes (pipelines, caches) is pushed with
 *            credentials that name the repository, and never with those of a script.
 *   ACCESS-2 What protected refs rely on is written by protected refs.
 *   ACCESS-3 A fork pushes nothing by itself, and pulls its own images and those that are for all.
 *   ACCESS-4 Only an operator deletes, and lists all repositories.
 *   ACCESS-5 A deploy token pulls one repository; so does a worker that fetches an image for itself.
 */
import { FORKS, imageRefusal } from './image-permission.ts';
import { type Area, pushRefusal, RESERVED } from './project-repositories.ts';

export const REGISTRY_ACTIONS = ['pull', 'push', 'delete'] as const;
export type RegistryAction = (typeof REGISTRY_ACTIONS)[number];

/** For whose job. */
export interface JobAsker {
  project: string;
  protectedRef: boolean;
  fork: boolean;
  /** The working tree of the operator of the server's own machine. */
  local?: boolean | undefined;
}
/** Who holds a credential. */
export type RegistrySubject =
  /** `writes`: repositories that davit itself writes for the job; a script's credential has none. */
  | { kind: 'job'; job: JobAsker; writes?: readonly string[] | undefined }
  | { kind: 'deploy'; repository: string }
  | { kind: 'user'; role: 'reader' | 'developer' | 'operator' };

export interface RegistryRules {
  /** `HOST[:PORT]` of davit's own registry. */
  host: string;
  projects: readonly { name: string; images_to?: readonly string[]; push_to?: readonly string[] }[];
}

/** `repository` is without the host. */
export function registryActions(
  subject: RegistrySubject,
  repository: string,
  rules: RegistryRules,
): ReadonlySet<RegistryAction> {
  if (subject.kind === 'deploy') return new Set(subject.repository === repository ? ['pull'] : []);
  if (subject.kind === 'user') return new Set(subject.role === 'operator' ? REGISTRY_ACTIONS : ['pull']);
  const { job, writes = [] } = subject;
  const actions = new Set<RegistryAction>();
  const mayWrite = writes.includes(repository)
    ? writeRefusal(job, repository, rules) === undefined
    : !job.fork && scriptRefusal(job, repository, rules) === undefined;
  if (mayWrite) actions.add('push');
  if (mayWrite || mayPull(job, repository, rules)) actions.add('pull');
  return actions;
}

/** `registry:catalog:*`: the names of all repositories. */
export const mayList = (subject: RegistrySubject): boolean =>
  subject.kind === 'user' && subject.role === 'operator';

/** Why davit does not write there for the job; undefined when it does. */
export function writeRefusal(job: JobAsker, repository: string, rules: RegistryRules): string | undefined {
  const [first, second, third] = repository.split('/');
  const refused = `davit does not write to ${repository} for a job of ${job.project}.`;
  if (job.fork) return first === FORKS && second === job.project ? undefined : refused;
  if (first !== job.project) return scriptRefusal(job, repository, rules);
  const area: Area = job.protectedRef ? 'protected' : 'branches';
  const inArea = second !== undefined && RESERVED.includes(second);
  return inArea && third !== area && !job.local ? refused : undefined;
}

const scriptRefusal = (
  job: JobAsker,
  repository: string,
  { host, projects }: RegistryRules,
): string | undefined =>
  pushRefusal(
    `${host}/${repository}`,
    { project: job.project, registry: host },
    {
      pushTo: projects.find((one) => one.name === job.project)?.push_to ?? [],
      local: job.local,
    },
  );

function mayPull(job: JobAsker, repository: string, rules: RegistryRules): boolean {
  const { host, projects } = rules;
  const ask = { registries: [{ host, default: true }], projects };
  if (imageRefusal(`${host}/${repository}`, job, ask) !== undefined) return false;
  if (job.local) return true;
  const [first = '', second = ''] = repository.split('/');
  const owner = first === FORKS ? second : first;
  const forAll = projects.find((one) => one.name === owner)?.images_to?.includes('*') ?? false;
  if (job.fork) return forAll || (first === FORKS && owner === job.project);
  // Of a project, even if no file names it.
  const isOwned = first === FORKS || RESERVED.includes(second);
  return !isOwned || owner === job.project || givesTo(projects, owner, job.project);
}

const givesTo = (projects: RegistryRules['projects'], owner: string, to: string): boolean =>
  projects.some(
    ({ name, images_to = [] }) => name === owner && (images_to.includes('*') || images_to.includes(to)),
  );
