/**
 * Schema of the installation file (`davit.config.yml`). Strict; durations become ms here. A secret is always
 * a reference. `src/compiler/installation-file.ts` reads the file with line and column.
 */
import { z } from 'zod';
import { includesSchema } from './installation-includes.ts';
import { anyDuration, arch, duration, secretRef, slug, statusContext } from './installation-fields.ts';

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
  /** Globs of ports that a service may publish; absent: all. */
  ports: z.array(z.union([z.string(), z.number().int().transform(String)])).optional(),
  /** Globs of volumes and of paths of the machine that a service may mount. */
  mounts: z.array(z.string()).default([]),
  /** Capabilities that a service may add: `NET_BIND_SERVICE`. */
  capabilities: z.array(z.string()).default([]),
  /** Globs of the swarm's secrets that a service may read. */
  secrets: z.array(z.string()).default([]),
  /** Globs of the swarm's configs that a service may read. */
  configs: z.array(z.string()).default([]),
  /** A service that davit did not make for the project may be taken over, once. */
  adopt: z.boolean().default(false),
});

export const projectSchema = z.strictObject({
  name: slug,
  forge: z.enum(['gitlab', 'github', 'gitea', 'none']).default('none'),
  /** The forge's API, for commit status: https://gitlab.example.com */
  forge_url: z.string().optional(),
  forge_token: secretRef.optional(),
  status_context: statusContext,
  /** PEM of an additional authority for the forge's API and clones, on each machine that calls the forge. */
  forge_ca_file: z.string().optional(),
  /** Tokens of this project may go to the forge over plain http: everybody in that network can read them. */
  allow_http: z.boolean().default(false),
  /** Full name at the forge, `group/project`; deliveries of other repositories are refused. */
  repository: z.string().optional(),
  clone_url: z.string().optional(),
  clone_user: z.string().default('oauth2'),
  clone_token: secretRef.optional(),
  webhook_secret: secretRef.optional(),
  /** Absent: that of the forge's events, else main. */
  default_branch: z.string().optional(),
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
  /** Repositories beside its own that its jobs may push to: `HOST/NAME`; `*` matches any text. */
  push_to: z.array(z.string()).default([]),
  /** Projects whose jobs may use its images in the installation's registry; `*` is all, and forks. */
  images_to: z.array(z.union([slug, z.literal('*')])).default([]),
  /** Projects whose jobs may read its repository with CI_JOB_TOKEN; `*` is all, and forks. */
  git_to: z.array(z.union([slug, z.literal('*')])).default([]),
  /** Projects whose jobs may start pipelines of this one by `trigger`; `*` is all. */
  triggered_by: z.array(z.union([slug, z.literal('*')])).default([]),
  variables: z.record(z.string(), variable).default({}),
  /** Who sees the sites that its jobs publish: everybody, or everybody with a token. */
  pages: z.enum(['readers', 'public']).default('readers'),
  /** Everybody sees the pages of its pipelines, with logs and artifacts, without a token. */
  public: z.boolean().default(false),
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
      /** Addresses or ranges of reverse proxies: their `X-Forwarded-For` says where a request comes from. */
      proxies: z.array(z.string()).default([]),
      /** Plain http beyond the machine itself: everybody in that network can read tokens. */
      insecure: z.boolean().default(false),
    })
    .prefault({}),
  /** PEM files of the server's certificate, with what it was signed by, and of its key. */
  tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
  /** Address of Temporal's UI: for links, and its pages may ask for opened payloads. */
  temporal_ui: z
    .string()
    .refine(
      (text) => /^https?:/.test(text) && URL.canParse(text),
      'must be an address like https://temporal.example.com',
    )
    .transform((text) => new URL(text).origin)
    .optional(),
  default_arch: arch.default('amd64'),
  /** Image of jobs without `image`. */
  default_image: z.string().optional(),
  /** Static busybox used for readiness probes; made locally where no hub can be reached. */
  helper_image: z.string().optional(),
  /** For projects that name none. */
  status_context: statusContext,
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
        /** PEM of an additional authority, on each machine that calls the registry. */
        ca_file: z.string().optional(),
        /** Token services in another domain that may have its password: `HOST` or `HOST:PORT`. */
        token_hosts: z.array(z.string()).optional(),
        /** Used as CI_REGISTRY. */
        default: z.boolean().default(false),
        /**
         * Where a project's images are below it; absent: `project`. `repository`: by its name at the forge, as the registries of Gitea and
         * GitLab need it.
         */
        paths: z.enum(['project', 'repository']).optional(),
      }),
    )
    .default([]),
  /** `tokens`, also if absent: davit's own registry accepts only the server's tokens. `off`: it asks for none. */
  registry_auth: z
    .union([z.enum(['tokens', 'off']), z.literal(false)])
    // `off` without quotes is a boolean in YAML.
    .transform((value) => (value === false ? 'off' : value))
    .optional(),
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
  /** Machines with a token of their own, which the server holds to these limits whatever their worker does. */
  workers: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        /** sha256 of the token, hex: `davit token` makes both. */
        token_sha256: z.string().regex(/^[0-9a-f]{64}$/),
        forks: z.boolean().default(false),
        protected_only: z.boolean().default(false),
        projects: z.array(slug).optional(),
      }),
    )
    .default([]),
  targets: z.array(targetSchema).default([]),
  includes: includesSchema,
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
      /** Logs of pipelines that ended longer ago are removed; by default they are kept. */
      log_age: anyDuration.optional(),
      /** Images that builds handed to later jobs are removed when their pipeline ended longer ago. Default: kept. */
      image_age: anyDuration.optional(),
      /** Sources of pipelines that ended longer ago are removed: their jobs cannot be retried then. Default: kept. */
      source_age: anyDuration.optional(),
      /** Artifacts without `expire_in` expire after this time; `never`: they are kept. */
      artifact_age: z.union([z.literal('never'), anyDuration]).prefault('30 days'),
      artifact_bytes: z
        .number()
        .int()
        .min(1_024)
        .default(1_024 * 1_024 * 1_024),
      /** Objects of Git LFS of one commit, in sum. */
      lfs_bytes: z
        .number()
        .int()
        .min(0)
        .default(2 * 1_024 * 1_024 * 1_024),
      /** Files, links and directories of one artifact or cache. */
      archive_entries: z.number().int().min(1).default(100_000),
      /** Bytes that one byte of an artifact or cache may unpack to; the first 64 MiB are free. */
      archive_ratio: z.number().int().min(1).default(200),
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
  /** Accept the signal `approve` from people with access to Temporal, if it is signed with one of these keys. */
  approve_by_signal: z.boolean().default(false),
  approval_keys: z
    .array(
      z.strictObject({
        /** The person, as decisions record it. */
        name: z.string().min(1),
        /** Public key, Ed25519: SPKI, base64. */
        key: z.string().regex(/^[A-Za-z0-9+/]{40,200}={0,2}$/),
      }),
    )
    .default([]),
});

