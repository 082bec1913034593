/** davit's own registry: the server says what each credential may do, and gives them to its workers. */
import { DavitError } from '../../errors.ts';
import { isLoopback } from '../text.ts';
import type { Credentials, JobUse, RegistryAuth, RegistryUse } from '../ports.ts';
import type { InstallationFacts } from '../../installation-facts.ts';
import type { ProjectSlug } from '../../plan/model/ids.ts';

export interface OwnRegistry {
  /** `HOST[:PORT]` */
  host: string;
  /** Other addresses of the same registry. */
  formerly: readonly string[];
  /** PEM of the authority of its certificate. */
  ca?: string | undefined;
  /** Where the server gives out tokens, as it may be written in the registry's configuration. */
  tokenOrigins: readonly string[];
  /** On behalf of a job; without one, for an image that the operator has named. */
  auth(repository: string, use: RegistryUse | undefined): Promise<RegistryAuth | undefined>;
  /** CI_REGISTRY_USER and CI_REGISTRY_PASSWORD. */
  scriptAuth(use: JobUse): Promise<RegistryAuth | undefined>;
  targetAuth(
    repository: string,
    of: { project: ProjectSlug; target: string },
  ): Promise<RegistryAuth | undefined>;
}

/** The registry by any of its addresses. */
export const isOwn = (own: Pick<OwnRegistry, 'host' | 'formerly'> | undefined, host: string): boolean =>
  own !== undefined && (own.host === host || own.formerly.includes(host));

/** GitLab's name for it; the registry looks at the password alone. */
const JOB_USER = 'gitlab-ci-token';
const TARGET_USER = 'davit-deploy-token';
const WORKER_USER = 'davit-worker';
/** Half the life of what pulls an image for a worker itself. */
const PULL_MS = 30 * 60_000;

export function ownRegistry(
  {
    host,
    formerly = [],
    ca,
    tokenUrls,
  }: Partial<Pick<OwnRegistry, 'formerly' | 'ca'>> & { host: string; tokenUrls: readonly string[] },
  credentials: Credentials,
): OwnRegistry {
  /** A caller that waits for the registry waits for its tokens too. */
  const asked = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      if (!(cause instanceof DavitError) || cause.code !== 'store/unreachable') throw cause;
      throw new DavitError('registry/unreachable', `No token for the registry ${host}: ${cause.message}`, {
        cause,
      });
    }
  };
  const forJob = async (use: RegistryUse): Promise<RegistryAuth | undefined> => {
    const writes = use.writes?.flatMap((name) =>
      [host, ...formerly].flatMap((one) => (name.startsWith(`${one}/`) ? [name.slice(one.length + 1)] : [])),
    );
    const password = await asked(credentials.forJob({ ...use, writes }));
    return password === undefined ? undefined : { username: JOB_USER, password };
  };
  return {
    host,
    formerly,
    ca,
    tokenOrigins: tokenUrls.map((url) => new URL(url).origin),
    auth: async (repository, use) =>
      use ? forJob(use) : { username: WORKER_USER, password: await asked(credentials.forPull(repository)) },
    scriptAuth: ({ job, attempt, forMs }) => forJob({ job, attempt, forMs }),
    targetAuth: async (repository, of) => ({
      username: TARGET_USER,
      password: await credentials.forTarget({ ...of, repository }),
    }),
  };
}

/**
 * What an engine that is reached over ssh needs of this machine's loopback: davit's own registry, and where its tokens
 * are.
 */
export function loopbackPorts(own: InstallationFacts['ownRegistry']): number[] {
  if (!own) return [];
  const hosts = [own.host, ...(own.formerly ?? [])];
  const ports = [...hosts.map((host) => `http://${host}`), own.tokens].flatMap((text) => {
    const { hostname, port } = new URL(text);
    return isLoopback(hostname) && port !== '' ? [Number(port)] : [];
  });
  return [...new Set(ports)];
}

/** The same attempt asks once, however often its parts do; so does a worker for what it pulls itself. */
export function rememberedCredentials(credentials: Credentials): Credentials {
  const known = new Map<string, Promise<string | undefined>>();
  const pulls = new Map<string, { until: number; token: Promise<string> }>();
  return {
    ...credentials,
    forPull(repository) {
      const pull = pulls.get(repository);
      if (pull && pull.until > performance.now()) return pull.token;
      const token = credentials.forPull(repository);
      pulls.set(repository, { until: performance.now() + PULL_MS, token });
      token.catch(() => pulls.delete(repository));
      return token;
    },
    forJob(use) {
      const key = JSON.stringify([use.job, use.attempt, use.writes]);
      const found = known.get(key) ?? credentials.forJob(use);
      known.delete(key);
      known.set(key, found);
      found.catch(() => known.delete(key));
      const [oldest] = known.keys();
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
      return found;
    },
  };
}
/** More attempts than a worker has at the same time. */
const MAX_KNOWN = 2_000;
