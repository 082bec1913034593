/**
 * The registries of the installation: which one serves a name, and its credentials. Never those of another host.
 * davit's own registry is asked with credentials of the server, on behalf of a job or a target (`own.ts`).
 */
import { DavitError } from '../../errors.ts';
import type { SecretRef } from '../../plan/model/spec.ts';
import { readAuthority } from '../authorities.ts';
import type { Registries, Registry, RegistryAuth, RegistryUse, Secrets } from '../ports.ts';
import { registryClient } from './index.ts';
import { parseImageName } from '../../match/image-name.ts';
import { isOwn, type OwnRegistry } from './own.ts';

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
interface Asked {
  anonymous?: boolean | undefined;
  use?: RegistryUse | undefined;
}
/** By host and identity; shared by the registries of all attempts of a worker. */
export type RegistryClients = Map<string, Registry>;
/** Each keeps tokens and connections. */
const MAX_CLIENTS = 64;

/**
 * A host that is not in the file is used without credentials. Rejects with `secret/missing`, `registry/name`; for
 * davit's own registry as the server's routes do.
 */
export function configuredRegistries(
  settings: readonly RegistrySettings[],
  secrets: Pick<Secrets, 'resolve'>,
  own?: OwnRegistry,
  clients: RegistryClients = new Map(),
): Registries {
  const find = (host: string): RegistrySettings | undefined => settings.find((one) => one.host === host);

  const auth = async (host: string): Promise<RegistryAuth | undefined> => {
    const known = find(host);
    if (!known?.password) return undefined;
    return { username: known.username ?? '', password: await secrets.resolve(known.password) };
  };
  const authFor = (name: string, { anonymous, use }: Asked = {}): Promise<RegistryAuth | undefined> => {
    const { host, repository } = parseImageName(name);
    if (own && isOwn(own, host)) return own.auth(repository, use);
    return anonymous ? Promise.resolve(undefined) : auth(host);
  };
  /** One client per host and identity, because it keeps tokens; a changed password gets a new client. */
  const clientOf = async (host: string, credentials: RegistryAuth | undefined): Promise<Registry> => {
    const file = find(host)?.ca_file;
    // Its former addresses are on the loopback, without TLS.
    const ownCa = host === own?.host ? own.ca : undefined;
    const ca = file === undefined ? ownCa : await readAuthority(file);
    const key = JSON.stringify([host, credentials?.username, credentials?.password, ca]);
    return kept(clients, key, () =>
      registryClient({
        host,
        insecure: find(host)?.insecure ?? false,
        auth: credentials,
        ca,
        tokenHosts: find(host)?.token_hosts,
        ...(own && isOwn(own, host) && { tokenOrigins: own.tokenOrigins }),
      }),
    );
  };
  return {
    async forImage(name, asked) {
      const { host, repository } = parseImageName(name);
      const credentials = await authFor(name, asked);
      return { registry: await clientOf(host, credentials), repository, auth: credentials };
    },
    async authFor(name, asked) {
      return authFor(name, asked);
    },
    async authForTarget(name, of) {
      const { host, repository } = parseImageName(name);
      return own && isOwn(own, host) ? own.targetAuth(repository, of) : auth(host);
    },
    async default(use) {
      const chosen = settings.find((one) => one.default) ?? settings[0];
      if (!chosen)
        throw new DavitError('registry/name', 'The installation has no registry.', {
          hint: 'Add one to `registries` in the installation file, or run the embedded one.',
        });
      const { host } = chosen;
      if (host === own?.host) return { host, auth: use && (await own.scriptAuth(use)) };
      return { host, auth: use?.job.fork ? undefined : await auth(host) };
    },
  };
}

function kept(clients: RegistryClients, key: string, make: () => Registry): Registry {
  const client = clients.get(key) ?? make();
  clients.delete(key);
  clients.set(key, client); // the last used is the last
  const [oldest] = clients.keys();
  if (clients.size > MAX_CLIENTS && oldest !== undefined) clients.delete(oldest);
  return client;
}
