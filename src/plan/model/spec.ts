import type { Arch, Digest, JobKey, ProjectSlug } from './ids.ts';
import type { ArtifactAccess, Platform } from './outcome.ts';
import type { InputValue } from './trigger.ts';

/**
 * JobSpec: everything a worker needs to run one job, as a JSON blob in the store. It holds secret
 * *references* only. Values that are known later (CI_JOB_ID, CI_REGISTRY_PASSWORD, dotenv of needed jobs) are
 * added by the activity.
 */
export type JobSpec = ScriptSpec | BuildSpec | ApitestSpec | PushSpec | DeploySpec | TriggerSpec;

export interface CommonSpec {
  version: 1;
  key: JobKey;
  group: string;
  stage: string;
  project: ProjectSlug;
  ref: string;
  sha: string;
  protectedRef: boolean;
  /** From a fork: it does not get secrets. */
  fork: boolean;
  /** Started by the operator of the server's own machine, with his working tree. */
  local?: true;
  /** Blob: tar of the checkout with a real `.git`, paths relative to the project's directory. */
  source: Digest;
  /** GIT_SUBMODULE_STRATEGY was applied to the source; `failure`: why it could not be. */
  submodules?: { failure?: string };
  /** Why the source has pointers of Git LFS in place of their objects, although the job needs these. */
  lfs?: { failure: string };
  /** Directory of the checkout: `/builds/SLUG`. */
  projectDir: string;
  /** In ascending precedence, later wins; already merged by name. */
  variables: SpecVariable[];
  arch?: Arch;
  timeoutMs: number;
  artifacts?: ArtifactsSpec;
  /**
   * For jobs with artifacts: ref and number (CI_PIPELINE_ID) under which other pipelines find them. `root` as
   * in ArtifactRecord.
   */
  gives?: { ref: string; number: number; root?: number };
  /** `url` may contain `${NAME}` of the job's own dotenv report; the result then has the complete URL. */
  environment?: { name: string; url?: string };
}

/** A variable of the job. davit has expanded `literal` as far as it does; the shell does the rest. */
export interface SpecVariable {
  name: string;
  value: { literal: string } | { secret: SecretRef };
  masked: boolean;
  /** Written to a file of mode 0600; the variable holds its path. */
  file: boolean;
  /** Its origin: a dotenv variable of a needed job overrides `file` and is overridden by `project`. */
  from?: 'predefined' | 'file' | 'project' | 'pipeline';
  /**
   * `literal` still contains `${NAME}` of values that only the worker knows, and `$$` for a dollar:
   * `expandLate` (src/compiler/variables/expand.ts) expands them. The same applies to an image or service
   * name that contains a `$`.
   */
  late?: boolean;
}
/** Where a secret is read when it is needed; the value itself is never stored or sent. */
export type SecretRef = `env:${string}` | `file:${string}`;

export interface ImageSpec {
  name: string;
  entrypoint?: string[];
  user?: string;
  platform?: string;
  pullPolicy: 'always' | 'if-not-present' | 'never';
}
export interface ServiceSpec extends ImageSpec {
  /** Its host names on the job's network. */
  aliases: string[];
  command?: string[];
  variables: SpecVariable[];
}
export interface ArtifactsSpec {
  paths: string[];
  exclude: string[];
  untracked: boolean;
  name?: string;
  when: 'on_success' | 'on_failure' | 'always';
  /** ms; absent means kept. */
  expireInMs?: number;
  /** dotenv report file, relative to the project. */
  dotenv?: string[];
  /** All other reports, by GitLab's name for their kind. */
  reports?: { kind: string; paths: string[] }[];
  access?: ArtifactAccess;
  exposeAs?: string;
}

/** Key, policy and fallback keys may contain late values (`${NAME}`): `expandLate` expands them. */
export interface CacheSpec {
  /** With `keyFiles`, the prefix of the key; may be empty. */
  key: string;
  /** Files or patterns of the source whose content determines the key. */
  keyFiles?: string[];
  paths: string[];
  untracked: boolean;
  /** Protected and other refs share it. */
  unprotect: boolean;
  /** pull-push, pull or push. */
  policy: string;
  when: 'on_success' | 'on_failure' | 'always';
  fallbackKeys: string[];
}

/** Every text may contain late values (`${NAME}` of dotenv reports): `expandLate` expands them. */
export interface ReleaseSpec {
  tagName: string;
  tagMessage?: string;
  name?: string;
  /** Text, or the path of a file of the project that contains it. */
  description: string;
  /** Commit, branch or tag from which a new tag is created. */
  ref: string;
  milestones: string[];
  /** ISO 8601. */
  releasedAt?: string;
  links: { name: string; url: string; filepath?: string; type?: string }[];
}

