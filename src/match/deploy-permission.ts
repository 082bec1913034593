/**
 * Who may deploy where, by the installation file alone: the file of a branch cannot extend it. Checked when a
 * pipeline is compiled, so that people learn it at once, and again by the worker of the target. Pure.
 */
import { listRefusal, type AskedService, type TargetList, type TargetLists } from './target-lists.ts';
import { wildcardMatches } from './wildcard.ts';

/** `protected`: protected refs, and the operator of the server's own machine. Else patterns of refs. */
export type RefRule = 'protected' | 'any' | readonly string[];

export interface TargetRules extends TargetLists {
  name: string;
  projects?: readonly string[];
  services?: readonly string[];
  refs?: RefRule;
}
/** What an approval of a deployment is for: the entry of its target, whatever the order of its keys. */
export const targetText = (
  target:
    | (Partial<TargetRules> & { kind?: string; docker?: string | undefined; adopt?: boolean })
    | undefined,
): string => {
  const { name, kind, docker, projects, services, refs, networks, adopt } = target ?? {};
  return JSON.stringify([name, kind, docker, projects, services, refs, networks, adopt]);
};

export interface DeployAsk {
  project: string;
  ref: string;
  protectedRef: boolean;
  fork: boolean;
  /** By the operator of the machine that the server runs on. */
  local?: boolean | undefined;
}

export const refAllowed = (rule: RefRule, ask: DeployAsk): boolean => {
  if (ask.fork) return false;
  if (rule === 'any') return true;
  if (rule === 'protected') return ask.protectedRef || ask.local === true;
  return rule.some((pattern) => wildcardMatches(pattern, ask.ref));
};

/** Why the target may not be deployed to; undefined when it may. */
export function deployRefusal(
  target: TargetRules,
  ask: DeployAsk & { places?: Partial<Record<TargetList, readonly string[]>> | undefined },
  swarm: AskedService & { service: string },
): string | undefined {
  const { name, projects = ['*'], services = ['*'], refs = 'protected' } = target;
  const matches = (patterns: readonly string[], text: string): boolean =>
    patterns.some((pattern) => wildcardMatches(pattern, text));
  if (!matches(projects, ask.project)) return `The target ${name} takes no deployments of ${ask.project}.`;
  if (!refAllowed(refs, ask))
    return refs === 'protected'
      ? `The target ${name} takes deployments of protected refs only, and ${ask.ref} is not protected.`
      : `The target ${name} takes no deployments of ${ask.ref}.`;
  if (!matches(services, swarm.service)) return `The target ${name} takes no service ${swarm.service}.`;
  return listRefusal(target, swarm, ask.places);
}

/** The reason why the service at the target may not be replaced; undefined if it may. */
export function takeoverRefusal(
  { adopt, name }: { adopt?: boolean | undefined; name: string },
  found: { exists: boolean; owner?: string | undefined },
  { project, service }: { project: string; service: string },
): string | undefined {
  if (!found.exists || found.owner === project || adopt) return undefined;
  const whose = found.owner === undefined ? 'was not made by davit' : `is of the project ${found.owner}`;
  return `The service ${service} at ${name} ${whose}, so ${project} may not replace it. An operator allows it with adopt: true at the target.`;
}

export interface EnvironmentRules {
  refs: RefRule;
  approvers: readonly string[];
  count: number;
  four_eyes: boolean;
}
/** What all entries that match an environment ask for together. */
export interface EnvironmentProtection {
  refusal?: string;
  /** One list for each entry that asks for approvals. */
  approvals: { approvers: string[]; count: number }[];
  fourEyes: boolean;
}

export function environmentProtection(
  entries: Readonly<Record<string, EnvironmentRules>>,
  environment: string,
  ask: DeployAsk,
): EnvironmentProtection | undefined {
  const found = Object.entries(entries).filter(([pattern]) => wildcardMatches(pattern, environment));
  if (found.length === 0) return undefined;
  const closed = found.some(([, entry]) => !refAllowed(entry.refs, ask));
  const fourEyes = found.some(([, entry]) => entry.four_eyes);
  const approvals = found
    .map(([, entry]) => ({
      approvers: [...entry.approvers],
      count: Math.max(entry.count, entry.approvers.length > 0 || entry.four_eyes ? 1 : 0),
    }))
    .filter((one) => one.count > 0);
  const refusal = `The environment ${environment} takes no deployments of ${ask.ref} (environments of the project).`;
  return { ...(closed && { refusal }), approvals, fourEyes };
}
