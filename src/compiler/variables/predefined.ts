import type { CompileRequest } from '../request.ts';
import { pagesUrl } from '../../plan/model/pages.ts';
import { eventOf } from '../../plan/model/trigger.ts';
import { VERSION } from '../../version.ts';
import { mergeRequestValues } from './merge-request.ts';
import { environmentSlug, slugify } from './slug.ts';
import type { JobConfig } from '../job-config.ts';

/**
 * The predefined variables: names and values as GitLab documents them, where they make sense outside of it.
 * docs/language/variables.md lists what is absent and why. CI_JOB_ID, CI_REGISTRY_PASSWORD and their like are
 * added by the worker.
 */
type Values = Record<string, string | undefined>;

/** CI_PIPELINE_SOURCE of a trigger. A local run counts as a push, so that rules for pushes match. */
const SOURCES = {
  push: 'push',
  tag: 'push',
  merge_request: 'merge_request_event',
  web: 'web',
  api: 'api',
  schedule: 'schedule',
  cli: 'push',
  parent_pipeline: 'parent_pipeline',
  pipeline: 'pipeline',
} as const;
export const pipelineSource = (request: CompileRequest): string => SOURCES[eventOf(request.trigger)];

export const projectDir = (request: CompileRequest): string => `/builds/${request.project.slug}`;
export const registryImage = (request: CompileRequest): string =>
  `${request.registry}/${request.project.imageRoot ?? request.project.slug}`;
export const pipelineUrl = (request: CompileRequest): string =>
  `${request.serverUrl}/pipelines/${request.project.slug}/${request.iid}`;

export const jobUrl = (request: CompileRequest, key: string): string =>
  `${pipelineUrl(request)}/jobs/${encodeURIComponent(key.toWellFormed())}`;

