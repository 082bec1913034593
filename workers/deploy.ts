/**
 * The worker of one deploy target: polls `deploy-TARGET` and reports to the server that the target has a
 * worker. The project workflow's lock allows one deployment per environment at a time; several services of
 * one target may be deployed in parallel.
 */
import { hostname } from 'node:os';
import { Worker } from '@temporalio/worker';
import { makeDeployActivities } from '../activities/index.ts';
import type { DeployTarget } from '../src/adapters/ports.ts';
import type { Settings } from '../src/config.ts';
import type { MachineChecks } from '../src/plan/model/fleet.ts';
import { deployQueue } from '../src/plan/model/queues.ts';
import { VERSION } from '../src/version.ts';
import type { WorkerPorts } from '../src/wiring.ts';
import { identityText } from './parts/identity.ts';
import { withLinks, type WorkerLinks } from './parts/links.ts';
import { pollers } from './parts/pollers.ts';
import { gatedTuner } from './parts/fleet/gate.ts';
import { troubleOf } from './parts/fleet/engine-watch.ts';
import type { Report } from './parts/fleet/presence.ts';
import { SimplePresence } from './parts/fleet/simple-presence.ts';
import { detachHere, stopOnSignal, writeStderr } from './parts/process.ts';

/** Longer than one call to an engine; a watch that is ended by it continues at the next worker. */
const GRACE = '5s';
const FORCE = '20s';
const SLOTS = 20;
const POLL_MS = 500;

export interface DeployWorkerOptions {
  settings: Settings;
  /** Name in `targets` of the installation file. */
  target: string;
  /** As people know its machine; that of its token, or of this machine, if absent. */
  name?: string;
  /** Engine of a swarm manager; overrides the installation file. */
  dockerAddress?: string;
  /** Deploys only to a swarm that davit made, or that a person has allowed. */
  permittedOnly?: boolean;
  /** Passed by a process with several workers; a worker opens its own links if absent. */
  links?: WorkerLinks;
  /** Ends the worker like SIGTERM; if given, signals are ignored. */
  signal?: AbortSignal;
  /** Called once the worker takes tasks. */
  onReady?(): void;
}

/**
 * Resolves after the graceful end. Rejects with `deploy/unknown-target`, `worker/no-server`,
 * `temporal/unreachable`.
 */
export const run = (options: DeployWorkerOptions): Promise<void> =>
  withLinks(options.settings, options.links, (links) => serve(options, links));

async function serve(options: DeployWorkerOptions, links: WorkerLinks): Promise<void> {
  const { dockerAddress: address, permittedOnly } = options;
  const onProblem = (text: string): void => writeStderr(`deploy-${options.target}: ${text}`);
  const target = await links.ports.target(options.target, { address, permittedOnly, onProblem });
  try {
    await serveTarget(options, links, target);
  } finally {
    await target.close();
  }
}

async function serveTarget(
  options: DeployWorkerOptions,
  { ports, temporal }: WorkerLinks,
  target: DeployTarget,
): Promise<void> {
  const { settings, target: name } = options;
  const self = { hostId: `deploy-${name}`, arches: [], worker: ports.facts.worker };
  const identity = identityText(self);
  await detachHere(temporal.client, self, ports.facts.installation);
  const presence = new SimplePresence({
    ports,
    report: reportOf(options),
    check: () => checksOf(ports, target),
  });
  const worker = await Worker.create({
    connection: temporal.connection,
    ...temporal.converter,
    namespace: settings.temporalNamespace,
    identity,
    taskQueue: deployQueue(name),
    activities: {
      ...makeDeployActivities({
        ...ports,
        attempt: (of) => ports.attempt({ ...of, identity }),
        target,
        timing: timingOf(ports),
      }),
    },
    tuner: gatedTuner(presence.gate, SLOTS),
    interceptors: { activity: [presence.jobs.interceptor()] },
    ...pollers(2),
    maxHeartbeatThrottleInterval: '5s',
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  });
  const stop = stopOnSignal(worker, options.signal);
  options.onReady?.();
  try {
    await worker.run();
  } finally {
    stop();
    await presence.stop();
  }
}

/** Polls often enough to see that the target is stable for the required time. */
function timingOf(ports: WorkerPorts): { pollMs: number; stableMs: number } {
  const stableMs = ports.facts.config.limits.deploy_stable;
  return { stableMs, pollMs: Math.min(POLL_MS, Math.max(50, stableMs / 4)) };
}

function reportOf({ target, name }: DeployWorkerOptions): Report {
  const hostName = hostname();
  return {
    id: `deploy-${target}@${hostName}:${process.pid}`,
    hostId: `deploy-${target}`,
    hostName,
    ...(name !== undefined && { name }),
    arches: [],
    emulated: [],
    tags: [],
    targets: [target],
    deviceTags: [],
    slots: SLOTS,
    version: VERSION,
  };
}

/** Whether the nodes of its swarm are there. Never rejects. */
async function checksOf(ports: WorkerPorts, target: Pick<DeployTarget, 'nodes'>): Promise<MachineChecks> {
  try {
    return { nodes: await target.nodes(), at: ports.now() };
  } catch (error) {
    return { troubles: [troubleOf(error)], at: ports.now() };
  }
}
