/** The pipeline's side of the locks: asks the project workflow by signal, waits for its answer by signal. */
import { CancellationScope, getExternalWorkflowHandle, Trigger, workflowInfo } from '@temporalio/workflow';
import type { EnvironmentChange } from '../../src/plan/policy/environments.ts';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import {
  SIGNALS,
  type LockGrant,
  type LockRelease,
  type LockRequest,
  type PipelineInput,
} from '../../src/plan/model/protocol.ts';

export interface WantedLock {
  resource: string;
  mode: LockRequest['mode'];
  deployment: boolean;
}

/**
 * Locks a job needs, always in this order, so that two jobs never wait for each other. Actions prepare, verify and access
 * make no deployment. A deploy job without `environment:` still deploys somewhere: its target stands for it.
 */
export function wantedLocks(job: PlanJob): WantedLock[] {
  const action = job.environment?.action;
  const name = job.environment?.name ?? (job.kind === 'deploy' ? `target:${job.target ?? ''}` : undefined);
  const environment =
    name !== undefined && (action === undefined || action === 'start' || action === 'stop')
      ? [{ resource: `environment:${name}`, mode: 'unordered' as const, deployment: action !== 'stop' }]
      : [];
  const group = job.resourceGroup
    ? [
        {
          resource: `resource:${job.resourceGroup}`,
          mode: job.resourceMode ?? 'unordered',
          deployment: false,
        },
      ]
    : [];
  return [...environment, ...group];
}

type Released = [deployed: boolean, change?: EnvironmentChange];

export class LockClient {
  readonly #input: PipelineInput;
  #asked = new Map<string, Trigger<LockGrant>>();
  #announced = new Set<PlanJob>();

  constructor(input: PipelineInput) {
    this.#input = input;
  }

  /** The ordered modes look at jobs whose turn has not come: tells the project of them, before anything else is asked. */
  announce(jobs: readonly PlanJob[]): void {
    for (const job of jobs)
      for (const wanted of wantedLocks(job)) {
        if (wanted.mode !== 'oldest_first' && wanted.mode !== 'newest_first') continue;
        this.#announced.add(job);
        // A project that is not there keeps no order; the request that follows says so.
        this.#tell(SIGNALS.lockRequest, this.#request(job, wanted, false)).catch(() => undefined);
      }
  }

  /** A job that ended without its turn: nobody need wait for it. */
  async withdraw(job: PlanJob): Promise<void> {
    if (!this.#announced.delete(job)) return;
    for (const wanted of wantedLocks(job)) await this.release(job, wanted.resource, false);
  }

  /** Resolves to the grant, or to its refusal (outdated). Cancelled while it waits, it gives the request back first. */
  async acquire(job: PlanJob, wanted: WantedLock): Promise<LockGrant> {
    const key = keyOf({ job: job.key, resource: wanted.resource });
    const answer = new Trigger<LockGrant>();
    this.#asked.set(key, answer);
    this.#announced.delete(job);
    try {
      await this.#tell(SIGNALS.lockRequest, this.#request(job, wanted, true));
      return await answer;
    } catch (error) {
      await this.release(job, wanted.resource, false);
      throw error;
    } finally {
      this.#asked.delete(key);
    }
  }

  /** Never fails the job: a project that is gone holds no lock. */
  async release(job: PlanJob, resource: string, ...more: Released): Promise<void> {
    const [deployed, change] = more;
    const { runId } = workflowInfo();
    const environment = resource.startsWith('environment:') ? change : undefined;
    const release: LockRelease = {
      pipeline: this.#input.id,
      runId,
      job: job.key,
      resource,
      deployed,
      ...(environment && { environment }),
    };
    try {
      await CancellationScope.nonCancellable(() => this.#tell(SIGNALS.lockRelease, release));
    } catch {
      // The project's workflow is not there; the project that comes after it starts with no lock held.
    }
  }

  granted(grant: LockGrant): void {
    this.#asked.get(keyOf(grant))?.resolve(grant);
  }

  #request(job: PlanJob, wanted: WantedLock, ready: boolean): LockRequest {
    const { workflowId, runId } = workflowInfo();
    return {
      pipeline: this.#input.id,
      workflowId,
      runId,
      iid: this.#input.order ?? this.#input.iid,
      job: job.key,
      ready,
      ...wanted,
    };
  }

  #tell(signal: string, payload: LockRequest | LockRelease): Promise<void> {
    return getExternalWorkflowHandle(projectWorkflowId(this.#input.trigger.project)).signal(signal, payload);
  }
}

const keyOf = (of: Pick<LockGrant, 'job' | 'resource'>): string => JSON.stringify([of.job, of.resource]);