/** Values that are equal for every job of the pipeline. */
export function pipelineValues(request: CompileRequest): Values {
  const { trigger } = request;
  return {
    CI: 'true',
    GITLAB_CI: 'true',
    DAVIT: 'true',
    DAVIT_TRIGGER: eventOf(trigger),
    DAVIT_HELPER_IMAGE: request.helperImage,
    CI_SERVER: 'yes',
    CI_SERVER_NAME: 'davit',
    ...version(),
    ...server(request.serverUrl),
    ...commit(request),
    ...project(request),
    ...originValues(request),
    ...pagesValues(request, ''),
    CI_PIPELINE_ID: String(request.number),
    CI_PIPELINE_IID: String(request.iid),
    CI_PIPELINE_SOURCE: pipelineSource(request),
    CI_PIPELINE_URL: pipelineUrl(request),
    CI_PIPELINE_CREATED_AT: new Date(trigger.receivedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
    CI_REGISTRY: request.registry,
    CI_REGISTRY_IMAGE: registryImage(request),
    CI_BUILDS_DIR: '/builds',
    CI_DISPOSABLE_ENVIRONMENT: 'true',
    CI_TEMPLATE_REGISTRY_HOST: 'registry.gitlab.com',
    CI_API_V4_URL: request.project.gitlabApi && `${request.project.gitlabApi}/v4`,
    CI_API_GRAPHQL_URL: request.project.gitlabApi && `${request.project.gitlabApi}/graphql`,
    CI_REPOSITORY_URL: request.project.cloneUrl ?? trigger.cloneUrl,
    CI_CONFIG_PATH: request.file.name,
    CI_OPEN_MERGE_REQUESTS: request.openMergeRequests?.join(',') || undefined,
    GITLAB_USER_LOGIN: trigger.actor,
    GITLAB_USER_NAME: trigger.actor,
    ...mergeRequestValues(request),
  };
}

/** Full name of the project: in the installation file, else in the remote of a working tree, else davit's own. */
export const projectPath = ({ project, trigger }: Pick<CompileRequest, 'project' | 'trigger'>): string =>
  project.path ?? trigger.origin?.path ?? project.slug;

/** Where the project is, as the remote of a working tree says; undefined where the installation file does. */
function forgeUrl({ project, trigger: { origin } }: CompileRequest): string | undefined {
  if (project.path !== undefined || !origin) return undefined;
  return `${origin.plain ? 'http' : 'https'}://${origin.host}`;
}

/** Values that come from the remote of a working tree. */
export function originValues(request: CompileRequest): Values {
  const url = forgeUrl(request);
  return url === undefined
    ? {}
    : { ...server(url), ...names(projectPath(request)), CI_PROJECT_URL: `${url}/${projectPath(request)}` };
}

/** The server is davit. */
function version(): Values {
  const [major, minor, patch] = VERSION.split(/[.-]/);
  return {
    CI_SERVER_VERSION: VERSION,
    CI_SERVER_VERSION_MAJOR: major,
    CI_SERVER_VERSION_MINOR: minor,
    CI_SERVER_VERSION_PATCH: patch,
  };
}

function server(url: string): Values {
  if (!URL.canParse(url)) return { CI_SERVER_URL: url };
  const { protocol, host, hostname, port } = new URL(url);
  const scheme = protocol.slice(0, -1);
  return {
    CI_SERVER_URL: url,
    CI_SERVER_FQDN: host,
    CI_SERVER_HOST: hostname,
    CI_SERVER_PORT: port || (scheme === 'https' ? '443' : '80'),
    CI_SERVER_PROTOCOL: scheme,
  };
}

/** GitLab's limit of a commit message: more than a kernel passes to a program in one variable ends every job. */
const MAX_MESSAGE_BYTES = 100 * 1024;

function truncated(message: string): string {
  const bytes = new TextEncoder().encode(message);
  if (bytes.length <= MAX_MESSAGE_BYTES) return message;
  // A character that is cut in two is left out.
  return new TextDecoder().decode(bytes.subarray(0, MAX_MESSAGE_BYTES), { stream: true });
}

function commit({ trigger, commit, project }: CompileRequest): Values {
  const message = truncated(commit.message);
  const lines = message.split('\n');
  const title = lines[0] ?? '';
  // GitLab: in a merge request pipeline it is the source branch, not the fetched ref.
  const refName = trigger.mergeRequest?.sourceBranch ?? trigger.ref;
  return {
    CI_COMMIT_SHA: trigger.sha,
    CI_COMMIT_SHORT_SHA: trigger.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: trigger.refKind === 'merge_request' ? '0'.repeat(40) : trigger.before,
    CI_COMMIT_REF_NAME: refName,
    CI_COMMIT_REF_SLUG: slugify(refName),
    CI_COMMIT_REF_PROTECTED: String(project.protectedRef),
    CI_COMMIT_BRANCH: trigger.refKind === 'branch' ? trigger.ref : undefined,
    CI_COMMIT_TAG: trigger.refKind === 'tag' ? trigger.ref : undefined,
    CI_COMMIT_TAG_MESSAGE: trigger.refKind === 'tag' ? commit.tagMessage : undefined,
    CI_COMMIT_TITLE: title,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_MESSAGE_IS_TRUNCATED: String(message !== commit.message),
    // GitLab: the message without its first line if that is shorter than 100 characters; else the whole
    // message.
    CI_COMMIT_DESCRIPTION: title.length < 100 ? lines.slice(1).join('\n').trim() : message,
    CI_COMMIT_AUTHOR: commit.author,
    CI_COMMIT_TIMESTAMP: commit.timestamp,
  };
}

function project(request: CompileRequest): Values {
  return {
    ...names(projectPath(request)),
    CI_PROJECT_URL: request.project.url ?? `${request.serverUrl}/projects/${request.project.slug}`,
    CI_PROJECT_ID: request.trigger.repository?.id,
    CI_PROJECT_DESCRIPTION: request.trigger.repository?.description,
    CI_PROJECT_VISIBILITY: request.trigger.repository?.visibility,
    CI_PROJECT_DIR: projectDir(request),
    CI_DEFAULT_BRANCH: request.project.defaultBranch,
  };
}

function names(path: string): Values {
  const at = path.lastIndexOf('/');
  return {
    CI_PROJECT_NAME: path.slice(at + 1),
    CI_PROJECT_TITLE: path.slice(at + 1),
    CI_PROJECT_PATH: path,
    CI_PROJECT_PATH_SLUG: slugify(path),
    CI_PROJECT_NAMESPACE: at === -1 ? '' : path.slice(0, at),
    CI_PROJECT_ROOT_NAMESPACE: at === -1 ? '' : path.slice(0, path.indexOf('/')),
  };
}

/** GitLab: the URL has the prefix of the job's own site. */
export function pagesValues(request: CompileRequest, prefix = ''): Values {
  const { serverUrl } = request;
  const host = URL.canParse(serverUrl) ? new URL(serverUrl).hostname : undefined;
  return {
    CI_PAGES_URL: pagesUrl(serverUrl, request.project.slug, prefix),
    CI_PAGES_DOMAIN: host,
    CI_PAGES_HOSTNAME: host,
  };
}

/** What identifies a job: known before the pipeline exists. `key` includes matrix values, the config's name does not. */
export const jobNames = (job: {
  config: Pick<JobConfig, 'name'>;
  key: string;
  stage: string;
  arch?: string;
  share?: { index: number; total: number };
}): Values => ({
  CI_JOB_NAME: job.key,
  CI_JOB_NAME_SLUG: slugify(job.key),
  CI_JOB_GROUP_NAME: job.config.name,
  CI_JOB_STAGE: job.stage,
  CI_NODE_INDEX: job.share && String(job.share.index),
  CI_NODE_TOTAL: String(job.share?.total ?? 1),
  DAVIT_ARCH: job.arch,
});

interface EnvironmentFacts {
  name: string;
  url?: string;
  action: string;
  tier: string;
}

/** Values of a job with an environment, once its name is known. */
export const environmentNames = (environment: EnvironmentFacts): Values => ({
  CI_ENVIRONMENT_NAME: environment.name,
  CI_ENVIRONMENT_ACTION: environment.action,
  CI_ENVIRONMENT_TIER: environment.tier,
  CI_ENVIRONMENT_URL: environment.url,
});

export const environmentValues = (environment: EnvironmentFacts): Values => ({
  ...environmentNames(environment),
  CI_ENVIRONMENT_SLUG: environmentSlug(environment.name),
});
