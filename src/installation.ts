/**
 * Schema of the installation file (`davit.config.yml`). Strict; durations become ms here. A secret is always
 * a reference. `src/compiler/installation-file.ts` reads the file with line and column.
 */
import { z } from 'zod';
import { ARCHES, isSlug } from './plan/model/ids.ts';
import { parseDuration } from './plan/model/duration.ts';
import type { SecretRef } from './plan/model/spec.ts';

const duration = (fallback: string) =>
  z
    .union([z.string(), z.number()])
    .default(fallback)
    .transform((value, context) => {
      const ms = parseDuration(String(value));
      if (ms === undefined)
        context.addIssue({
          code: 'custom',
          message: `must be a duration like 30s, 5 min or 7 days, not "${value}"`,
        });
      return ms ?? 0;
    });
const secretRef = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be a reference to a secret: env:NAME or file:PATH')
  .transform((text) => text as SecretRef);
const slug = z.string().refine(isSlug, 'must be a project name in lower case: a-z 0-9 . _ -');
const arch = z.enum(ARCHES);

const variable = z.union([
  z.string(),
  z.strictObject({
    value: z.string().optional(),
    secret: secretRef.optional(),
    masked: z.boolean().default(true),
    protected: z.boolean().default(false),
    file: z.boolean().default(false),
    environment: z.string().default('*'),
  }),
]);

/** The deploy target for the local machine, if the installation file names none. */
export const LOCAL_TARGET = 'local-swarm';

/** `protected`: protected refs, and working trees of the operator of the server's own machine. */
const refRule = z.union([z.enum(['protected', 'any']), z.array(z.string())]).default('protected');

/** An environment that the operator protects, whatever the file of a branch contains. */
const environmentRules = z.strictObject({
  refs: refRule,
  /** Users or roles; none means operators, where approvals are asked for at all. */
  approvers: z.array(z.string()).default([]),
  /** Different people who must approve; at least one where `approvers` or `four_eyes` is given. */
  count: z.number().int().min(0).max(10).default(0),
  /** Who has pushed or started the pipeline does not count. */
  four_eyes: z.boolean().default(false),
});

export const targetSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  kind: z.literal('swarm').default('swarm'),
  /** Engine of a swarm manager; the worker's own when absent. */
  docker: z.string().optional(),
  /** Globs of projects that may deploy to it. */
  projects: z.array(z.string()).default(['*']),
  /** Globs of services that may be deployed. */
  services: z.array(z.string()).default(['*']),
  /** From which refs. */
  refs: refRule,
  /** Globs of networks that a service may join; absent: all but those of the engine itself. */
  networks: z.array(z.string()).optional(),
  /** A service that davit did not make for the project may be taken over, once. */
  adopt: z.boolean().default(false),
});

export const projectSchema = z.strictObject({
  name: slug,
  forge: z.enum(['gitlab', 'github', 'gitea', 'none']).default('none'),
  /** The forge's API, for commit status: https://gitlab.example.com */
  forge_url: z.string().optional(),
  forge_token: secretRef.optional(),
  /** Full name at the forge, `group/project`; deliveries of other repositories are refused. */
  repository: z.string().optional(),
  clone_url: z.string().optional(),
  clone_user: z.string().default('oauth2'),
  clone_token: secretRef.optional(),
  webhook_secret: secretRef.optional(),
  default_branch: z.string().default('main'),
  /** Looks for pushes whose delivery was lost; needs a clone_url and a forge. */
  reconcile: z.boolean().default(true),
  /** Projects whose pipelines may include files of this one; `*` matches any text. */
  include_by: z.array(z.string()).default(['*']),
  /** Also pipelines of forks, of any project: the content is public. */
  include_by_forks: z.boolean().default(false),
  /** The former name of `protected_branches`; read where that is absent. */
  protected_refs: z.array(z.string()).default(['main', 'master']),
  /** Globs of branch names; `*` matches any text. */
  protected_branches: z.array(z.string()).optional(),
  /** Globs of tag names; none is protected by default. */
  protected_tags: z.array(z.string()).default([]),
  /** `forge`: branches and tags that the forge protects, read with forge_token; the lists above are not used. */
  protected_from: z.enum(['file', 'forge']).default('file'),
  /** Users or roles that may start a pipeline of a protected ref by hand, or retry one. */
  start_protected: z.array(z.string()).default(['operator']),
  /** By glob of names; every entry that matches counts. */
  environments: z.record(z.string(), environmentRules).default({}),
  /** Pipelines of forks wait for a person's "run", start at once, or do not exist. */
  fork_pipelines: z.enum(['ask', 'run', 'off']).default('ask'),
  /** Who was approved once need not ask again for the same author and fork. */
  fork_remember: z.boolean().default(false),
  /** Projects whose pipelines may take artifacts of this one by `needs:project`; `*` is all. */
  artifacts_to: z.array(z.union([slug, z.literal('*')])).default([]),
  /** Projects whose jobs may start pipelines of this one by `trigger`; `*` is all. */
  triggered_by: z.array(z.union([slug, z.literal('*')])).default([]),
  variables: z.record(z.string(), variable).default({}),
  /** Who sees the sites that its jobs publish: everybody, or everybody with a token. */
  pages: z.enum(['readers', 'public']).default('readers'),
  resource_modes: z
    .record(z.string(), z.enum(['unordered', 'oldest_first', 'newest_first', 'newest_ready_first']))
    .default({}),
});

