import type { Arch, Digest, JobKey, ProjectSlug } from './ids.ts';
import type { ArtifactAccess, Platform } from './outcome.ts';
import type { InputValue } from './trigger.ts';

/**
 * JobSpec: everything a worker needs to run one job, as a JSON blob in the store. It holds secret *references* only. Values
 * that are known later (CI_JOB_ID, CI_REGISTRY_PASSWORD, dotenv of needed jobs) are added by the activity.
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
  /** From a fork: gets no secret. */
  fork: boolean;
  /** Blob: tar of the checkout with a real `.git`, paths relative to the project's directory. */
  source: Digest;
  /** GIT_SUBMODULE_STRATEGY has had its effect on the source, or why it could not. */
  submodules?: { failure?: string };
  /** Where it goes: `/builds/SLUG`. */
  projectDir: string;
  /** In ascending precedence, later wins; already merged by name. */
  variables: SpecVariable[];
  arch?: Arch;
  timeoutMs: number;
  artifacts?: ArtifactsSpec;
  /** Of jobs with artifacts: under which ref and number (CI_PIPELINE_ID) other pipelines find them. `root` as in ArtifactRecord. */
  gives?: { ref: string; number: number; root?: number };
  /** `url` may hold `${NAME}` of the job's own dotenv report; the result then names the whole. */
  environment?: { name: string; url?: string };
}

/** A variable of the job. `literal` has been expanded as far as davit expands; the shell does the rest. */
export interface SpecVariable {
  name: string;
  value: { literal: string } | { secret: SecretRef };
  masked: boolean;
  /** Written to a file of mode 0600; the variable holds its path. */
  file: boolean;
  /** Who set it: a dotenv variable of a needed job stands above `file` and below `project`. */
  from?: 'predefined' | 'file' | 'project' | 'pipeline';
  /**
   * `literal` still holds `${NAME}` of values that only the worker knows, and `$$` for a dollar: `expandLate`
   * (src/compiler/variables/expand.ts) fills them. The same goes for an image or service name that holds a `$`.
   */
  late?: boolean;
}
/** Where a secret is found at the moment it is needed; the value itself never travels. */
export type SecretRef = `env:${string}` | `file:${string}`;

export interface ImageSpec {
  name: string;
  entrypoint?: string[];
  user?: string;
  platform?: string;
  pullPolicy: 'always' | 'if-not-present' | 'never';
}
export interface ServiceSpec extends ImageSpec {
  /** Host names it answers to on the job's network. */
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

/** Late values (`${NAME}`) may stand in key, policy and fallback keys: `expandLate` fills them. */
export interface CacheSpec {
  /** With `keyFiles` its prefix, which may be empty. */
  key: string;
  /** Files or patterns of the source whose content makes the key. */
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

/** Late values (`${NAME}` of dotenv reports) may stand in every text: `expandLate` fills them. */
export interface ReleaseSpec {
  tagName: string;
  tagMessage?: string;
  name?: string;
  /** Text, or the path of a file of the project that has it. */
  description: string;
  /** Commit, branch or tag that a new tag is made of. */
  ref: string;
  milestones: string[];
  /** ISO 8601. */
  releasedAt?: string;
  links: { name: string; url: string; filepath?: string; type?: string }[];
}

/** What of the job's artifacts is published as a site. */
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
  /** before_script and script, one shell. */
  script: string[];
  afterScript: string[];
  /** The job's tags: a worker gives devices for the matching ones. */
  tags: string[];
  caches?: CacheSpec[];
  release?: ReleaseSpec;
  pages?: PagesSpec;
  /** hooks:pre_get_sources_script: a shell of its own, before everything else. */
  preGetSources?: string[];
  /** `/PATTERN/` (RE2) that finds the test coverage in the log. */
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
  /** `REGISTRY/REPOSITORY` that the image is pushed into. */
  repository: string;
  /** Unique to pipeline and architecture. */
  tag: string;
  cacheFrom: 'registry' | 'none';
  labels: Record<string, string>;
}

export interface ApitestSpec extends Omit<ScriptSpec, 'kind'> {
  kind: 'apitest';
  arch: Arch;
  imageFrom: JobKey;
  /** Port the tested container listens on. */
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
  tags: string[];
  /** Build jobs, one an architecture; the index refuses to be written without one of them. */
  from: JobKey[];
}

export interface DeploySpec extends CommonSpec {
  kind: 'deploy';
  target: string;
  environment?: { name: string; url?: string };
  imageFrom?: JobKey;
  /** Where no job of this pipeline made the image. */
  image?: string;
  swarm: SwarmSpec;
  /** Started by the operator of the server's own machine, with his working tree. */
  local?: true;
}
/** A pipeline to start. Its `variables` are those that are forwarded, and no others. */
export interface TriggerSpec extends CommonSpec {
  kind: 'trigger';
  to: { project: string; branch?: string } | { include: TriggerInclude[] } | { mirrors: string };
  /** For `spec:inputs` of the other project's file. */
  inputs?: Record<string, InputValue>;
}
/** As `include` takes it; or a file out of the artifacts of the first of these jobs that has it. */
export type TriggerInclude =
  | { written: InputValue }
  | { artifact: string; jobs: JobKey[]; inputs?: InputValue };

export interface SwarmSpec {
  service: string;
  replicas: number;
  publish: { published: number; target: number; protocol: 'tcp' | 'udp'; mode: 'host' | 'ingress' }[];
  endpointMode: 'vip' | 'dnsrr';
  constraints: string[];
  env: Record<string, string>;
  networks: string[];
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

/** `linux/arm/v6`; arm64 is written without its only variant, as engines report it. */
export function platformText(platform: Platform): string {
  const variant = platform.architecture === 'arm' && platform.variant ? `/${platform.variant}` : '';
  return `${platform.os}/${platform.architecture}${variant}`;
}
