/** Checks what runs: Temporal, the server, the registry, the workers. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readAuthority } from '../../adapters/authorities.ts';
import { registryClient } from '../../adapters/registry/index.ts';
import { DavitError } from '../../errors.ts';
import { isLoopback } from '../../adapters/text.ts';
import type { Installation } from '../../installation.ts';
import type { InstallationFacts } from '../../installation-facts.ts';
import { temporalAddress, type Settings } from '../../config.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import { CONTROL_QUEUE, type WorkerReport } from '../../plan/model/queues.ts';
import type { TemporalUi } from '../../plan/policy/temporal-links.ts';
import type { CommitStatuses, Reconciliation, RunFile } from '../../server/api.ts';
import { temporalSecurity } from '../../temporal/security.ts';
import { connectTemporal } from '../../temporal/client.ts';
import { uiOfRun } from '../process/run-file.ts';
import { authorityFolder } from '../authority/authority.ts';
import { readInstallation } from '../setup/installation.ts';
import { readSharedRegistry } from '../setup/shared-registry.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';
import { statusFindings } from './commit-statuses.ts';
import { checkWorkflows } from './workflows.ts';
import { durationText } from '../../utils/duration.ts';
import { untrustedReason } from '../../utils/untrusted.ts';
import { isOfName } from './fleet-findings.ts';

const TEMPORAL_MS = 3_000;
const SKEW_MS = 60_000;
const HTTP_MS = 3_000;
/** A worker polls at least every 60 s. */
const POLL_MS = 75_000;
/** temporal.api.enums.v1.TaskQueueType */
const WORKFLOW_QUEUE = 1;

export interface Services {
  settings: Settings;
  /** Undefined: davit is not running on this machine. */
  run?: RunFile;
  /** What the server says of the installation, to a machine of workers. */
  facts?: InstallationFacts | undefined;
  /** This machine has workers of a davit elsewhere. */
  isWorker?: boolean;
  /** Requests them from the server with the CLI's token. */
  workers(): Promise<WorkerReport[]>;
  reconciliation(): Promise<Reconciliation[]>;
  commitStatuses(): Promise<CommitStatuses[]>;
  temporalUi(): Promise<TemporalUi | undefined>;
}

/** Never rejects. */
export async function checkServices(services: Services): Promise<Finding[]> {
  const { settings, run, facts, isWorker = false } = services;
  const server = settings.serverUrl ?? run?.server;
  const temporal =
    settings.temporalAddress ?? run?.temporal ?? (isWorker ? temporalAddress(settings) : undefined);
  const registry = settings.registry ?? run?.registry;
  if (!server && !temporal)
    return [
      warn(
        'davit',
        'davit is not running on this machine.',
        'Start it with `davit up` (or `npm start` for the examples).',
      ),
    ];
  // A machine of workers need not have the token of a person.
  const hasToken = settings.token !== undefined || existsSync(settings.tokenFile);
  const asksServer = server !== undefined && (hasToken || !isWorker);
  const parts = await Promise.all([
    temporal ? finding('temporal', () => checkTemporal(services, temporal)) : [],
    server ? finding('server', () => checkServer(server, run !== undefined)) : [],
    finding('registry', () => checkRegistries(settings, registry, facts)),
    asksServer
      ? finding('workers', async () => {
          const workers = await services.workers();
          return [
            ...workerFindings(workers),
            ...targetFindings(
              workers,
              facts?.config.targets.map(({ name }) => name) ?? (await targetsOf(settings)),
            ),
          ];
        })
      : [],
    asksServer
      ? finding('reconciliation', async () =>
          (await services.reconciliation()).map((one) => reconcileFinding(one, Date.now())),
        )
      : [],
    asksServer
      ? finding('commit statuses', async () => statusFindings(await services.commitStatuses(), Date.now()))
      : [],
  ]);
  return parts.flat();
}