export const installationSchema = z.strictObject({
  /** Address of the server for people and forges, for links. */
  url: z.string().optional(),
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(0),
    })
    .prefault({}),
  default_arch: arch.default('amd64'),
  /** Image of jobs without `image`. */
  default_image: z.string().optional(),
  /** Static busybox used for readiness probes; made locally where no hub can be reached. */
  helper_image: z.string().optional(),
  variables: z.record(z.string(), variable).default({}),
  projects: z.array(projectSchema).default([]),
  registries: z
    .array(
      z.strictObject({
        host: z.string(),
        username: z.string().optional(),
        password: secretRef.optional(),
        /** Plain http; loopback does not need this setting. */
        insecure: z.boolean().default(false),
        /** Token services in another domain that may have its password: `HOST` or `HOST:PORT`. */
        token_hosts: z.array(z.string()).optional(),
        /** Used as CI_REGISTRY. */
        default: z.boolean().default(false),
      }),
    )
    .default([]),
  users: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        role: z.enum(['reader', 'developer', 'operator']),
        /** sha256 of the token, hex: `davit token` makes both. */
        token_sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .default([]),
  targets: z.array(targetSchema).default([]),
  /** What `include` can reach apart from the projects above. */
  includes: z
    .strictObject({
      /** `HOST` or `HOST:PORT` that `remote` may fetch from although their addresses are private. */
      allow_hosts: z.array(z.string()).default([]),
      /** If given, `remote` fetches from these hosts alone; `*` matches any text. */
      only_hosts: z.array(z.string()).optional(),
      /** PEM of additional authorities, on the machine of the control worker. */
      ca_file: z.string().optional(),
      /** Other projects at the including project's forge, read with its clone_token: `team/*`. */
      forge_projects: z.array(z.string()).default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      heartbeat_timeout: duration('30s'),
      host_grace: duration('5 min'),
      queue_timeout: duration('24h'),
      job_timeout: duration('1h'),
      pipeline_timeout: duration('30 days'),
      gate_expiry: duration('7 days'),
      cancel_grace: duration('10s'),
      release_delay: duration('10s'),
      cleanup_every: duration('60s'),
      cleanup_age: duration('60s'),
      deploy_stable: duration('5s'),
      max_pending_jobs: z.number().int().min(1).max(500).default(100),
      auto_retries: z.number().int().min(0).max(5).default(2),
      log_bytes: z
        .number()
        .int()
        .min(1_024)
        .default(16 * 1_024 * 1_024),
      artifact_bytes: z
        .number()
        .int()
        .min(1_024)
        .default(1_024 * 1_024 * 1_024),
    })
    .prefault({}),
  /** How pushes with a lost delivery are found. */
  reconcile: z
    .strictObject({
      /** Between two checks of a project's branches and tags; a fifth of it is jitter. */
      every: duration('5 min'),
      /** How long a delivery may take before it counts as lost. */
      grace: duration('2 min'),
      /** Pipelines that one check of one project starts at most. */
      at_most: z.number().int().min(1).max(1_000).default(20),
    })
    .prefault({}),
  /** Accept the signal `approve` from people with access to Temporal. */
  approve_by_signal: z.boolean().default(true),
});

export type Installation = z.output<typeof installationSchema>;
export type InstallationProject = Installation['projects'][number];
export type InstallationVariable = z.output<typeof variable>;

/**
 * Configuration of one worker (`davit worker --config FILE`, else these defaults): what it provides to jobs.
 */
export const workerSchema = z.strictObject({
  tags: z.array(z.string()).default([]),
  slots: z.number().int().min(1).max(1_000).default(8),
  /** Takes jobs of forks too. They are programs of strangers: use a separate machine. */
  forks: z.boolean().default(false),
  /** Takes jobs of protected refs alone. */
  protected_only: z.boolean().default(false),
  /** Takes jobs of these projects alone; absent: of all. */
  projects: z.array(slug).optional(),
  /** Device paths by the tag that asks for them: `gpio: [/dev/gpiochip0]`. */
  devices: z.record(z.string(), z.array(z.string())).default({}),
  /** Projects whose protected refs get the engine's socket. Not covered by davit's guarantees. */
  engine_socket: z.array(slug).default([]),
  /** arm32 only. */
  variant: z.enum(['v6', 'v7']).default('v6'),
  emulation: z.boolean().default(false),
  memory: z.number().int().optional(),
  /**
   * On a full disk, also prune BuildKit's cache. Only for an engine that builds nothing but davit's images:
   * the cache has no owner.
   */
  prune_build_cache: z.boolean().default(false),
  /** Never for jobs of forks. */
  privileged_services: z.boolean().default(false),
  /** `shared`: a job and its services share one network interface, so they find each other on localhost. */
  service_network: z.enum(['own', 'shared']).default('own'),
});
export type WorkerConfig = z.output<typeof workerSchema>;

/**
 * Local tag of the helper image if the installation file names none: static busybox in the engine's own
 * architecture.
 */
export const HELPER_IMAGE = 'davit/helper:1';

/** What the server sends to workers about the installation: no users, no secrets (references only). */
export interface InstallationFacts {
  /** UUID: part of container names and labels. */
  installation: string;
  /** Without users; `registries` includes the embedded one; `helper_image` is always set. */
  config: Omit<Installation, 'users' | 'helper_image'> & { helper_image: string };
  /** Address of the server for people. */
  url: string;
}