export type Installation = z.output<typeof installationSchema>;
export type InstallationProject = Installation['projects'][number];
export type InstallationVariable = z.output<typeof variable>;

/** For which refs a worker gives a right: protected ones, or every branch and tag of the project. Never for forks. */
const givenRefs = z.enum(['protected', 'branches']);
const givenTo = z
  .union([z.enum(['none', 'protected', 'branches']), z.boolean()])
  .default('none')
  .transform((value) => (typeof value === 'boolean' ? (value ? 'protected' : 'none') : value));
export type GivenTo = 'none' | 'protected' | 'branches';

/** An address, a range of addresses or a host name, with a port or without: `10.1.0.0/16`, `git.internal:443`. */
const REACHABLE =
  /^(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)|(?<host>[A-Za-z0-9._-]+))(?:\/(?<bits>\d{1,3}))?(?::(?<port>\d{1,5}))?$/;
const reachable = z.string().transform((text, context) => {
  const found = REACHABLE.exec(text)?.groups;
  const host = found?.six ?? found?.bare ?? found?.host;
  const { bits, port } = found ?? {};
  const isRange = bits !== undefined;
  if (host !== undefined && !(isRange && port !== undefined))
    return {
      host,
      ...(isRange && { bits: Number(bits) }),
      ...(port !== undefined && { port: Number(port) }),
    };
  context.addIssue({
    code: 'custom',
    message: `must be an address, a range or HOST:PORT, like 10.1.0.0/16 or git.internal:443, not "${text}"`,
  });
  return z.NEVER;
});
export type EgressTarget = z.output<typeof reachable>;

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
  /** Device paths by the tag that asks for them: `gpio: [/dev/gpiochip0]` for protected refs, else with `refs`. */
  devices: z
    .record(
      z.string(),
      z.union([
        z.array(z.string()).transform((paths) => ({ paths, refs: 'protected' as const })),
        z.strictObject({ paths: z.array(z.string()), refs: givenRefs.default('protected') }),
      ]),
    )
    .default({}),
  /** Projects whose protected refs get the engine's socket, else with `refs`. Not covered by davit's guarantees. */
  engine_socket: z
    .union([
      z.array(slug).transform((projects) => ({ projects, refs: 'protected' as const })),
      z.strictObject({ projects: z.array(slug), refs: givenRefs.default('protected') }),
    ])
    .prefault([]),
  /** API tests with `network: host` get the machine's network. */
  host_network: givenTo,
  /** arm32 only. */
  variant: z.enum(['v6', 'v7']).default('v6'),
  emulation: z.boolean().default(false),
  /** Bytes that each container of a job may use; a job may ask for less. */
  memory: z.number().int().min(6_291_456).optional(),
  /** CPUs that each container of a job may use, 0.5 for example; a job may ask for less. */
  cpus: z.number().min(0.01).optional(),
  /** Processes and threads of each container of a job. */
  pids: z.number().int().min(16).default(4_096),
  /** Programs in a job cannot gain rights, so `sudo` fails. Always so for forks. */
  no_new_privileges: z.boolean().default(false),
  /**
   * On a full disk, also prune BuildKit's cache. Only for an engine that builds nothing but davit's images:
   * the cache has no owner.
   */
  prune_build_cache: z.boolean().default(false),
  /** BuildKit's cache of the engine is kept below it, although others may build there; by default davit leaves it alone. */
  build_cache_bytes: z.number().int().min(0).optional(),
  /** Versions with known escapes that `davit doctor` only warns of: `runc 1.1.5`, `docker 20.10.24`. */
  accept_engine_versions: z.array(z.string()).default([]),
  /**
   * What jobs reach beside the internet: nothing private but what is allowed here. `unfiltered`: everything that the
   * machine reaches, for forks too.
   */
  egress: z
    .union([z.literal('unfiltered'), z.strictObject({ allow: z.array(reachable).default([]) })])
    .prefault({}),
  /** Services run privileged: they control the machine. */
  privileged_services: givenTo,
  /** Images that `# syntax=` of a Dockerfile may name on unprotected refs; `*` matches any text. */
  frontends: z.array(z.string()).default(['docker/dockerfile:*', 'docker/dockerfile@*', 'docker/dockerfile']),
  /** Where builds of forks run: an image with buildkitd, buildctl, runc, sh and mount. */
  fork_builder: z.strictObject({ image: z.string() }).optional(),
  /** Images made on this machine that jobs of forks may use too; `*` matches any text. */
  fork_images: z.array(z.string()).default([]),
  /** `shared`: a job and its services share one network interface, so they find each other on localhost. */
  service_network: z.enum(['own', 'shared']).default('own'),
});
export type WorkerConfig = z.output<typeof workerSchema>;

/**
 * Local tag of the helper image if the installation file names none: static busybox in the engine's own
 * architecture.
 */
export const HELPER_IMAGE = 'davit/helper:1';