async function checkTemporal({ settings, ...services }: Services, address: string): Promise<Finding[]> {
  const namespace = settings.temporalNamespace;
  const security = await temporalSecurity(settings);
  const { client, connection } = await connectTemporal({
    address,
    namespace,
    security,
    deadlineMs: TEMPORAL_MS,
  });
  try {
    const info = await connection.workflowService.getSystemInfo({});
    const queue = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: CONTROL_QUEUE },
      taskQueueType: WORKFLOW_QUEUE,
    });
    const polls = (queue.pollers ?? []).map((one) => Number(one.lastAccessTime?.seconds ?? 0) * 1_000);
    return [
      ok('temporal', `${address}, server ${info.serverVersion ?? '?'}, namespace ${namespace}`),
      controlFinding(polls, Date.now()),
      ...(await checkWorkflows(client, await uiOf(services))),
    ];
  } finally {
    await connection.close();
  }
}

/** Without the server, the UI that davit has started on this machine. */
const uiOf = ({ run, temporalUi }: Omit<Services, 'settings'>): Promise<TemporalUi | undefined> =>
  temporalUi().catch(() => uiOfRun(run));

/** Without a control worker no pipeline continues. `polls`: the last poll of each, in epoch ms. */
export function controlFinding(polls: readonly number[], now: number): Finding {
  const live = polls.filter((polledAt) => now - polledAt < POLL_MS).length;
  if (live > 0) return ok('control worker', `${live} polling`);
  return fail(
    'control worker',
    'No control worker has polled in the last 75 s: no pipeline continues.',
    "Start one with `davit up` (one machine) or `davit worker --control`. Its log is `log/davit.log` in davit's home.",
  );
}

async function checkServer(url: string, isHere: boolean): Promise<Finding> {
  let response: Response;
  const asked = Date.now();
  try {
    response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(HTTP_MS) });
  } catch (error) {
    return noAnswer(url, { error, isHere });
  }
  await response.body?.cancel();
  if (!response.ok)
    return fail(
      'server',
      `The server at ${url} returns HTTP status ${response.status}.`,
      'See its log; the usual cause is an unreachable Temporal.',
    );
  return skewFinding(url, { date: response.headers.get('date'), now: asked }) ?? ok('server', url);
}

/** No response: the finding tells where to look. */
function noAnswer(url: string, { error, isHere }: { error: unknown; isHere: boolean }): Finding {
  const reason = untrustedReason(error instanceof Error ? (error.cause ?? error) : error);
  if (reason !== undefined) {
    const untrusted = new DavitError(
      'tls/untrusted',
      `The certificate of ${url} cannot be verified (${reason}).`,
    );
    const found = { ...fail('server', untrusted.message, untrusted.hint), code: untrusted.code };
    return isOfName(reason) ? { ...found, fault: 'wrong-certificate-name' } : found;
  }
  const remedy = isHere
    ? "Start it with `davit up`. Its log is in `log` in davit's home."
    : `Look whether it runs on its own machine; from here, curl -v ${url}/healthz shows how far a request gets.`;
  return { ...fail('server', `No server responds at ${url}.`, remedy), fault: 'server-unreachable' };
}

/** Different clocks make logs and deadlines hard to read. `date` has whole seconds (RFC 9110, 6.6.1). */
export function skewFinding(url: string, seen: { date: string | null; now: number }): Finding | undefined {
  const theirs = seen.date === null ? Number.NaN : Date.parse(seen.date);
  if (Number.isNaN(theirs) || Math.abs(theirs - seen.now) < SKEW_MS) return undefined;
  const apart = Math.round(Math.abs(theirs - seen.now) / 1000);
  return warn(
    'server',
    `${url}: its clock differs from this machine's by ${apart} s.`,
    'Run NTP on both machines.',
  );
}

/** davit's own, and those of the installation file: each as workers call it. */
async function checkRegistries(
  settings: Settings,
  own: string | undefined,
  facts: InstallationFacts | undefined,
): Promise<Finding[]> {
  const listed = [
    ...(facts?.config.registries ?? (await registriesOf(settings))),
    ...(await sharedOf(settings)),
  ];
  const hosts = new Set([...(own === undefined ? [] : [own]), ...listed.map(({ host }) => host)]);
  const found = [...hosts].map((host) =>
    finding('registry', () =>
      checkRegistry(listed.find((one) => one.host === host) ?? { host, insecure: false }),
    ),
  );
  return (await Promise.all(found)).flat();
}

