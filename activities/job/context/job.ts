/** One attempt in progress, as its activity sees it. */
import { type Arch, isArch } from '../../../src/plan/model/ids.ts';
import { archOfQueue } from '../../../src/plan/model/queues.ts';
import type { ImageInfo } from '../../../src/adapters/ports.ts';
import type { ApitestSpec, ScriptSpec } from '../../../src/plan/model/spec.ts';
import type { RunInput } from '../../contract.ts';
import { retryUntilReachable } from '../../runtime/retry-policies.ts';
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
  /** Ends all retries of requests to the stores. */
  storeLimit: AbortController;
  startedAt: number;
  /** What its container was made of, once this dispatch has found it. */
  image?: ImageInfo;
}
/** Progress of a job's start; only the phase before supervision has it. */
export interface StartProgress {
  /**
   * The engine was asked to start the container. Until it responds it is unknown whether the script has
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
      // An unreachable store ends neither a container that may be running nor a job whose turn has come.
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
    // From here on the log may continue after the activity has ended.
    lease.signal.removeEventListener('abort', giveUp);
  }
}

const loadSpec = (deps: JobDeps, input: RunInput): Promise<ContainerSpec> =>
  readSpec(deps.blobs, input.spec, input.kind === 'apitest' ? 'apitest' : 'script');

/** The job's own architecture, otherwise that of its queue, otherwise the worker's first. */
export function archOf({
  spec,
  input,
  deps,
  lease,
}: {
  spec: Pick<ContainerSpec, 'arch'>;
  input: Pick<RunInput, 'tags'>;
  deps: { worker: Pick<JobDeps['worker'], 'arches'> };
  lease: Pick<Job['lease'], 'taskQueue'>;
}): Arch {
  const named = spec.arch ?? input.tags.find(isArch);
  return named ?? archOfQueue(lease.taskQueue) ?? deps.worker.arches[0] ?? 'amd64';
}