/** The part of the job's artifacts that is published as a site. */
export interface PagesSpec {
  /** Relative to the project. */
  folder: string;
  /** '' is the project's own site. */
  prefix: string;
  /** ms; absent means kept. */
  expireInMs?: number;
}

export interface ScriptSpec extends CommonSpec {
  kind: 'script';
  image: ImageSpec;
  services: ServiceSpec[];
  /** before_script and script, run in one shell. */
  script: string[];
  afterScript: string[];
  /** The job's tags: the worker adds the devices of matching ones. */
  tags: string[];
  caches?: CacheSpec[];
  release?: ReleaseSpec;
  pages?: PagesSpec;
  /** hooks:pre_get_sources_script: a shell of its own, before everything else. */
  preGetSources?: string[];
  /** `/PATTERN/` (RE2) for the test coverage in the log. */
  coverage?: string;
}

export interface BuildSpec extends CommonSpec {
  kind: 'build';
  arch: Arch;
  /** Relative to the project. */
  context: string;
  dockerfile: string;
  target?: string;
  args: Record<string, string>;
  /** `REGISTRY/REPOSITORY` to which the image is pushed. */
  repository: string;
  /** Unique per pipeline and architecture. */
  tag: string;
  cacheFrom: 'registry' | 'none';
  /** Images that hold layers of earlier builds. Absent in plans before 0.2: a tag of the repository. */
  cache?: { read: string[]; write?: string };
  labels: Record<string, string>;
}

export interface ApitestSpec extends Omit<ScriptSpec, 'kind'> {
  kind: 'apitest';
  arch: Arch;
  imageFrom: JobKey;
  /** Port on which the tested container listens. */
  port: number;
  ready: { http?: string; timeoutMs: number };
  network: 'job' | 'host';
  /** Name of the tested container on the job's network. */
  host: string;
  /** Variables of the tested container itself, as Env. */
  env: SpecVariable[];
}

export interface PushSpec extends CommonSpec {
  kind: 'push';
  repository: string;
  /** Where its build jobs have put their images, if that is another repository of the registry. */
  pipelines?: string;
  tags: string[];
  /** Build jobs, one per architecture; without one of them the index is not written. */
  from: JobKey[];
}

export interface DeploySpec extends CommonSpec {
  kind: 'deploy';
  target: string;
  environment?: { name: string; url?: string };
  imageFrom?: JobKey;
  /** If no job of this pipeline built the image. */
  image?: string;
  swarm: SwarmSpec;
}
/** A pipeline to start. `variables` contains only those that are forwarded. */
export interface TriggerSpec extends CommonSpec {
  kind: 'trigger';
  to: { project: string; branch?: string } | { include: TriggerInclude[] } | { mirrors: string };
  /** Variables of the file, which the texts of `variables` refer to: where a dotenv report may replace them. */
  own?: SpecVariable[];
  /** For `spec:inputs` of the other project's file. */
  inputs?: Record<string, InputValue>;
}
/** As in `include`, or a file from the artifacts of the first of these jobs that has it. */
export type TriggerInclude =
  | { written: InputValue }
  | { artifact: string; jobs: JobKey[]; inputs?: InputValue };

/** `source`: a volume, or an absolute path of the machine. */
export interface SwarmMount {
  source: string;
  target: string;
  readOnly: boolean;
}
export interface SwarmSpec {
  service: string;
  replicas: number;
  publish: { published: number; target: number; protocol: 'tcp' | 'udp'; mode: 'host' | 'ingress' }[];
  endpointMode: 'vip' | 'dnsrr';
  constraints: string[];
  env: Record<string, string>;
  networks: string[];
  /** Absent, like the three below: the service keeps what it has. */
  mounts?: SwarmMount[];
  /** Without `CAP_`. */
  capabilities?: string[];
  /** Names of secrets and configs of the swarm. */
  secrets?: string[];
  configs?: string[];
  command?: string[];
  update: {
    order: 'stop-first' | 'start-first';
    parallelism: number;
    delayMs: number;
    onFailure: 'rollback' | 'pause';
  };
  convergeTimeoutMs: number;
}

export const PLATFORMS: Record<Arch, Platform> = {
  arm32: { os: 'linux', architecture: 'arm', variant: 'v6' },
  arm64: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  amd64: { os: 'linux', architecture: 'amd64' },
};

/** `linux/arm/v6`; arm64 has no variant, as engines report it. */
export function platformText(platform: Platform): string {
  const variant = platform.architecture === 'arm' && platform.variant ? `/${platform.variant}` : '';
  return `${platform.os}/${platform.architecture}${variant}`;
}
