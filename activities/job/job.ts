/** One attempt under way: what its activity has in hand. */
import { type Arch, isArch } from '../../src/plan/ids.ts';
import type { ApitestSpec, ScriptSpec } from '../../src/plan/spec.ts';
import type { RunInput } from '../contract.ts';
import { untilAnswered } from './appender.ts';
import type { JobDeps } from './deps.ts';
import { JobLog } from './job-log.ts';
import { readSpec } from '../ship/spec.ts';
import { type Identity, identityOf, type Lifeline } from './lifeline.ts';

export type ContainerSpec = ScriptSpec | ApitestSpec;

export interface Job extends Identity {
  deps: JobDeps;
  input: RunInput;
  spec: ContainerSpec;
  lifeline: Lifeline;
  log: JobLog;
  /** Ends every try to reach the stores. */
  storeLimit: AbortController;
  startedAt: number;
  /** The engine was asked to start the container: without its answer nobody knows whether the script has begun. */
  startAsked?: boolean;
}

/** Fetches the spec and opens the log under this attempt's epoch. Rejects with `blob/missing`, `log/fenced`, `Ended`. */
export async function openJob(deps: JobDeps, input: RunInput, lifeline: Lifeline): Promise<Job> {
  const storeLimit = new AbortController();
  const giveUp = (): void => storeLimit.abort(lifeline.signal.reason);
  lifeline.signal.addEventListener('abort', giveUp);
  lifeline.signal.throwIfAborted();
  const identity = identityOf(deps, lifeline.run, input.ref);
  try {
    const [spec, log] = await Promise.all([
      // Neither a container that may be running nor a job that has its turn is given up for a store that is away.
      untilAnswered(storeLimit.signal, () => loadSpec(deps, input)),
      JobLog.open({
        store: deps.logs,
        ref: input.ref,
        epoch: input.ref.epoch,
        capBytes: deps.facts.config.limits.log_bytes,
        signal: storeLimit.signal,
        container: identity.name,
      }),
    ]);
    return { ...identity, deps, input, spec, lifeline, log, storeLimit, startedAt: deps.now() };
  } finally {
    // From here on the end of the activity is no end of its log.
    lifeline.signal.removeEventListener('abort', giveUp);
  }
}

const loadSpec = (deps: JobDeps, input: RunInput): Promise<ContainerSpec> =>
  readSpec(deps.blobs, input.spec, input.kind === 'apitest' ? 'apitest' : 'script');

/** What the job names, else the queue that it came by, else what this worker runs first. */
export function archOf({ spec, input, deps, lifeline }: Job): Arch {
  const named = spec.arch ?? input.tags.find(isArch);
  const queue = isArch(lifeline.taskQueue) ? lifeline.taskQueue : undefined;
  return named ?? queue ?? deps.worker.arches[0] ?? 'amd64';
}
