/**
 * The worker of one or more architectures on one container engine: polls their queues, a queue for each
 * further tag, and the engine's own. SIGTERM and SIGINT end it gracefully within seconds: running containers
 * continue, and jobs are resumed by the next worker on the engine's queue. After a kill -9 the restarted
 * worker resumes them in the same way.
 */
import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import { makeBuildImage } from '../activities/index.ts';
import { type JobDeps, makeArchActivities, makeHostActivities } from '../activities/job/index.ts';
import type { Engine } from '../src/adapters/ports.ts';
import { temporalAddress, type Settings } from '../src/config.ts';
import { DavitError } from '../src/errors.ts';
import type { WorkerConfig } from '../src/installation.ts';
import { type Arch, isArch } from '../src/plan/model/ids.ts';
import { SIGNALS } from '../src/plan/model/protocol.ts';
import { forkQueue, hostQueue, tagQueue } from '../src/plan/model/queues.ts';
import { workflowLookup } from '../src/temporal/calls.ts';
import { askTemporal } from '../src/temporal/client.ts';
import { VERSION } from '../src/version.ts';
import { wireWorker, type WorkerPorts } from '../src/wiring.ts';
import { type Ability, checkEngine } from './parts/check-engine.ts';
import { type EgressGuard, guardEgress } from './parts/egress.ts';
import { helperEnsurer } from './parts/helper.ts';
import { heartbeatAck } from './parts/heartbeat-ack.ts';
import { identityText, type WorkerIdentity } from './parts/identity.ts';
import { runJanitor } from './parts/janitor.ts';
import { withLinks, type TemporalLinks, type WorkerLinks } from './parts/links.ts';
import { pollers } from './parts/pollers.ts';
import { cleanUpAtStart } from './parts/startup-cleanup.ts';
import { makeFreeDiskSpace } from './parts/disk-space.ts';
import { ArchPresence } from './parts/fleet/arch-presence.ts';
import { troubleOf } from './parts/fleet/engine-watch.ts';
import { gatedTuner } from './parts/fleet/gate.ts';
import { type Report, reportFailure } from './parts/fleet/presence.ts';
import { onStop } from './parts/process.ts';
import { watchBuildCache } from './parts/build-cache.ts';
import { readWorkerConfig } from './parts/worker-config.ts';
import { printable } from '../src/adapters/text.ts';
import { messageOf } from '../src/utils/message.ts';

/**
 * Jobs detach at once by themselves; other activities (a build) are asked to end after the first time, and
 * forced after the second.
 */
const GRACE = '2s';
const FORCE = '20s';
/** Heartbeats carry cancels: none is delayed for long. */
const HEARTBEAT_THROTTLE = '2s';
/** Removals and resumes are few and mostly wait; they never queue behind jobs. */
const HOST_SLOTS = 200;
const TELL_MS = 2_000;

export interface ArchWorkerOptions {
  settings: Settings;
  arches: readonly Arch[];
  /** In the form of `--docker`; the machine's own engine if undefined. */
  dockerAddress?: string;
  /** `--config` */
  configFile?: string;
  /** As people know its machine; that of its token, or of the engine's machine, if absent. */
  name?: string;
  /** Architectures other than the engine's own are allowed. */
  emulation?: boolean;
  /** Passed by a process with several workers; a worker opens its own links if absent. */
  links?: WorkerLinks;
  /** Ends the worker like SIGTERM; if given, signals are ignored. */
  signal?: AbortSignal;
  /** Called once the worker takes tasks. */
  onReady?(): void;
  /** Writes to the process's own log; silent if absent. */
  log?(text: string): void;
}

/**
 * Resolves after the graceful end. Rejects with `worker/arch`, `worker/twin`, `worker/no-server`, `engine/*`,
 * `temporal/unreachable`.
 */
export async function run(options: ArchWorkerOptions): Promise<void> {
  try {
    await withLinks(options.settings, options.links, (links) => runOnEngine(options, links));
  } catch (error) {
    if (!options.links) await tellWithoutTemporal(options, error);
    throw error;
  }
}

