import type { BlobStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import type { Digest, JobKey } from '../../src/plan/model/ids.ts';
import type { Plan } from '../../src/plan/model/plan.ts';
import type { CompileOutput, Limits } from '../contract.ts';

type Compiled = Extract<CompileOutput, { kind: 'plan' }>;
/** The plan's blob: a Plan, and what a later run of the same pipeline must find unchanged. */
interface PlanDocument extends Plan {
  compiled: { jobIds: Record<JobKey, number>; warnings: string[]; source: Digest };
}
const MAX_PLAN_BYTES = 64 * 1024 * 1024;

export async function writeCompiled(
  blobs: BlobStore,
  plan: Plan,
  compiled: PlanDocument['compiled'],
): Promise<Digest> {
  const document: PlanDocument = { ...plan, compiled };
  return blobs.putBytes(new TextEncoder().encode(JSON.stringify(document)));
}

/** Rejects with `blob/missing` if the store lost it. */
export async function readCompiled(
  blobs: BlobStore,
  digest: Digest,
  facts: InstallationFacts,
): Promise<Compiled> {
  const value: unknown = JSON.parse(new TextDecoder().decode(await blobs.getBytes(digest, MAX_PLAN_BYTES)));
  if (!isPlanDocument(value))
    throw new DavitError('internal/defect', 'Unsupported version of a stored plan.');
  const { compiled, ...plan } = value;
  return { kind: 'plan', plan, planBlob: digest, ...compiled, limits: limitsOf(facts) };
}
const isPlanDocument = (value: unknown): value is PlanDocument =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  value.version === 1 &&
  'jobs' in value &&
  'compiled' in value;

/** The installation's timeouts and limits, in the form that workflows use. */
export function limitsOf(facts: InstallationFacts): Limits {
  const limits = facts.config.limits;
  return {
    heartbeatTimeoutMs: limits.heartbeat_timeout,
    hostGraceMs: limits.host_grace,
    queueTimeoutMs: limits.queue_timeout,
    pipelineTimeoutMs: limits.pipeline_timeout,
    cancelGraceMs: limits.cancel_grace,
    releaseDelayMs: limits.release_delay,
    maxPendingJobs: limits.max_pending_jobs,
    autoRetries: limits.auto_retries,
    approveBySignal: facts.config.approve_by_signal,
  };
}
