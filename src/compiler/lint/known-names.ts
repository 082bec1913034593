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

/** Not set yet when conditions are evaluated. */
export const KNOWN_LATER =
  /^CI_(?:PIPELINE_(?:ID|URL|CREATED_AT)|JOB_(?:ID|URL|TOKEN|STARTED_AT|STATUS)|REGISTRY_(?:USER|PASSWORD)|REPOSITORY_URL|DEPLOY_(?:USER|PASSWORD)|ENVIRONMENT_(?:SLUG|URL|ACTION|TIER)|RUNNER_\w+)$/;

const parts = (prefix: string, names: string): string[] =>
  names.split(' ').map((name) => (name === '.' ? prefix : `${prefix}_${name}`));

/** Every predefined variable of GitLab and davit. */
export const PREDEFINED: readonly string[] = [
  'CI',
  'GITLAB_CI',
  'CHAT_CHANNEL',
  'CHAT_INPUT',
  'TRIGGER_PAYLOAD',
  ...parts('DAVIT', '. TRIGGER HELPER_IMAGE ARCH'),
  ...parts('GITLAB', 'FEATURES USER_EMAIL USER_ID USER_LOGIN USER_NAME'),
  ...parts('CI', 'API_V4_URL API_GRAPHQL_URL BUILDS_DIR CONCURRENT_ID CONCURRENT_PROJECT_ID CONFIG_PATH'),
  ...parts(
    'CI',
    'DEBUG_TRACE DEBUG_SERVICES DEFAULT_BRANCH DEFAULT_BRANCH_SLUG DEPLOY_FREEZE DEPLOY_PASSWORD',
  ),
  ...parts(
    'CI',
    'DEPLOY_USER DISPOSABLE_ENVIRONMENT GITLAB_FIPS_MODE HAS_OPEN_REQUIREMENTS KUBERNETES_ACTIVE',
  ),
  ...parts(
    'CI',
    'NODE_INDEX NODE_TOTAL OPEN_MERGE_REQUESTS PAGES_DOMAIN PAGES_HOSTNAME PAGES_URL REPOSITORY_URL',
  ),
  ...parts(
    'CI',
    'SHARED_ENVIRONMENT TEMPLATE_REGISTRY_HOST TRIGGER_SHORT_TOKEN UPSTREAM_JOB_ID UPSTREAM_PIPELINE_ID',
  ),
  ...parts('CI', 'UPSTREAM_PROJECT_ID'),
  ...parts(
    'CI_COMMIT',
    'AUTHOR AUTHOR_EMAIL AUTHOR_NAME BEFORE_SHA BRANCH DESCRIPTION MESSAGE MESSAGE_IS_TRUNCATED',
  ),
  ...parts('CI_COMMIT', 'REF_NAME REF_PROTECTED REF_SLUG SHA SHORT_SHA TAG TAG_MESSAGE TIMESTAMP TITLE'),
  ...parts('CI_DEPENDENCY_PROXY', 'DIRECT_GROUP_IMAGE_PREFIX GROUP_IMAGE_PREFIX PASSWORD SERVER USER'),
  ...parts('CI_ENVIRONMENT', 'ACTION ID NAME SLUG TIER URL'),
  ...parts('CI_EXTERNAL_PULL_REQUEST', 'IID SOURCE_BRANCH_NAME SOURCE_BRANCH_SHA SOURCE_REPOSITORY'),
  ...parts('CI_EXTERNAL_PULL_REQUEST', 'TARGET_BRANCH_NAME TARGET_BRANCH_SHA TARGET_REPOSITORY'),
  ...parts('CI_JOB', 'GROUP_NAME ID IMAGE MANUAL NAME NAME_SLUG STAGE STARTED_AT STATUS TIMEOUT TOKEN URL'),
  ...parts(
    'CI_MERGE_REQUEST',
    'APPROVED ASSIGNEES DESCRIPTION DESCRIPTION_IS_TRUNCATED DIFF_BASE_SHA DIFF_ID DRAFT',
  ),
  ...parts(
    'CI_MERGE_REQUEST',
    'EVENT_TYPE ID IID LABELS MILESTONE PROJECT_ID PROJECT_PATH PROJECT_URL REF_PATH',
  ),
  ...parts(
    'CI_MERGE_REQUEST',
    'SOURCE_BRANCH_NAME SOURCE_BRANCH_PROTECTED SOURCE_BRANCH_SHA SOURCE_PROJECT_ID',
  ),
  ...parts('CI_MERGE_REQUEST', 'SOURCE_PROJECT_PATH SOURCE_PROJECT_URL SQUASH_ON_MERGE TARGET_BRANCH_NAME'),
  ...parts('CI_MERGE_REQUEST', 'TARGET_BRANCH_PROTECTED TARGET_BRANCH_SHA TITLE'),
  ...parts('CI_PIPELINE', 'CREATED_AT ID IID NAME SCHEDULE_DESCRIPTION SOURCE TRIGGERED URL'),
  ...parts(
    'CI_PROJECT',
    'CLASSIFICATION_LABEL DESCRIPTION DIR ID NAME NAMESPACE NAMESPACE_ID NAMESPACE_SLUG PATH',
  ),
  ...parts('CI_PROJECT', 'PATH_SLUG REPOSITORY_LANGUAGES ROOT_NAMESPACE TITLE TOPICS URL VISIBILITY'),
  ...parts('CI_REGISTRY', '. IMAGE PASSWORD USER'),
  ...parts('CI_RUNNER', 'DESCRIPTION EXECUTABLE_ARCH ID REVISION SHORT_TOKEN TAGS VERSION'),
  ...parts(
    'CI_SERVER',
    '. FQDN HOST NAME PORT PROTOCOL REVISION SHELL_SSH_HOST SHELL_SSH_PORT TLS_CA_FILE TLS_CERT_FILE',
  ),
  ...parts('CI_SERVER', 'TLS_KEY_FILE URL VERSION VERSION_MAJOR VERSION_MINOR VERSION_PATCH'),
];
