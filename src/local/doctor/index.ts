/** `davit doctor`: checks everything that davit needs on this machine, with a remedy for each problem. */
import type { Settings } from '../../config.ts';
import { HELPER_IMAGE } from '../../installation.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { TemporalUi } from '../../plan/policy/temporal-links.ts';
import type { CommitStatuses, Reconciliation } from '../../server/api.ts';
import { liveRun } from '../process/run-file.ts';
import { acceptedVersions } from './accepted-versions.ts';
import { checkCertificates } from './certificates.ts';
import { finding, ok, warn, type Finding } from './check.ts';
import { checkStatusRights } from './commit-statuses.ts';
import { locateEngine, type LocatedEngine } from '../setup/locate-engine.ts';
import { checkEngine } from './engine.ts';
import { checkMachine } from './machine.ts';
import { checkProtectedRefs } from './protected-refs.ts';
import { checkServices } from './services.ts';
import { examineWorkerMachine, type WorkerMachine } from './worker-machine.ts';

export type { Finding, Verdict } from './check.ts';

export interface DoctorOptions {
  settings: Settings;
  /** Requests the workers from the server. */
  workers(): Promise<WorkerReport[]>;
  /** Requests from the server when projects were last compared with their forge. */
  reconciliation(): Promise<Reconciliation[]>;
  /** Requests from the server how commits are told to the forges. */
  commitStatuses(): Promise<CommitStatuses[]>;
  /** Where Temporal's UI is, for links. */
  temporalUi(): Promise<TemporalUi | undefined>;
}

/**
 * All findings, in the order in which to fix them. Changes nothing except short-lived containers; never
 * rejects.
 */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const run = await liveRun(options.settings);
  const located = await locateEngine(options.settings, run ? 'running' : 'first');
  const { settings } = located;
  const worker = run ? undefined : await workerMachine(settings);
  const registries = worker?.facts?.config.registries ?? [];
  const own = settings.registry ?? run?.registry;
  const [machine, engine, services, refs, rights, certificates] = await Promise.all([
    checkMachine(settings, worker ? 'worker' : 'server'),
    checkEngine({
      settings,
      helperImage:
        settings.helperImage ?? run?.helperImage ?? worker?.facts?.config.helper_image ?? HELPER_IMAGE,
      registries: [...new Set([...(own === undefined ? [] : [own]), ...registries.map(({ host }) => host)])],
      accepted: await acceptedVersions(settings),
      isWorker: worker !== undefined,
    }),
    checkServices({
      ...options,
      settings,
      run,
      ...(worker && { facts: worker.facts }),
      isWorker: worker !== undefined,
    }),
    checkProtectedRefs(settings),
    checkStatusRights(settings),
    checkCertificates(settings),
  ]);
  return [
    ...machine,
    locationFinding(located),
    ...(worker?.findings ?? []),
    ...engine,
    ...services,
    ...refs,
    ...rights,
    ...certificates,
  ];
}

/** Which engine is used and why; and what a person would have expected instead. */
export function locationFinding({ settings, by, passed }: LocatedEngine): Finding {
  const name = 'address of the engine';
  const found = `${settings.dockerHost} (${by})`;
  if (passed.length === 0) return ok(name, found);
  const instead = passed.map((one) => `${one.by}: ${one.problem}`).join('\n');
  return warn(
    name,
    `${found}; not used: ${instead}`,
    'Start that engine, or choose one: `docker context use NAME`, or DOCKER_HOST.',
  );
}

async function workerMachine(settings: Settings): Promise<WorkerMachine | undefined> {
  try {
    return await examineWorkerMachine(settings);
  } catch (error) {
    return {
      findings: await finding('server', async () => {
        throw error;
      }),
    };
  }
}

/** True if nothing that davit needs is missing. */
export const isHealthy = (findings: readonly Finding[]): boolean =>
  findings.every((one) => one.verdict !== 'fail');
