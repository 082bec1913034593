/** `davit doctor`: checks everything that davit needs on this machine, with a remedy for each problem. */
import type { Settings } from '../../config.ts';
import { HELPER_IMAGE } from '../../installation.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type { TemporalUi } from '../../plan/policy/temporal-links.ts';
import type { CommitStatuses, Reconciliation } from '../../server/api.ts';
import { liveRun } from '../process/run-file.ts';
import { acceptedVersions } from './accepted-versions.ts';
import { checkCertificates } from './certificates.ts';
import { finding, type Finding } from './check.ts';
import { checkStatusRights } from './commit-statuses.ts';
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
  const { settings } = options;
  const run = await liveRun(settings);
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
    ...(worker?.findings ?? []),
    ...engine,
    ...services,
    ...refs,
    ...rights,
    ...certificates,
  ];
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
