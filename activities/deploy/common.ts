import type {
  BlobStore,
  DeployTarget,
  LogStore,
  RecordStore,
  Registries,
  Rights,
  Secrets,
  TargetState,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { isDigest, type Digest } from '../../src/plan/model/ids.ts';
import type { DeployedState } from '../../src/plan/model/outcome.ts';
import { deployRecordName } from '../../src/plan/model/records.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import type { DeployInput } from '../contract.ts';
import type { AttemptPortsOf } from '../runtime/per-attempt.ts';
import { retryThroughStoreOutage } from '../runtime/retry-policies.ts';
import { sha256 } from '../../src/utils/sha256.ts';

export interface DeployDeps extends AttemptPortsOf {
  blobs: Pick<BlobStore, 'getBytes' | 'putBytes'>;
  records: Pick<RecordStore, 'get' | 'put'>;
  rights: Pick<Rights, 'approvals'>;
  logs: LogStore;
  secrets: Secrets;
  registries: Registries;
  facts: InstallationFacts;
  target: DeployTarget;
  /** Epoch ms by the server's clock. */
  now(): number;
  timing?: DeployTiming;
}
/** An outage of the server for minutes does not end a deployment; requests to the stores may be repeated. */
export function storesWithRetry(deps: DeployDeps, signal: AbortSignal): DeployDeps {
  const { blobs, records, registries, rights } = deps;
  const asked = <T>(work: () => Promise<T>): Promise<T> => retryThroughStoreOutage(signal, work);
  return {
    ...deps,
    blobs: {
      getBytes: (...of) => asked(() => blobs.getBytes(...of)),
      putBytes: (...of) => asked(() => blobs.putBytes(...of)),
    },
    registries: { ...registries, authForTarget: (...of) => asked(() => registries.authForTarget(...of)) },
    rights: { approvals: (question) => asked(() => rights.approvals(question)) },
    records: {
      get: (name) => asked(() => records.get(name)),
      put: (name, value) => asked(() => records.put(name, value)),
    },
  };
}

/**
 * ms. `stableMs`: how long a target must look converged before it counts (a swarm monitors a new task for 5
 * s).
 */
export interface DeployTiming {
  pollMs: number;
  stableMs: number;
}
export const DEFAULT_TIMING: DeployTiming = { pollMs: 500, stableMs: 5_000 };

/** Written before a deployment is applied, so nothing is lost if the worker dies right after applying it. */
export interface DeployRecord {
  deployId: string;
  image: string;
  /** Epoch ms, the server's clock; the convergence time is counted from here. */
  appliedAt: number;
  /** Sealed snapshot of the replaced state; absent for the first deployment of a service. */
  previous?: Digest;
}
export const recordName = (target: string, deployId: string): string =>
  deployRecordName(target, sha256(deployId));

export const deployRecord = (deps: DeployDeps, deployId: string): Promise<DeployRecord | undefined> =>
  deps.records.get<DeployRecord>(recordName(deps.target.name, deployId));

/** A snapshot contains the service's environment, so it is stored encrypted and passed as a digest. */
export async function saveSnapshot(
  deps: DeployDeps,
  snapshot: string | undefined,
): Promise<Digest | undefined> {
  if (snapshot === undefined) return undefined;
  return deps.blobs.putBytes(await deps.secrets.seal(new TextEncoder().encode(snapshot)));
}

export async function openSnapshot(deps: DeployDeps, previous: string): Promise<string> {
  if (!isDigest(previous))
    throw new DavitError('internal/defect', 'The snapshot of the target is not named by a digest.');
  return new TextDecoder().decode(await deps.secrets.unseal(await deps.blobs.getBytes(previous)));
}

/** Identifies what is deployed: the target's name and the service. */
export interface Deployed {
  deps: Pick<DeployDeps, 'target'>;
  spec: DeploySpec;
}
export const stateOf = (
  { deps, spec }: Deployed,
  id: Pick<DeployInput, 'deployId' | 'seq'>,
  more: Pick<DeployedState, 'image' | 'state' | 'pipeline'>,
): DeployedState => ({
  target: deps.target.name,
  service: spec.swarm.service,
  deployId: id.deployId,
  seq: id.seq,
  ...more,
});

/** `2 of 3 tasks run; image X; the rollout is paused; last failure: …`, quoted from the target. */
export function targetText(now: TargetState): string {
  if (!now.exists) return 'the service is not there';
  const parts = [`${now.running} of ${now.desired} tasks run`];
  if (now.image) parts.push(`image ${now.image}`);
  if (now.rollout !== 'none') parts.push(`the rollout is ${now.rollout.replace('_', ' ')}`);
  const failure = now.failures[0];
  if (failure) parts.push(`last failure: ${failure}`);
  return parts.join('; ');
}
