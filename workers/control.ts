/**
 * The control worker: runs the workflows and the activities of queue `control`. Any number of them may run.
 * SIGTERM and SIGINT end it gracefully: it takes no new task, running activities get `GRACE`, and another
 * worker continues the workflows.
 */
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import type { ControlActivities } from '../activities/contract.ts';
import { makeControlActivities } from '../activities/index.ts';
import type { Settings } from '../src/config.ts';
import { CONTROL_QUEUE } from '../src/plan/model/queues.ts';
import { workflowBundle } from '../src/temporal/bundle.ts';
import { provenStart, reconcileLookup, workflowLookup } from '../src/temporal/calls.ts';
import { VERSION } from '../src/version.ts';
import { wireWorker, type WorkerPorts } from '../src/wiring.ts';
import { ChangeSender, changeSinks } from './parts/changes.ts';
import { identityText } from './parts/identity.ts';
import { openTemporal, type TemporalLinks, type WorkerLinks } from './parts/links.ts';
import { pollers } from './parts/pollers.ts';
import type { Report } from './parts/fleet/presence.ts';
import { SimplePresence } from './parts/fleet/simple-presence.ts';
import { detachHere, writeStderr, stopOnSignal } from './parts/process.ts';
import { runReconciler, type ReconcilerOptions } from './parts/reconciler.ts';

/** Longer than the last request of a push, shorter than the time after which supervisors kill. */
const GRACE = '8s';
/** An activity that ignores its cancel must not keep the process alive. */
const FORCE = '20s';
/** About 100 KB each; dropped ones are replayed. */
const CACHED_WORKFLOWS = 300;

const SELF = { hostId: 'control', arches: [] };

export interface ControlOptions {
  settings: Settings;
  /** Passed by tests; otherwise made from `activities/index.ts`. */
  activities?: ControlActivities;
  /** Passed by a process with several workers; a worker opens its own links if absent. */
  links?: WorkerLinks;
  /** Ends the worker like SIGTERM; if given, signals are ignored. */
  signal?: AbortSignal;
  /** Called once the worker takes tasks. */
  onReady?(): void;
}

/** Resolves after the graceful end. Rejects with `temporal/unreachable`, or if the worker itself fails. */
export async function run(options: ControlOptions): Promise<void> {
  const { settings } = options;
  if (options.links) return serve(options, options.links.temporal, options.links.ports);
  const temporal = await openTemporal(settings);
  try {
    await serve(options, temporal, options.activities ? undefined : await wireWorker(settings));
  } finally {
    await temporal.close();
  }
}

async function serve(
  options: ControlOptions,
  { client, connection, converter }: TemporalLinks,
  ports: WorkerPorts | undefined,
): Promise<void> {
  const { settings } = options;
  const workflows = { ...workflowLookup(client), ...(ports && { start: provenStart(client, ports.prover) }) };
  await detachHere(client, SELF, '');
  const activities = options.activities ?? (ports && makeControlActivities({ ...ports, workflows }));
  const sender = ports && new ChangeSender(ports.changes);
  const worker = await Worker.create({
    connection,
    ...converter,
    namespace: settings.temporalNamespace,
    identity: identityText(SELF),
    taskQueue: CONTROL_QUEUE,
    workflowBundle: await workflowBundle(settings.cache),
    activities: { ...activities },
    sinks: changeSinks((change) => sender?.tell(change)),
    maxCachedWorkflows: CACHED_WORKFLOWS,
    maxConcurrentActivityTaskExecutions: 50,
    ...pollers(5),
    // How long workflows wait for a worker that was killed before any other takes them; the SDK's 10 s is
    // long for a person.
    stickyQueueScheduleToStartTimeout: '3s',
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  });
  const presence = ports && new SimplePresence({ ports, report: reportOf() });
  const stop = stopOnSignal(worker, options.signal);
  options.onReady?.();
  const reconciler = ports && runReconciler(reconciling(ports, client));
  try {
    await worker.run();
  } finally {
    stop();
    await Promise.all([reconciler?.stop(), presence?.stop()]);
  }
}

const reportOf = (): Report => ({
  id: `control@${hostname()}:${process.pid}`,
  hostId: 'control',
  hostName: hostname(),
  control: true,
  arches: [],
  emulated: [],
  tags: [],
  targets: [],
  deviceTags: [],
  slots: 0,
  version: VERSION,
});

const reconciling = (ports: WorkerPorts, client: Client): ReconcilerOptions => ({
  ...ports,
  ...reconcileLookup(client),
  start: provenStart(client, ports.prover),
  say: writeStderr,
});