/** As workers call it: by davit's own authority. */
async function sharedOf(settings: Settings): Promise<Parameters<typeof checkRegistry>[0][]> {
  const shared = await readSharedRegistry(settings);
  if (!shared) return [];
  return [{ host: shared.host, insecure: false, ca_file: join(authorityFolder(settings), 'ca.crt') }];
}

/** Asked without credentials: a refusal is an answer. */
export async function checkRegistry({
  host,
  insecure,
  ca_file,
}: Pick<Installation['registries'][number], 'host' | 'insecure' | 'ca_file'>): Promise<Finding> {
  const loopback = isLoopback(host.replace(/:\d+$/, ''));
  const ca = ca_file === undefined ? undefined : await readAuthority(ca_file);
  try {
    await registryClient({ host, insecure, ca }).ping();
  } catch (error) {
    if (error instanceof DavitError && error.code === 'registry/denied')
      return ok('registry', `${host}, with credentials only`);
    throw error;
  }
  if (!loopback) return ok('registry', host);
  return warn(
    'registry',
    `${host} asks for no token: everybody who reaches it reads, moves and removes every image.`,
    "davit's own: write `registry_auth: tokens` into the installation file and restart davit; with docker-compose.yml run ./compose/init.sh again.",
  );
}

/** A job for an architecture without a worker waits. */
export function workerFindings(workers: readonly WorkerReport[]): Finding[] {
  if (workers.length === 0)
    return [
      fail(
        'workers',
        'No worker has reported in the last minute.',
        'Start one with: davit worker --arch amd64',
      ),
    ];
  return ARCHES.map((arch) => {
    const hosts = workers.filter((one) => one.arches.includes(arch));
    const name = `workers for ${arch}`;
    if (hosts.length === 0)
      return warn(
        name,
        'none: its jobs wait.',
        `Start one with: davit worker --arch ${arch} [--docker ssh://USER@HOST]`,
      );
    const words = hosts.map((one) => `${one.hostName}${one.emulated.includes(arch) ? ' (emulated)' : ''}`);
    return ok(name, words.join(', '));
  });
}

const registriesOf = async (settings: Settings): Promise<Installation['registries']> =>
  (await readInstallation(settings)).installation.registries;
const targetsOf = async (settings: Settings): Promise<string[]> =>
  (await readInstallation(settings)).installation.targets.map(({ name }) => name);

/** Deployments to a target without a worker wait. */
export const targetFindings = (workers: readonly WorkerReport[], targets: readonly string[]): Finding[] =>
  targets.map((target) => {
    const hosts = workers.filter((one) => one.targets.includes(target)).map((one) => one.hostName);
    const name = `workers for target ${target}`;
    if (hosts.length > 0) return ok(name, hosts.join(', '));
    return warn(name, 'none: deployments to it wait.', `Start one with: davit worker --deploy ${target}`);
  });

/** When the project was last compared with its forge, to find lost deliveries. */
export function reconcileFinding(one: Reconciliation, now: number): Finding {
  const name = `reconciliation ${one.project}`;
  const remedy =
    'Deliveries still start pipelines. Check clone_url, clone_token and forge_token (docs/forges has their scopes), and the log of the control worker.';
  if (one.problem !== undefined) return warn(name, `The last check failed: ${one.problem}`, remedy);
  if (one.at === undefined) return ok(name, 'not checked yet; a control worker does within minutes');
  const ago = `${one.refs} branches and tags, ${durationText(Math.max(1_000, now - one.at))} ago`;
  if (now - one.at > 3 * one.every)
    return warn(
      name,
      `The last check is overdue: ${ago}.`,
      'Start a control worker with: davit worker --control',
    );
  const waits = one.pending.length > 0 ? `; pending deliveries: ${one.pending.length}` : '';
  const found = one.found
    ? `; last push without a delivery: ${one.found.ref} ${one.found.sha.slice(0, 12)}`
    : '';
  return ok(name, `${ago}${waits}${found}`);
}
