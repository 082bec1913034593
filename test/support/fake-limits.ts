/** Short times, so that tests of outages are short too. */
import type { Limits } from '../../activities/contract.ts';

export const LIMITS: Limits = {
  heartbeatTimeoutMs: 2_000,
  hostGraceMs: 4_000,
  queueTimeoutMs: 60_000,
  pipelineTimeoutMs: 600_000,
  cancelGraceMs: 1_000,
  releaseDelayMs: 50,
  maxPendingJobs: 100,
  autoRetries: 2,
};