/** The server may be there although Temporal is not: it hears why this worker does not come. */
export async function tellWithoutTemporal(
  options: Omit<ArchWorkerOptions, 'links'>,
  error: unknown,
): Promise<void> {
  const isIt = error instanceof DavitError && error.code === 'temporal/unreachable';
  if (!isIt || options.signal?.aborted) return;
  try {
    const ports = await wireWorker(options.settings, { deadlineMs: TELL_MS });
    const config = await readWorkerConfig(options.configFile);
    await orReport({ options, config, ports }, () => Promise.reject(error));
  } catch {
    // The first error is the one that counts.
  }
}

async function runOnEngine(options: ArchWorkerOptions, { ports, temporal }: WorkerLinks): Promise<void> {
  const { settings } = options;
  const config = await readWorkerConfig(options.configFile);
  const engine = await ports.engine(options.dockerAddress, options.log);
  const say = options.log ?? (() => undefined);
  const buildCache = watchBuildCache({
    engine,
    maxBytes: config.build_cache_bytes,
    trouble: (error) => say(messageOf(error)),
  });
  try {
    const ensureHelper = helperEnsurer({ engine, ports, path: settings.path });
    const starting = { options, config, engine, ports };
    const ability = await orReport(starting, async () => {
      await ensureHelper();
      return checkEngine({
        engine,
        config,
        arches: options.arches,
        emulation: options.emulation === true,
        installation: ports.facts.installation,
        helperImage: ports.facts.config.helper_image,
      });
    });
    const report = reportOf({ options, config, ability });
    const presence = await orReport({ ...starting, ability }, () =>
      ArchPresence.claim(
        {
          ports,
          engine,
          ensureHelper,
          report,
          buildCache,
          log: say,
          askTemporal: () => askTemporal(temporal.client, temporalAddress(settings)),
        },
        options.signal,
      ),
    );
    const egress = guardEgress({ engine, facts: ports.facts, config, ensureHelper, log: options.log });
    try {
      await serve({ options, ports, config, engine, ensureHelper, ability, presence, egress, ...temporal });
    } finally {
      await egress.stop();
    }
  } finally {
    await buildCache.stop();
    await engine.close();
  }
}

/** A worker that cannot start says so in the fleet too. */
async function orReport<T>(
  starting: Pick<ArchWorkerParts, 'options' | 'config' | 'ports'> & { ability?: Ability },
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (starting.options.signal?.aborted) throw error;
    const address = starting.options.dockerAddress ?? starting.options.settings.dockerHost;
    const unknown = { hostId: '', hostName: printable(address), emulated: [] };
    const report = reportOf({ ability: unknown, ...starting });
    await reportFailure(starting.ports.fleet, { ...report, failed: troubleOf(error) });
    throw error;
  }
}

interface ArchWorkerParts {
  options: ArchWorkerOptions;
  ports: WorkerPorts;
  config: WorkerConfig;
  engine: Engine;
  ensureHelper(): Promise<void>;
  ability: Ability;
  presence: ArchPresence;
  egress: EgressGuard;
  connection: NativeConnection;
  converter: TemporalLinks['converter'];
  client: Client;
}

async function serve(serving: ArchWorkerParts): Promise<void> {
  const { options, ports, engine, ability, presence } = serving;
  const say = options.log ?? (() => undefined);
  const trouble = (error: unknown): void => say(messageOf(error));
  const stopping = new AbortController();
  const unlisten = onStop(options.signal, () => stopping.abort());
  const background = new Set<Promise<unknown>>();
  const deps = jobDeps(serving, stopping.signal, (work) => {
    const settled = work.catch(trouble).finally(() => background.delete(settled));
    background.add(settled);
  });
  const { cleanup_age: minAgeMs, cleanup_every: everyMs } = ports.facts.config.limits;
  const { installation } = ports.facts;
  const janitor = { engine, installation, workflows: deps.workflows, minAgeMs, everyMs };
  try {
    const { client } = serving;
    const self = selfOf(serving);
    await cleanUpAtStart({ ...deps, client, self, janitor, trouble, signal: stopping.signal });
    const workers = await createWorkers(serving, deps);
    const cleaning = runJanitor(janitor, trouble);
    const ended = untilEnded(workers, presence, stopping);
    say(`serves ${queues(serving).join(', ')} on ${ability.hostName}`);
    options.onReady?.();
    try {
      await ended;
    } finally {
      await cleaning.stop();
      await Promise.all(background);
    }
  } finally {
    unlisten();
  }
}

