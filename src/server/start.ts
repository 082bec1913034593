/** Starts and stops the server. */
import { userInfo } from 'node:os';
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import { HELPER_IMAGE, type Installation } from '../installation.ts';
import type { InstallationFacts } from '../installation-facts.ts';
import type { Space } from '../plan/model/fleet.ts';
import { wireServer, type ServerPorts } from '../wiring-server.ts';
import { buildApp } from './app.ts';
import { knownTokens, type ListedWorker, type Tokens } from './auth.ts';
import { runCollection } from './collection.ts';
import { forgeProtection } from './forge-protection.ts';
import { provenWorkflows } from './proven-workflows.ts';
import { refResolver } from './resolve-ref.ts';
import type { TemporalSecurity } from '../temporal/security.ts';
import { certificateProblem, readTls, refusePlainHttp, reloadTls } from './tls.ts';
import { currentRights, type Rights } from './current-rights.ts';
import {
  DEFAULT_LIMITS,
  type OwnRegistry,
  type ServerDeps,
  type ServerLimits,
  type WebhookProject,
} from './deps.ts';
import { processLogger, serverLog, type ServerLog } from './log.ts';
import { serverCredentials } from './registry/credentials.ts';
import { deployTokens } from './registry/deploy-tokens.ts';
import { ownImages } from './registry/own-images.ts';
import { TOKEN_PATH } from './registry/token-path.ts';
import { tokenSigner } from './registry/token-signer.ts';
import { linkTemporal } from './temporal/temporal.ts';
import { WorkerFleet } from './workers/fleet.ts';
import { FleetBook } from './workers/fleet-book.ts';
import { RefusedCalls } from './workers/refused-calls.ts';
import { WorkerTokens } from './workers/worker-tokens.ts';

const MIN_TOKEN = 16;

