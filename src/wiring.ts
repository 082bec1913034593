/** Creates the adapters of a worker process from its settings. No logic, and nothing of Temporal. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dockerEngine } from './adapters/docker/index.ts';
import { forgeStatuses, openRequests } from './adapters/forge/index.ts';
import { gitRepositories } from './adapters/git/files.ts';
import { cloneOptions } from './adapters/git/clone-protocols.ts';
import { gitSource } from './adapters/git/index.ts';
import { httpStores } from './adapters/http/index.ts';
import { authorityFile, serverAuthority } from './adapters/http/server-authority.ts';
import { isSignedBy } from './adapters/keys/proofs.ts';
import { remoteFiles } from './adapters/http/remote.ts';
import { storedCopies } from './adapters/includes/copies.ts';
import { configuredIncludes } from './adapters/includes/index.ts';
import type { RemoteCopies } from './adapters/includes/remote.ts';
import { readToken as tokenSource } from './adapters/http/token-source.ts';
import type {
  AttemptOf,
  AttemptPorts,
  BlobStore,
  Changes,
  Credentials,
  DeployTarget,
  Engine,
  Fleet,
  Forge,
  Includes,
  LogStore,
  OpenRequests,
  Proofs,
  Prover,
  RecordStore,
  Registries,
  Rights,
  Secrets,
  Source,
} from './adapters/ports.ts';
import { configuredRegistries, type RegistryClients } from './adapters/registry/configured.ts';
import { loopbackPorts, ownRegistry, rememberedCredentials } from './adapters/registry/own.ts';
import { deriveSealKey, localSecrets } from './adapters/secrets/index.ts';
import { swarmTarget } from './adapters/swarm/index.ts';
import { pinnedHosts, readEnvSecret, type Settings } from './config.ts';
import { DavitError } from './errors.ts';
import type { Installation } from './installation.ts';
import type { InstallationFacts } from './installation-facts.ts';
import { constant, retry } from './utils/retry.ts';

const DEADLINE_MS = 60_000;
const RETRY_MS = 250;
const MIN_TOKEN_LENGTH = 16;

export interface WorkerPorts {
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  fleet: Fleet;
  rights: Rights;
  /** The server's, for jobs and targets. */
  credentials: Credentials;
  changes: Changes;
  /** The ports of one attempt of a job: what its activities write, they write with its token. */
  attempt(of: AttemptOf): AttemptPorts & { registries: Registries };
  secrets: Secrets;
  proofs: Proofs;
  prover: Prover;
  /** Facts from the server, read at the start. */
  facts: InstallationFacts;
  /** PEM of the authority that a job needs to verify the server's address; undefined where it needs none. */
  serverAuthority(): Promise<string | undefined>;
  /** Epoch ms by the server's clock, for times that are stored or compared with those of other machines. */
  now(): number;
  registries: Registries;
  source: Source;
  includes: Includes;
  forge: Forge;
  openRequests: OpenRequests;
  /**
   * Address in the form of `--docker`; undefined means the machine's own engine. `onProblem`: a port that the engine needs
   * of this machine does not reach it.
   */
  engine(address?: string, onProblem?: (text: string) => void): Promise<Engine>;
  /** A deploy target of the installation file by name. Rejects with `deploy/unknown-target`. */
  target(name: string, options?: TargetOptions): Promise<DeployTarget>;
}

export interface TargetOptions {
  /** Overrides the installation file. */
  address?: string | undefined;
  /** Changes only a swarm that davit made, or that a person has allowed. */
  permittedOnly?: boolean | undefined;
  /** As of an engine. */
  onProblem?: ((text: string) => void) | undefined;
}

/**
 * Everything that a worker needs. Waits for the server, so that processes may start in any order. Rejects
 * with `worker/no-token` or, after a minute, with `worker/no-server`.
 */
