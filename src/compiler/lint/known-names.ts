/**
 * Names with a meaning in GitLab or davit, for comparison with misspelt ones. Source: GitLab's reference
 * pages.
 */

/** Values of CI_PIPELINE_SOURCE. */
export const PIPELINE_SOURCES: readonly string[] = [
  'push',
  'web',
  'trigger',
  'schedule',
  'api',
  'merge_request_event',
  'pipeline',
  'parent_pipeline',
  'external',
  'external_pull_request_event',
  'chat',
  'webide',
  'ondemand_dast_scan',
  'ondemand_dast_validation',
  'security_orchestration_policy',
  'pipeline_execution_policy_schedule',
  'container_registry_push',
  'duo_workflow',
];

/** Words of `only` and `except`; words of three letters are too similar to branch names. */
export const POLICY_REFS: readonly string[] = [
  'branches',
  'external',
  'external_pull_requests',
  'merge_requests',
  'pipelines',
  'pushes',
  'schedules',
  'tags',
  'triggers',
];