export interface StartOptions {
  settings: Pick<Settings, 'logLevel'>;
  installation: Installation;
  /** The file it was read from: users and projects are read again when it changes. */
  installationPath?: string;
  /** UUID */
  installationId: string;
  /** Token of the CLI on this machine, for an operator named after the OS user. */
  cliToken: string;
  /** The token that workers of earlier versions share, if there is one. */
  workerToken?: string | undefined;
  /** The token of the control worker, and of workers on this machine. */
  controlToken?: string | undefined;
  /** Machines with tokens of their own, beside those of the installation file and of the store. */
  workers?: readonly ListedWorker[];
  /** Keys of the installation; a file in `dataDir` if absent. Created if missing. */
  keyFile?: string;
  /** host:port of the registry that davit runs, if the installation file has no default. */
  registry?: string;
  /** host:port of the registry that believes this server's tokens, and the PEM of their key and certificate. */
  ownRegistry?: { host: string; key: string; ca?: string; formerly?: readonly string[] };
  helperImage?: string;
  temporal: { address: string; namespace: string; security?: TemporalSecurity };
  /** Folder of blobs, logs and records; created if missing. */
  dataDir: string;
  /** 0 selects a free port. */
  port?: number;
  host?: string;
  logger?: Logger;
  limits?: Partial<ServerLimits>;
}
export interface RunningServer {
  url: string;
  /** True while it reaches Temporal. */
  works(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Listens when it resolves; connects to Temporal in the background. Rejects with `secret/missing` for a
 * missing or empty webhook secret, `server/port` if it cannot listen on the address, `installation/invalid`
 * for tokens that are too short.
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const own = ownTokens(options);
  const { installation, host = '127.0.0.1' } = options;
  refusePlainHttp(host, installation);
  const tls = installation.tls && (await readTls(installation.tls));
  const ports = await wireServer({
    ...options,
    keyFile: options.keyFile ?? join(options.dataDir, 'installation-key'),
  });
  const [workerTokens, machines] = await stored(ports, options);
  const webhooks = await webhookProjects(installation, ports);
  const log = logOf(options, [...own, ...webhooks.map((one) => one.secret)]);
  warnOfRefused(webhooks, log);
  const rights = currentRights(options.installationPath, installation, (text) => log.warn(text));
  const link = linkTemporal(options.temporal);
  const at = { url: installation.url ?? '', tokens: '' };
  const facts = factsNow(options, { at, rights, ports });
  const registry = registryParts(options, { facts, records: ports.records });
  const app = buildApp({
    ...ports,
    ...machines,
    workflows: provenWorkflows(link.workflows, ports.proofs),
    workerTokens,
    tokens: tokensNow(options, rights, workerTokens),
    credentials: serverCredentials(ports.keys, ports.logs),
    ...registry,
    protectionOf: forgeProtection({ ...ports, log }),
    resolveRef: refResolver(ports),
    webhooks,
    facts,
    proxies: installation.listen.proxies,
    codec: options.temporal.security?.codec,
    temporal: { namespace: options.temporal.namespace, ui: installation.temporal_ui },
    tls,
    version: await packageVersion(),
    log,
    limits: limitsOf(options),
  });
  const close = async (): Promise<void> => {
    await app.close();
    await machines.fleet.close();
    await link.close();
    await ports.close();
  };
  const listening = await listen(app, { host, port: options.port ?? 0 }, close);
  const problem = tls && certificateProblem(tls, installation.url);
  if (problem !== undefined) log.warn(problem);
  const reloading = installation.tls && reloadTls(app.server, installation.tls, { log });
  const collector = runCollection({ ...ports, ...registry, facts, workflows: link.workflows, log });
  at.url = installation.url ?? listening;
  at.tokens = `${loopbackOf(listening)}${TOKEN_PATH}`;
  log.note('listening', { url: listening });
  const stop = async (): Promise<void> => {
    reloading?.stop();
    await collector.stop();
    await close();
  };
  return { url: listening, works: () => link.workflows.healthy(), close: stop };
}

/** As they are at each request. `at`: known when the server listens. */
function factsNow(
  options: StartOptions,
  of: { at: { url: string; tokens: string }; rights: () => Rights; ports: Pick<ServerPorts, 'proofs'> },
): () => InstallationFacts {
  const { installation, ownRegistry } = options;
  return () => ({
    ...factsOf({ ...options, installation: { ...installation, ...of.rights() } }, of.at.url),
    ...(ownRegistry && { ownRegistry: registryFacts(ownRegistry, of.at.tokens) }),
    proofs: of.ports.proofs.facts(),
  });
}

const registryFacts = (
  { host, ca, formerly }: NonNullable<StartOptions['ownRegistry']>,
  tokens: string,
): NonNullable<InstallationFacts['ownRegistry']> => ({
  host,
  tokens,
  ...(ca !== undefined && { ca }),
  ...(formerly && { formerly }),
});

const logOf = ({ logger, settings }: StartOptions, secrets: string[]): ServerLog =>
  serverLog(logger ?? processLogger(settings.logLevel), secrets);

type Machines = Pick<ServerDeps, 'fleet' | 'refusedCalls' | 'storeSpace' | 'certificateTrouble'>;

/** Reads the file as it is now. */
async function certificateTrouble({ tls, url }: Installation): Promise<string | undefined> {
  if (!tls) return undefined;
  try {
    return certificateProblem(await readTls(tls), url);
  } catch {
    return 'its file cannot be read'; // it is being replaced, or was taken away
  }
}

/** What is known of machines: their tokens, and the fleet. */
async function stored(
  ports: ServerPorts,
  { dataDir, installation }: StartOptions,
): Promise<[WorkerTokens, Machines]> {
  try {
    const [tokens, book] = await Promise.all([
      WorkerTokens.open(ports.records),
      FleetBook.open(ports.records),
    ]);
    const fleet = new WorkerFleet(book);
    return [
      tokens,
      {
        fleet,
        refusedCalls: new RefusedCalls(),
        storeSpace: () => spaceOf(dataDir),
        certificateTrouble: () => certificateTrouble(installation),
      },
    ];
  } catch (error) {
    await ports.close();
    throw error;
  }
}

function ownTokens({ cliToken, workerToken, controlToken }: StartOptions): string[] {
  const own = [cliToken, workerToken, controlToken].filter((token) => token !== undefined);
  if (own.every((token) => token.length >= MIN_TOKEN)) return own;
  throw new DavitError(
    'installation/invalid',
    `The CLI token or a token of workers has fewer than ${MIN_TOKEN} characters.`,
  );
}

/** Rejects with `server/port`, after `close`. */
async function listen(
  app: FastifyInstance,
  at: { host: string; port: number },
  close: () => Promise<void>,
): Promise<string> {
  try {
    return await app.listen(at);
  } catch (cause) {
    await close();
    throw new DavitError('server/port', `The server cannot listen on ${at.host}:${at.port}.`, { cause });
  }
}

/** Undefined: the folder does not tell it. */
async function spaceOf(folder: string): Promise<Space | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined; // a store that is away shows elsewhere
  }
}