export async function wireWorker(
  settings: Settings,
  options: { deadlineMs?: number } = {},
): Promise<WorkerPorts> {
  const token = (): Promise<string> => ownToken(settings);
  const workerToken = await token();
  const url = settings.serverUrl;
  if (url === undefined)
    throw new DavitError('worker/no-server', 'DAVIT_SERVER is not set.', {
      hint: 'Set it to the address that `davit up` or `davit server` prints.',
    });
  const stores = httpStores({ url, workerToken: tokenSource(token) });
  const facts = await retryUntil(url, options.deadlineMs ?? DEADLINE_MS, () => stores.facts());
  const secrets = localSecrets({ sealKey: deriveSealKey(workerToken), readEnv: readEnvSecret });
  const { blobs, records, logs, fleet, rights, changes } = stores;
  const credentials = rememberedCredentials(stores.credentials);
  const registriesWith = wireRegistries(facts, secrets, url);
  const reversePorts = loopbackPorts(facts.ownRegistry);
  return {
    blobs,
    records,
    logs,
    fleet,
    rights,
    credentials,
    changes,
    attempt: (of) => {
      const ports = stores.attempt(of, secrets);
      // What a worker pulls for itself, it asks for itself, once for all attempts.
      const own = { ...rememberedCredentials(ports.credentials), forPull: credentials.forPull };
      return { ...ports, credentials: own, registries: registriesWith(own) };
    },
    secrets,
    proofs: {
      known: async () => facts.proofs,
      again: async () => (await stores.facts()).proofs,
      isSignedBy,
    },
    prover: stores.prover,
    facts,
    serverAuthority: serverAuthority(authorityFile(settings), facts.url),
    now: stores.now,
    registries: registriesWith(credentials),
    source: gitSource(cloneOptions(facts.config.projects)),
    includes: wireIncludes(facts, { secrets, copies: storedCopies(blobs, records) }),
    openRequests: openRequests({ secrets }),
    forge: forgeStatuses({ projects: facts.config.projects, secrets }),
    engine: (address, onProblem) =>
      dockerEngine({
        address: address ?? settings.dockerHost,
        certPath: settings.dockerCertPath,
        pinnedHosts: pinnedHosts(settings),
        reversePorts,
        ...(onProblem && { onProblem }),
      }),
    target: (name, more) => wireTarget({ settings, facts, name, ...more }),
  };
}

async function wireTarget(
  of: TargetOptions & { settings: Settings; facts: InstallationFacts; name: string },
): Promise<DeployTarget> {
  const { settings, facts, name } = of;
  const known = facts.config.targets.find((one) => one.name === name);
  // Without targets in the file, the worker's target is its own machine as a swarm.
  if (!known && facts.config.targets.length > 0)
    throw new DavitError('deploy/unknown-target', `The installation file has no target "${name}".`);
  return swarmTarget({
    name,
    address: of.address ?? known?.docker ?? settings.dockerHost,
    certPath: settings.dockerCertPath,
    pinnedHosts: pinnedHosts(settings),
    reversePorts: loopbackPorts(facts.ownRegistry),
    installation: facts.installation,
    monitorMs: facts.config.limits.deploy_stable,
    ...(of.permittedOnly && { permittedOnly: true }),
    ...(of.onProblem && { onProblem: of.onProblem }),
  });
}

/** davit's own registry is asked with credentials of an attempt, or of the worker itself. */
function wireRegistries(
  { config, ownRegistry: own, url }: InstallationFacts,
  secrets: Pick<Secrets, 'resolve'>,
  serverUrl: string,
): (credentials: Credentials) => Registries {
  const clients: RegistryClients = new Map();
  const where = own && {
    host: own.host,
    formerly: own.formerly ?? [],
    ca: own.ca,
    tokenUrls: [own.tokens, url, serverUrl],
  };
  return (credentials) =>
    configuredRegistries(config.registries, secrets, where && ownRegistry(where, credentials), clients);
}

/** For the control worker, and for the command line, which stores copies in a folder. */
export function wireIncludes(
  { config, url }: Pick<InstallationFacts, 'url'> & { config: Pick<Installation, 'projects' | 'includes'> },
  parts: { secrets: Pick<Secrets, 'resolve'>; copies: RemoteCopies },
): Includes {
  const { allow_hosts, only_hosts, ca_file, templates } = config.includes;
  const from = templates && new URL(templates.url);
  return configuredIncludes({
    // The operator has named that host, whatever `remote` may fetch from.
    ...(from && {
      templates: remoteFiles({ allowHosts: [from.host], onlyHosts: [from.hostname], caFile: ca_file }),
    }),
    repositories: gitRepositories(cloneOptions(config.projects)),
    remote: remoteFiles({ allowHosts: allow_hosts, onlyHosts: only_hosts, caFile: ca_file }),
    settings: { projects: config.projects, includes: config.includes, url },
    now: Date.now,
    ...parts,
  });
}

/** On the server's own machine that of the control worker; elsewhere the machine's own, or the shared one. */
async function ownToken({ workerTokenFile, controlTokenFile }: Settings): Promise<string> {
  if (controlTokenFile === undefined || !existsSync(controlTokenFile)) return readToken(workerTokenFile);
  return readToken(controlTokenFile);
}

async function readToken(path: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new DavitError('worker/no-token', `Cannot read the worker token from ${path}.`, { cause });
  }
  if (token.length < MIN_TOKEN_LENGTH)
    throw new DavitError('worker/no-token', `The worker token in ${path} is too short.`);
  return token;
}

/** Retries until the server responds; a refused token is final, and so is a certificate. */
async function retryUntil<T>(url: string, deadlineMs: number, ask: () => Promise<T>): Promise<T> {
  try {
    return await retry(ask, {
      final: isRefused,
      retryable: () => true,
      backoff: constant(RETRY_MS),
      forMs: deadlineMs,
    });
  } catch (cause) {
    if (isRefused(cause)) throw cause;
    throw new DavitError('worker/no-server', `The server at ${url} did not respond in time.`, { cause });
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof DavitError && (error.http === 401 || error.http === 403 || error.code === 'tls/untrusted');
