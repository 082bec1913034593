/**
 * The registries of the installation file: which one serves a name, and its credentials. Never those of
 * another host.
 */
import { DavitError } from '../../errors.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import { readAuthority } from '../authorities.ts';
import type { Registries, Registry, RegistryAuth, Secrets } from '../ports.ts';
import { registryClient } from './index.ts';
import { parseImageName } from '../../match/image-name.ts';

export interface RegistrySettings {
  /** HOST[:PORT], compared as written. */
  host: string;
  username?: string;
  password?: SecretRef;
  insecure: boolean;
  ca_file?: string;
  /** Hosts of its token service that may have the password. */
  token_hosts?: readonly string[];
  default: boolean;
}

/**
 * A host that is not in the file is used without credentials. Rejects with `secret/missing`, `registry/name`.
 */
export function configuredRegistries(
  settings: readonly RegistrySettings[],
  secrets: Pick<Secrets, 'resolve'>,
): Registries {
  const clients = new Map<string, { password?: string; ca?: string; client: Registry }>();
  const find = (host: string): RegistrySettings | undefined => settings.find((one) => one.host === host);

  const auth = async (host: string): Promise<RegistryAuth | undefined> => {
    const known = find(host);
    if (!known?.password) return undefined;
    return { username: known.username ?? '', password: await secrets.resolve(known.password) };
  };
  /** One client per host and identity, because it keeps tokens; a changed password gets a new client. */
  const clientOf = async (host: string, credentials: RegistryAuth | undefined): Promise<Registry> => {
    const file = find(host)?.ca_file;
    const ca = file === undefined ? undefined : await readAuthority(file);
    const key = `${host} ${credentials ? 'named' : 'anonymous'}`;
    const kept = clients.get(key);
    if (kept && kept.password === credentials?.password && kept.ca === ca) return kept.client;
    const client = registryClient({
      host,
      insecure: find(host)?.insecure ?? false,
      auth: credentials,
      ca,
      tokenHosts: find(host)?.token_hosts,
    });
    clients.set(key, { password: credentials?.password, ca, client });
    return client;
  };
  return {
    async forImage(name, options) {
      const { host, repository } = parseImageName(name);
      const credentials = options?.anonymous ? undefined : await auth(host);
      return { registry: await clientOf(host, credentials), repository, auth: credentials };
    },
    authFor: async (name) => auth(parseImageName(name).host),
    async default() {
      const chosen = settings.find((one) => one.default) ?? settings[0];
      if (!chosen)
        throw new DavitError('registry/name', 'The installation has no registry.', {
          hint: 'Add one to `registries` in the installation file, or run the embedded one.',
        });
      return { host: chosen.host, auth: await auth(chosen.host) };
    },
  };
}
