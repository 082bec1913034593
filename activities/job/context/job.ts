/** One attempt under way: what its activity has in hand. */
import { type Arch, isArch } from '../../../src/plan/model/ids.ts';
import type { ApitestSpec, ScriptSpec } from '../../../src/plan/model/spec.ts';
import type { RunInput } from '../../contract.ts';
import { retryUntilReachable } from '../../runtime/retry.ts';
import type { JobDeps } from './deps.ts';
import { ContainerLog } from '../../runtime/log/container-log.ts';
import { readSpec } from '../../runtime/spec.ts';
import type { ActivityLease } from '../../runtime/activity-lease.ts';
import { type Identity, identityOf } from '../../runtime/container-names.ts';

export type ContainerSpec = ScriptSpec | ApitestSpec;

export interface Job extends Identity {
  deps: JobDeps;
  input: RunInput;
  spec: ContainerSpec;
  lease: ActivityLease;
  log: ContainerLog;
  /** Ends every attempt to reach the stores. */
  storeLimit: AbortController;
  startedAt: number;
}
/** How far the start of a container has come; only the phase before supervision has it. */
export interface StartProgress {
  /**
   * The engine was asked to start the container: without its response it is unknown whether the script has
   * begun.
   */
  startAsked: boolean;
}

/**
 * Fetches the spec and opens the log under this attempt's epoch. Rejects with `blob/missing`, `log/fenced`,
 * `ActivityEnded`.
 */
export async function openJob(deps: JobDeps, input: RunInput, lease: ActivityLease): Promise<Job> {
  const storeLimit = new AbortController();
  const giveUp = (): void => storeLimit.abort(lease.signal.reason);
  lease.signal.addEventListener('abort', giveUp);
  lease.signal.throwIfAborted();
  const identity = identityOf(deps.facts.installation, lease.run, input.ref);
  try {
    const [spec, log] = await Promise.all([
      // Neither a container that may be running nor a job that has its turn is given up for a store that is
      // away.
      retryUntilReachable(storeLimit.signal, () => loadSpec(deps, input)),
      ContainerLog.open({
        store: deps.logs,
        ref: input.ref,
        epoch: input.ref.epoch,
        capBytes: deps.facts.config.limits.log_bytes,
        signal: storeLimit.signal,
        container: identity.name,
      }),
    ]);
    return { ...identity, deps, input, spec, lease, log, storeLimit, startedAt: deps.now() };
  } finally {
    // From here on the end of the activity is not an end of its log.
    lease.signal.removeEventListener('abort', giveUp);
  }
}

const loadSpec = (deps: JobDeps, input: RunInput): Promise<ContainerSpec> =>
  readSpec(deps.blobs, input.spec, input.kind === 'apitest' ? 'apitest' : 'script');

/** What the job names, else the queue that it came by, else what this worker runs first. */
export function archOf({ spec, input, deps, lease }: Job): Arch {
  const named = spec.arch ?? input.tags.find(isArch);
  const queue = isArch(lease.taskQueue) ? lease.taskQueue : undefined;
  return named ?? queue ?? deps.worker.arches[0] ?? 'amd64';
}
