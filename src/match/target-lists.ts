/**
 * What a pipeline may give to a service at a target: networks, ports, mounts, capabilities, secrets and configs, each a list of
 * globs in the installation file. Pure.
 */
import { wildcardMatches } from './wildcard.ts';

export const TARGET_LISTS = ['networks', 'ports', 'mounts', 'capabilities', 'secrets', 'configs'] as const;
export type TargetList = (typeof TARGET_LISTS)[number];
export type TargetLists = Partial<Record<TargetList, readonly string[] | undefined>>;

/** The part of a service's spec that the lists are about. */
export interface AskedService {
  networks: readonly string[];
  publish?: readonly { published: number }[];
  mounts?: readonly { source: string }[];
  capabilities?: readonly string[];
  secrets?: readonly string[];
  configs?: readonly string[];
}

/** Networks of the engine itself; a service in one of them is a process of the machine. */
const ENGINE_NETWORKS = ['host', 'bridge', 'none', 'ingress', 'docker_gwbridge'];
/** What a target allows that does not have the list. */
const UNLISTED: Record<TargetList, (item: string) => boolean> = {
  networks: (name) => !ENGINE_NETWORKS.includes(name),
  ports: () => true,
  mounts: () => false,
  capabilities: () => false,
  secrets: () => false,
  configs: () => false,
};
const WORDS: Record<TargetList, string> = {
  networks: 'network',
  ports: 'port',
  mounts: 'mount',
  capabilities: 'capability',
  secrets: 'secret',
  configs: 'config',
};

/** `CAP_NET_ADMIN`, `net_admin`: the same capability. */
export const capabilityName = (text: string): string => text.toUpperCase().replace(/^CAP_/, '');

function itemsOf(list: TargetList, asked: AskedService): readonly string[] {
  if (list === 'ports') return (asked.publish ?? []).map(({ published }) => String(published));
  if (list === 'mounts') return (asked.mounts ?? []).map(({ source }) => source);
  if (list === 'capabilities') return (asked.capabilities ?? []).map(capabilityName);
  return asked[list] ?? [];
}

/** Why the service may not have what it asks for; undefined when it may. `places`: where the file asks for each. */
export function listRefusal(
  target: TargetLists & { name: string },
  asked: AskedService,
  places: Partial<Record<TargetList, readonly string[]>> = {},
): string | undefined {
  for (const list of TARGET_LISTS) {
    const written = target[list];
    const patterns = list === 'capabilities' ? written?.map(capabilityName) : written;
    const allowed = (item: string): boolean =>
      patterns ? patterns.some((pattern) => wildcardMatches(pattern, item)) : UNLISTED[list](item);
    const items = itemsOf(list, asked);
    const index = items.findIndex((item) => !allowed(item));
    if (index < 0) continue;
    const place = places[list]?.[index];
    return `${place === undefined ? '' : `${place}: `}The target ${target.name} lets no pipeline give a service the ${WORDS[list]} ${items[index]}. An operator allows it by adding ${items[index]} to ${list} of the target.`;
  }
  return undefined;
}
