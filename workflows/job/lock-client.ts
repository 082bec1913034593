/** The pipeline's side of the locks: requests and grants are signals between it and the project workflow. */
import { CancellationScope, getExternalWorkflowHandle, Trigger, workflowInfo } from '@temporalio/workflow';
import type { EnvironmentChange } from '../../src/plan/model/environments.ts';
import type { LockGrant, LockRelease, LockRequest } from '../../src/plan/model/locks.ts';
import { projectWorkflowId } from '../../src/plan/model/ids.ts';
import type { PlanJob } from '../../src/plan/model/plan.ts';
import { SIGNALS, type PipelineInput } from '../../src/plan/model/protocol.ts';

export interface WantedLock {
  resource: string;
  mode: LockRequest['mode'];
  deployment: boolean;
}

/**
 * Locks that a job needs, always in this order, so that two jobs never wait for each other. The actions
 * prepare, verify and access do not deploy. A deploy job without `environment:` still deploys somewhere: its
 * target takes that place.
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

export class LockClient {
  readonly #input: PipelineInput;
  #requested = new Map<string, Trigger<LockGrant>>();
  #announced = new Set<PlanJob>();

  constructor(input: PipelineInput) {
    this.#input = input;
  }

  /**
   * The ordered modes consider jobs whose turn has not come: announces these before any lock is requested.
   */
  announce(jobs: readonly PlanJob[]): void {
    for (const job of jobs)
      for (const wanted of wantedLocks(job)) {
        if (wanted.mode !== 'oldest_first' && wanted.mode !== 'newest_first') continue;
        this.#announced.add(job);
        // Without a project workflow there is no order to keep; the request that follows fails and reports
        // it.
        this.#signal(SIGNALS.lockRequest, this.#request(job, wanted, false)).catch(() => undefined);
      }
  }

  /** For a job that ended without its turn: no other job has to wait for it. */
  async withdraw(job: PlanJob): Promise<void> {
    if (!this.#announced.delete(job)) return;
    for (const wanted of wantedLocks(job)) await this.release(job, wanted.resource, false);
  }

  /**
   * Resolves to the grant, or to its refusal (outdated). `asked`: a person has asked to run the job again. If cancelled while it waits, it withdraws the
   * request first.
   */
  async acquire(job: PlanJob, wanted: WantedLock, asked = false): Promise<LockGrant> {
    const key = keyOf({ job: job.key, resource: wanted.resource });
    const reply = new Trigger<LockGrant>();
    this.#requested.set(key, reply);
    this.#announced.delete(job);
    try {
      await this.#signal(SIGNALS.lockRequest, {
        ...this.#request(job, wanted, true),
        ...(asked && wanted.deployment && { asked }),
      });
      return await reply;
    } catch (error) {
      await this.release(job, wanted.resource, false);
      throw error;
    } finally {
      this.#requested.delete(key);
    }
  }

  /** Never fails the job: a project that is gone holds no lock. */
  async release(
    job: PlanJob,
    resource: string,
    deployed: boolean,
    change?: EnvironmentChange,
  ): Promise<void> {
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
      await CancellationScope.nonCancellable(() => this.#signal(SIGNALS.lockRelease, release));
    } catch {
      // The project workflow is not running; the next one starts with no lock held.
    }
  }

  granted(grant: LockGrant): void {
    this.#requested.get(keyOf(grant))?.resolve(grant);
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

  #signal(signal: string, payload: LockRequest | LockRelease): Promise<void> {
    return getExternalWorkflowHandle(projectWorkflowId(this.#input.trigger.project)).signal(signal, payload);
  }
}

const keyOf = ({ job, resource }: Pick<LockGrant, 'job' | 'resource'>): string =>
  JSON.stringify([job, resource]);