function jobDeps(
  serving: ArchWorkerParts,
  stopping: AbortSignal,
  background: JobDeps['background'],
): JobDeps {
  const { ports, engine, client, ability, config, options } = serving;
  const { hostId, hostName, emulated } = ability;
  const tags = [...options.arches, ...config.tags];
  const { installation, url, config: known } = ports.facts;
  const workflows = workflowLookup(client);
  const of = { engine, installation, url, workflows, minAgeMs: known.limits.cleanup_age };
  const identity = identityText(selfOf(serving));
  return {
    ...ports,
    attempt: (ref) => ports.attempt({ ...ref, identity }),
    engine,
    ensureHelper: serving.ensureHelper,
    egressProblem: serving.egress.problem,
    workflows,
    freeDiskSpace: makeFreeDiskSpace({ ...of, pruneBuildCache: config.prune_build_cache }),
    ack: heartbeatAck(client),
    announce: ({ workflowId, runId }, started) =>
      client.workflow.getHandle(workflowId, runId).signal(SIGNALS.jobStarted, started),
    worker: { hostId, hostName, version: VERSION, config, arches: options.arches, emulated, tags },
    stopping,
    background,
  };
}

const selfOf = ({ ability, options, ports }: ArchWorkerParts): WorkerIdentity => ({
  hostId: ability.hostId,
  arches: options.arches,
  worker: ports.facts.worker,
});

function queues({ options, config }: ArchWorkerParts): string[] {
  const own = [...new Set([...options.arches, ...config.tags.filter((tag) => !isArch(tag)).map(tagQueue)])];
  return config.forks ? [...own, ...own.map(forkQueue)] : own;
}

async function createWorkers(serving: ArchWorkerParts, deps: JobDeps): Promise<Worker[]> {
  const { options, ports, config, ability, presence, connection, converter } = serving;
  const common = {
    connection,
    ...converter,
    namespace: options.settings.temporalNamespace,
    identity: identityText(selfOf(serving)),
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  } as const;
  const buildImage = makeBuildImage({
    frontends: config.frontends,
    forkBuilder: config.fork_builder,
    limits: { memoryBytes: config.memory, cpus: config.cpus, pids: config.pids },
    egressProblem: serving.egress.problem,
    ...ports,
    ...(deps.attempt && { attempt: deps.attempt }),
    engine: deps.engine,
    freeDiskSpace: deps.freeDiskSpace,
    host: ability.hostId,
    hostName: ability.hostName,
    tags: deps.worker.tags,
    scope: config,
    variant: config.variant,
  });
  const arch = { ...makeArchActivities(deps), buildImage };
  const made = queues(serving).map((taskQueue) =>
    Worker.create({
      ...common,
      taskQueue,
      activities: { ...arch },
      tuner: gatedTuner(presence.gate, config.slots),
      interceptors: { activity: [presence.jobs.interceptor(presence.gate)] },
      ...pollers(4),
    }),
  );
  const host = Worker.create({
    ...common,
    taskQueue: hostQueue(ability.hostId),
    activities: { ...makeHostActivities(deps) },
    interceptors: { activity: [presence.jobs.interceptor()] },
    maxConcurrentActivityTaskExecutions: HOST_SLOTS,
    ...pollers(2),
  });
  return Promise.all([...made, host]);
}

/** A failed one ends all: a worker that serves only half of its queues would be worse than none. */
async function untilEnded(
  workers: readonly Worker[],
  presence: ArchPresence,
  stopping: AbortController,
): Promise<void> {
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const orStop = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      stopping.abort();
      throw error;
    });
  const present = orStop(presence.run());
  const running = workers.map((worker) => orStop(worker.run()));
  stopping.signal.addEventListener('abort', stop, { once: true });
  if (stopping.signal.aborted) stop();
  const ends = await Promise.allSettled(running);
  await presence.stop();
  ends.push(...(await Promise.allSettled([present])));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

const reportOf = ({
  options,
  config,
  ability,
}: Pick<ArchWorkerParts, 'options' | 'config' | 'ability'>): Report => ({
  id: identityText({ hostId: ability.hostId, arches: options.arches }),
  hostId: ability.hostId,
  hostName: ability.hostName,
  ...(options.name !== undefined && { name: options.name }),
  arches: [...options.arches],
  emulated: ability.emulated,
  tags: [...options.arches, ...config.tags],
  targets: [],
  deviceTags: Object.keys(config.devices),
  slots: config.slots,
  forks: config.forks,
  version: VERSION,
});
