/** When a job runs, in which order, and what its failure means. */
import { z } from 'zod';
import { name, nameOrList, nestedList, writtenDuration } from './common.ts';

export const stage = name;
export const stages = nestedList.refine((names) => !names.includes(''), 'must not contain an empty name');
export const extendsList = nameOrList.refine((names) => names.length > 0, 'must not be empty');

export const dependencies = z.array(name);

export const when = z.enum(['on_success', 'on_failure', 'always', 'manual', 'delayed']);
const WEEK = 604_800_000;
export const startIn = writtenDuration.refine((ms) => ms <= WEEK, 'must not be more than one week');

const exitCode = z.number().int('must be a whole number');
const exitCodes = z.union([exitCode.transform((code) => [code]), z.array(exitCode)]);
export const allowFailure = z.union([
  z.boolean(),
  z.strictObject({ exit_codes: exitCodes }).transform((value) => value.exit_codes),
]);

/** The question to a person before a manual job starts. */
export const manualConfirmation = name.max(1_000, 'must not be longer than 1,000 characters');

/** GitLab's reasons for a retry; docs/language/failures.md maps davit's failure kinds to them. */
export const RETRY_WHEN = [
  'always',
  'unknown_failure',
  'script_failure',
  'api_failure',
  'stuck_or_timeout_failure',
  'stuck_pending_with_matching_runners',
  'stuck_pending_no_matching_runners',
  'no_updates_running',
  'no_updates_canceling',
  'runner_system_failure',
  'runner_configuration_error',
  'runner_external_dependency_failure',
  'runner_interrupted',
  'runner_unsupported',
  'stale_schedule',
  'job_execution_timeout',
  'server_timeout_running',
  'server_timeout_canceling',
  'archived_failure',
  'unmet_prerequisites',
  'scheduler_failure',
  'data_integrity_failure',
  // Missing on GitLab's page, but accepted by GitLab.
  'missing_dependency_failure',
  'no_matching_runner',
  'environment_creation_failure',
  'forward_deployment_failure',
  'failed_outdated_deployment_job',
  'protected_environment_failure',
  'deployment_rejected',
  'trace_size_exceeded',
  'builds_disabled',
  'project_deleted',
  'user_blocked',
  'ci_quota_exceeded',
  'ip_restriction_failure',
  'secrets_provider_not_found',
  'pipeline_loop_detected',
  'invalid_bridge_trigger',
  'downstream_bridge_project_not_found',
  'upstream_bridge_project_not_found',
  'insufficient_bridge_permissions',
  'insufficient_upstream_permissions',
  'bridge_pipeline_is_child_pipeline',
  'downstream_pipeline_creation_failed',
  'reached_max_descendant_pipelines_depth',
  'reached_max_pipeline_hierarchy_size',
  'reached_downstream_pipeline_trigger_rate_limit',
] as const;
const retryWhen = z.enum(RETRY_WHEN);
const retryMax = z
  .number()
  .int('must be a whole number')
  .min(0, 'must be 0, 1 or 2')
  .max(2, 'must be 0, 1 or 2');
export const retry = z.union([
  retryMax.transform((max) => ({ max, when: ['always'], exit_codes: new Array<number>() })),
  z
    .strictObject({
      max: retryMax.optional(),
      when: z.union([retryWhen.transform((one) => [one]), z.array(retryWhen)]).optional(),
      exit_codes: exitCodes.optional(),
    })
    .transform((value) => ({
      max: value.max ?? 2,
      when: value.when ?? (value.exit_codes ? [] : ['always']),
      exit_codes: value.exit_codes ?? [],
    })),
]);
const MONTH = 2_592_000_000;
export const timeout = writtenDuration
  .refine((ms) => ms >= 1_000, 'must be at least one second')
  .refine((ms) => ms <= MONTH, 'must not be more than one month');
export const interruptible = z.boolean();
export const resourceGroup = name;

const policyRefs = z.array(name);
interface Policy {
  refs?: string[];
  variables?: string[];
  changes?: string[];
  kubernetes?: 'active';
}
export const policy = z.union([
  policyRefs.transform((refs): Policy => ({ refs })),
  z
    .strictObject({
      refs: policyRefs.optional(),
      variables: z.array(z.string()).optional(),
      changes: z.array(z.string()).max(50, 'must not have more than 50 paths').optional(),
      kubernetes: z.literal('active').optional(),
    })
    .refine((value) => Object.keys(value).length > 0, 'must not be empty')
    .transform((value): Policy => value),
]);