/** Engines fetch tokens where they reach the registry: on the loopback of this machine. */
export function loopbackOf(listening: string): string {
  const url = new URL(listening);
  if (['0.0.0.0', '[::]'].includes(url.hostname)) url.hostname = '127.0.0.1';
  return url.origin;
}

/** Also for one that asks for no tokens yet (`registry_auth: off`): what targets get now counts when it does. */
function registryParts(
  options: StartOptions,
  { facts, records }: Pick<ServerDeps, 'facts' | 'records'>,
): Pick<ServerDeps, 'deployTokens' | 'ownRegistry' | 'images'> {
  const ownRegistry = ownRegistryOf(options);
  return {
    deployTokens: deployTokens(records),
    ...(ownRegistry && { ownRegistry, images: ownImages(ownRegistry, facts) }),
  };
}

const ownRegistryOf = ({ ownRegistry }: StartOptions): OwnRegistry | undefined =>
  ownRegistry && { host: ownRegistry.host, signer: tokenSigner(ownRegistry.key) };
/** Users, and tokens of workers in the file and in the store, as they are at each request. */
const tokensNow = (options: StartOptions, rights: () => Rights, stored: WorkerTokens): Tokens =>
  knownTokens({
    cliToken: options.cliToken,
    ...(options.controlToken !== undefined && { controlToken: options.controlToken }),
    workerToken: () => (stored.sharedOff ? undefined : options.workerToken),
    users: () => rights().users,
    workers: () => [...rights().workers, ...(options.workers ?? []), ...stored.list()],
    owner: ownerName(),
  });

function warnOfRefused(webhooks: readonly WebhookProject[], log: ServerLog): void {
  for (const { project } of webhooks)
    if (project.repository === undefined || project.forge === 'none')
      log.warn(
        'deliveries of this project are refused: it has a webhook_secret, but no forge or no repository',
        { project: project.name },
      );
}

/** Name of the OS user. In a container the user id may have no name. */
function ownerName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 0}`; // the user is not in /etc/passwd: use the number
  }
}

/** Resolves all secrets before the first delivery; `secret/missing` names the reference, never a value. */
async function webhookProjects(installation: Installation, ports: ServerPorts): Promise<WebhookProject[]> {
  const found: WebhookProject[] = [];
  try {
    for (const project of installation.projects) {
      if (project.webhook_secret === undefined) continue;
      found.push({ project, secret: await ports.secrets.resolve(project.webhook_secret) });
    }
  } catch (error) {
    await ports.close();
    throw error;
  }
  return found;
}

/** Facts for workers: without users, with the embedded registry. */
export function factsOf(
  options: Pick<StartOptions, 'installation' | 'installationId' | 'registry' | 'ownRegistry' | 'helperImage'>,
  url: string,
): InstallationFacts {
  const { users: _users, workers: _workers, ...config } = options.installation;
  const { registry, ownRegistry } = options;
  const registries = [...config.registries];
  if (registry !== undefined && !registries.some((one) => one.host === registry)) {
    const isDefault = !registries.some((one) => one.default);
    // By a name for other machines davit's own one has a certificate; on the loopback it has none.
    const hasTls = registry === ownRegistry?.host && ownRegistry.ca !== undefined;
    registries.push({ host: registry, insecure: !hasTls, default: isDefault });
  }
  return {
    installation: options.installationId,
    config: {
      ...config,
      registries,
      helper_image: config.helper_image ?? options.helperImage ?? HELPER_IMAGE,
    },
    url,
  };
}

function limitsOf(options: StartOptions): ServerLimits {
  const workerBlobBytes = Math.max(
    DEFAULT_LIMITS.workerBlobBytes,
    2 * options.installation.limits.artifact_bytes,
  );
  return { ...DEFAULT_LIMITS, workerBlobBytes, ...options.limits };
}

async function packageVersion(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const known = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return known && typeof parsed.version === 'string' ? parsed.version : 'unknown';
}
