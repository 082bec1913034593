/**
 * The ports: what activities, server and CLI may request from the outside world. Adapters implement them and
 * nothing else; they get values, never configuration. Every method rejects with a DavitError whose code says
 * what a person can do; an AbortSignal ends a call with the signal's reason. All sizes are bytes, all times
 * epoch ms, all durations ms.
 */
import type { FleetAnswer, Marks, SwarmNode } from '../plan/model/fleet.ts';
import type { Readable } from 'node:stream';
import type { InstallationProject } from '../installation.ts';
import type { ForgeProtection } from '../match/forge-refs.ts';
import type { JobAsker } from '../match/registry-access.ts';
import type { StatusCause, StatusWrite } from '../plan/model/commit-status.ts';
import type { AuditEntry, AuditKind } from '../plan/model/audit.ts';
import type { Delivery } from '../plan/model/delivery.ts';
import type { ApprovalAnswer, ApprovalQuestion } from '../plan/model/approval.ts';
import type { Arch, AttemptRef, Digest, PipelineId, ProjectSlug } from '../plan/model/ids.ts';
import type { IncludeAnswers, IncludeWant } from '../plan/model/includes.ts';
import type { LogSummary, Platform } from '../plan/model/outcome.ts';
import type { Message } from '../plan/model/message.ts';
import type { DecisionProof, Proof, ProofFacts } from '../plan/model/proof.ts';
import type { Change, KeyLookup, PipelineState } from '../plan/model/protocol.ts';
import type { WorkerReport } from '../plan/model/queues.ts';
import type { SecretRef, SwarmSpec, ReleaseSpec } from '../plan/model/spec.ts';
import type { Trigger } from '../plan/model/trigger.ts';

// ---------------------------------------------------------------- bytes

/** Bytes by digest. Putting twice results in one blob. */
export interface BlobStore {
  putBytes(bytes: Uint8Array): Promise<Digest>;
  /** Streams to a temporary file, then renames it; a crash leaves nothing under a digest. */
  putStream(stream: Readable): Promise<{ digest: Digest; bytes: number }>;
  /** Rejects with `blob/missing`. */
  getBytes(digest: Digest, maxBytes?: number): Promise<Uint8Array>;
  getStream(digest: Digest): Promise<Readable>;
  has(digest: Digest): Promise<boolean>;
}

export interface CollectRequest {
  /** Epoch ms: artifacts that expire before are not needed. */
  now: number;
  /** Epoch ms: blobs that were stored or checked since then stay. */
  before: number;
  /** Epoch ms: logs of pipelines that ended before are removed; undefined keeps all. */
  logsBefore?: number;
  /**
   * Epoch ms: sources of pipelines that ended before are not needed, except those that are `open` again and the last of
   * each branch and tag that succeeded; undefined keeps all.
   */
  sourcesBefore?: number;
  open?: readonly PipelineId[];
  /** Only counts; removes nothing. */
  dryRun: boolean;
}
export interface Collected {
  /** Removed, or to be removed. */
  blobs: number;
  bytes: number;
  kept: number;
  /** If logs have an age. */
  logs?: { pipelines: number; bytes: number };
  /** Manifests in davit's registry, if images have an age. */
  images?: number;
  /** Why none were removed. */
  imagesProblem?: string;
}
/** Bytes on the server's disk. */
export interface ProjectUsage {
  project: string;
  logs: number;
  /** Working trees and checkouts. */
  sources: number;
  artifacts: number;
  caches: number;
  /** Plans, job specs, pipeline files, records. */
  others: number;
}
export interface DiskUsage {
  /** The largest first. */
  projects: ProjectUsage[];
  /** Blobs that no record names: of open pipelines, and those that the next collection removes. */
  rest: number;
}

/** `pipelines`: what builds hand to later jobs; `caches`: layers for later builds. */
export type ImageKind = 'images' | 'pipelines' | 'caches';
export interface ProjectImages extends Record<ImageKind, number> {
  project: string;
  /** Each layer once, whatever it is for. */
  bytes: number;
}
export interface ImageUsage {
  /** `HOST[:PORT]` of davit's own registry. */
  registry: string;
  /** The largest first. */
  projects: ProjectImages[];
  /** Each layer once, although several projects have it. */
  total: number;
  /** False: the registry has more than was read. */
  complete: boolean;
}
export interface ShownImages {
  /** Absent where davit has no registry of its own. */
  own?: ImageUsage;
  /** Hosts of other registries: they do not say what davit uses there. */
  others: string[];
}
/** davit's own registry, as its operator sees it. */
export interface OwnImages {
  /** Rejects with `registry/unreachable`, `registry/failed`, `registry/denied`. */
  usage(): Promise<ImageUsage>;
  repositories(): Promise<{ name: string; project: string; kind: ImageKind }[]>;
  tags(repository: string): Promise<TaggedImage[]>;
  /** With all tags of that digest in the repository. */
  remove(repository: string, digest: string): Promise<void>;
}
export interface TaggedImage {
  tag: string;
  /** Undefined: it leads nowhere, or was removed meanwhile. */
  digest?: string;
  /** Manifests of an index. */
  lists: string[];
}

/**
 * Small JSON documents by name (`a/b/c`, each part `[A-Za-z0-9._=-]+`): claims, numbers, records of ended
 * pipelines.
 */
export interface RecordStore {
  /** Atomic and durable: the first writer wins, every caller gets the stored value. */
  putIfAbsent<T>(name: string, value: T): Promise<{ created: boolean; value: T }>;
  put<T>(name: string, value: T): Promise<void>;
  get<T>(name: string): Promise<T | undefined>;
  /**
   * Names below a prefix, newest first; in one folder, higher names are newer, so numbers in names are
   * padded.
   */
  list(prefix: string, limit: number): Promise<string[]>;
  /**
   * The next numbers of a counter, `count` in a row, durable before the call returns; the same claim gets the
   * same numbers.
   */
  allocate(counter: string, claim: string, count: number): Promise<number>;
}

/** The audit trail. Entries are only ever added. */
export interface AuditLog {
  /** True once the entry is on disk; false if it is lost, which is counted. Never rejects. */
  append(entry: AuditEntry): Promise<boolean>;
  /** The newest entries since a time (ISO 8601), oldest first. */
  read(query: { kinds: readonly AuditKind[]; since?: string; limit: number }): Promise<AuditEntry[]>;
  /** Calls the listener with every entry that is added; returns a stop function. */
  watch(listener: (entry: AuditEntry) => void): () => void;
  /** Entries that could not be stored. */
  lost(): number;
  close(): Promise<void>;
}

/** What forges delivered, bounded per project. */
export interface DeliveryLog {
  /** True once it is on disk; false if it is lost. Never rejects. */
  append(entry: Delivery): Promise<boolean>;
  /** Newest first. */
  read(project: ProjectSlug, limit: number): Promise<Delivery[]>;
}

/** Position of a follower in an engine's log up to which the store has acknowledged everything. */
export interface LogCheckpoint {
  /** Engine's timestamp (RFC 3339 with ns) of the last record taken in. */
  engineTime: string;
  /** How many records with exactly that timestamp were taken in. */
  recordsAtTime: number;
  /** The offset in the stored log. */
  offset: number;
}
export interface LogState {
  offset: number;
  /** CRC-32 of the bytes so far, unsigned. */
  crc: number;
  epoch: number;
  checkpoint?: LogCheckpoint;
  ended?: LogSummary;
  incomplete: boolean;
}
export interface LogChunk {
  epoch: number;
  offset: number;
  bytes: Uint8Array;
  checkpoint?: LogCheckpoint;
  /** These are the last bytes. `complete`: nothing before them is missing, as far as the writer knows. */
  end?: { complete: boolean };
}
export type LogRef = Pick<AttemptRef, 'pipeline' | 'job' | 'attempt'>;
/**
 * One append-only log per attempt. Invariants:
 *   STORE-1 Acknowledged bytes are durable.
 *   STORE-2 An append at an offset below the end counts as a repeat only if the bytes are equal.
 *   STORE-3 An append of a lower epoch than the highest seen is refused with `log/fenced`.
 *   STORE-4 A gap is refused with `log/offset`.
 */
export interface LogStore {
  /** Raises the epoch and returns where to continue. */
  open(ref: LogRef, epoch: number): Promise<LogState>;
  /** A store that does not know `end` appends only: the state that is returned tells whether the log has ended. */
  append(ref: LogRef, chunk: LogChunk): Promise<LogState>;
  end(ref: LogRef, end: { epoch: number; summary: LogSummary }): Promise<LogState>;
  state(ref: LogRef): Promise<LogState | undefined>;
  /** Rejects with `not-found` if the log does not exist. May return fewer bytes than requested. */
  read(ref: LogRef, offset: number, limit: number): Promise<{ bytes: Uint8Array; state: LogState }>;
}
/** A log store in this process, which reports every durable change; the returned function ends that. */
export interface FollowedLogs extends LogStore {
  watch(ref: LogRef, listener: (state: LogState) => void): () => void;
}

// ---------------------------------------------------------------- secrets

export interface Secrets {
  /** Rejects with `secret/missing`, naming the reference, never a value. */
  resolve(ref: SecretRef): Promise<string>;
  /**
   * Sealed under a key of the server, for one attempt (AES-256-GCM): values to mask, and what a deployment replaces.
   */
  seal(plain: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Rejects with `secret/corrupt` for bytes of another attempt. */
  unseal(sealed: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** One key of the installation. */
export interface InstallationKey {
  /** Stands in what the key has made; reveals nothing of it. */
  id: string;
  /** 32 bytes for one purpose, such as `davit seal v2`. */
  derive(purpose: string): Buffer;
}
/** The installation's keys, on the server. */
export interface KeyRing {
  /** Seals and signs. */
  current(): InstallationKey;
  /** The current one first; the others open and verify what they have made. */
  all(): readonly InstallationKey[];
  find(id: string): InstallationKey | undefined;
}
/** Seals for attempts, on the server: bytes of one scope cannot be opened for another. */
export interface Sealer {
  seal(scope: string, plain: Uint8Array): Uint8Array;
  /** Throws `secret/corrupt`. */
  unseal(scope: string, sealed: Uint8Array): Uint8Array;
}

/** The server's side of proofs. */
export interface ServerProofs {
  sign(message: Message): Proof;
  facts(): ProofFacts;
}
/** What a control worker knows of the server's proofs. */
export interface Proofs {
  /** As they were when the worker started; undefined for a server of an earlier version. */
  known(): Promise<ProofFacts | undefined>;
  /** Asks the server, which may have a new key. */
  again(): Promise<ProofFacts | undefined>;
  /** `spki`: a public key, base64. */
  isSignedBy(spki: string, message: Message, proof: Proof): boolean;
}
/** Messages that a control worker sends on its own: the server proves them if they have a reason. */
export interface Prover {
  /** Undefined: the server is of an earlier version. Rejects with `decision/unproven` without a reason. */
  prove(message: Message): Promise<DecisionProof | undefined>;
}

/** The ports of one attempt: its token opens what the attempt needs, and nothing else. */
export interface AttemptPorts {
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  rights: Rights;
  credentials: Credentials;
  secrets: Secrets;
}
export interface AttemptOf {
  ref: AttemptRef;
  /** The activity that the worker has, as Temporal knows it, and its workflow run. */
  activityId: string;
  runId: string;
  /** The worker's identity in Temporal. */
  identity: string;
}

// ---------------------------------------------------------------- container engine

export interface EngineInfo {
  id: string;
  /** The address as a person knows it: `unix:///var/run/docker.sock`. */
  address: string;
  kind: 'docker' | 'podman';
  /** It runs as a user that is not root, so it cannot be part of a swarm. */
  rootless: boolean;
  version: string;
  /** Version of its API, as it was negotiated. */
  api?: string;
  /** Where it keeps images. */
  store?: 'classic' | 'containerd';
  /** `Debian GNU/Linux 12 (bookworm)` */
  os?: string;
  arch: Arch;
  /** The kernel's word for it: `armv7l`. */
  machine?: string;
  hostName: string;
  swarm: 'inactive' | 'manager' | 'worker';
  storageDriver: string;
  cpus: number;
  memoryBytes: number;
  liveRestore: boolean;
  /** What starts its containers, as the engine names and numbers it: `runc`, `1.1.5+ds1`, and the build. */
  runtime?: { name: string; version: string; build: string };
  /** It asks plugins whether a call is allowed. */
  authorizationPlugins: boolean;
  /** The engine's own clock, epoch ms: the source of its objects' times. */
  time: number;
}
export interface RegistryAuth {
  username: string;
  password: string;
}
export interface ContainerCreate {
  name: string;
  image: string;
  /** `linux/arm/v6` */
  platform?: string;
  labels: Record<string, string>;
  entrypoint?: string[];
  command?: string[];
  user?: string;
  workdir?: string;
  /** Job variables go by upload; what an image's entrypoint may see of them is here too, and no secret is. */
  env?: string[];
  network?: { mode: 'host' | 'none' | { container: string } } | { name: string; aliases: string[] };
  volumes: { volume: string; path: string }[];
  /** Only from the worker's own configuration: `devices` and `engine_socket`. */
  devices?: string[];
  bindEngineSocket?: boolean;
  privileged?: boolean;
  /**
   * davit's own container that sets the machine's firewall: on its network, with NET_ADMIN, and with its files,
   * read-only, at /host.
   */
  firewall?: boolean;
  /** davit's own container that makes containers inside: a builder. */
  builder?: boolean;
  init?: boolean;
  memoryBytes?: number;
  /** CPUs, 0.5 for example. */
  cpus?: number;
  /** Processes and threads. */
  pids?: number;
  /** Programs in it cannot gain rights by their files, as `sudo` does. */
  noNewPrivileges?: boolean;
  /** json-file limits: above the job's log cap, so that rotation loses nothing. */
  logMaxBytes: number;
  /** Extra host names, `name:address`. */
  hosts?: string[];
}
export interface ContainerState {
  id: string;
  name: string;
  status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  exitCode: number;
  oomKilled: boolean;
  error: string;
  startedAt: number;
  finishedAt: number;
  image: string;
  labels: Record<string, string>;
  createdAt: number;
  /** Address on each of its networks. */
  addresses: Record<string, string>;
}
/** One record of the engine's log: one write of the container, at most 16 KiB. */
export interface LogRecord {
  stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, as the engine wrote it. */
  time: string;
  bytes: Uint8Array;
}
export interface ImageInfo {
  /**
   * The id that `listImages` and containers use. In the containerd store it may be an index: a container is
   * created from it with the platform named.
   */
  id: string;
  platform: Platform;
  sizeBytes: number;
  /** `REPOSITORY:TAG` */
  tags: string[];
  repoDigests: string[];
  /** It was built on this engine and never pulled. False if the engine does not know. */
  madeHere: boolean;
  /** TCP only. */
  exposedPorts: number[];
  user: string;
  entrypoint: string[];
  command: string[];
  workdir: string;
}
/** An image in a list. */
export interface ListedImage {
  id: string;
  /** `REPOSITORY:TAG` */
  tags: string[];
  labels: Record<string, string>;
}
export interface BuildRequest {
  /** Tar of the context. */
  context: Readable;
  dockerfile: string;
  platform: string;
  tag: string;
  target?: string;
  args: Record<string, string>;
  labels: Record<string, string>;
  cacheFrom: string[];
  /** Base images are resolved in their registries, even if the engine has images of these names. */
  pullBases: boolean;
  /** Cache mounts are shared with builds that name the same. */
  cacheMounts?: string;
  /** BUILDKIT_INLINE_CACHE */
  inlineCache: boolean;
  auth: Record<string, RegistryAuth>;
  signal: AbortSignal;
  onLog(text: string): void;
}

/** One container engine. Idempotent where stated; `name` arguments are container names or ids. */
export interface Engine {
  info(): Promise<EngineInfo>;
  /**
   * A UUID that davit keeps on the engine as the label of a volume, because cloned SD cards share engine ids.
   */
  hostId(installation: string): Promise<string>;
  /** Tests it by running a container of that platform; `image` is any image of it. */
  canRun(platform: string, image: string): Promise<boolean>;

  /**
   * With a platform: that platform's image of the name, if the engine can hold several under one; undefined
   * if it does not have it. An engine that holds one returns it, whatever its platform.
   */
  inspectImage(image: string, platform?: string): Promise<ImageInfo | undefined>;
  pullImage(
    image: string,
    options: {
      platform?: string;
      auth?: RegistryAuth;
      signal?: AbortSignal;
      /** An unreachable registry is not asked again. */
      once?: true;
      onLog?(text: string): void;
    },
  ): Promise<ImageInfo>;
  /** Local image from a tar of a root file system context; used for the helper image only. */
  tagImage(image: string, tag: string): Promise<void>;
  removeImage(image: string): Promise<void>;
  /** Images with a tag. */
  listImages(): Promise<ListedImage[]>;
  /**
   * Removes BuildKit's cache that no build is using, of all builds on the engine; with `keepBytes` what was used last
   * stays. Returns the freed bytes.
   */
  pruneBuildCache(keepBytes?: number): Promise<number>;
  /** BuildKit's, of all builds on the engine; undefined: it does not tell. It may take seconds. */
  buildCache(signal: AbortSignal): Promise<{ bytes: number; unusedBytes: number } | undefined>;
  build(request: BuildRequest): Promise<{ imageId: string; sizeBytes: number }>;
  /** Returns the digest that the registry acknowledged. */
  push(
    tag: string,
    options: { auth?: RegistryAuth; signal: AbortSignal; onLog(text: string): void },
  ): Promise<{ digest: Digest; sizeBytes: number }>;

  /** Rejects with `engine/name-taken` if the name exists: the caller attaches. */
  createContainer(create: ContainerCreate): Promise<string>;
  inspectContainer(name: string): Promise<ContainerState | undefined>;
  startContainer(name: string): Promise<void>;
  /** Extracts a tar at `/` of a created container, including its volumes. The signal ends it at any point. */
  upload(name: string, tar: Readable, signal?: AbortSignal): Promise<void>;
  /** Tar of a path (works on ended containers); undefined if the path does not exist. */
  download(name: string, path: string, signal?: AbortSignal): Promise<Readable | undefined>;
  /** Resolves when the container is not running. Retries after engine restarts and lost connections. */
  waitContainer(name: string, signal: AbortSignal): Promise<ContainerState>;
  /**
   * Demultiplexed; ends when the container has ended (follow) or the log is read. `since`: RFC 3339 ns,
   * inclusive.
   */
  logs(
    name: string,
    options: { follow: boolean; since?: string; signal: AbortSignal },
  ): AsyncIterable<LogRecord>;
  signalContainer(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Removes its anonymous volumes too. Idempotent. */
  removeContainer(name: string): Promise<void>;
  /**
   * The same, unless it is running: the engine decides atomically. False if it is running and was left as it
   * is.
   */
  removeUnlessRunning(name: string): Promise<boolean>;
  listContainers(labels: Record<string, string>): Promise<ContainerState[]>;

  createVolume(name: string, labels: Record<string, string>): Promise<void>;
  removeVolume(name: string): Promise<void>;
  listVolumes(
    labels: Record<string, string>,
  ): Promise<{ name: string; labels: Record<string, string>; createdAt: number }[]>;
  /**
   * Idempotent. `icc: false` isolates containers of ordinary jobs. `bridge` names its interface on the machine, at
   * most 15 characters.
   */
  createNetwork(
    name: string,
    options: { labels: Record<string, string>; icc: boolean; bridge?: string },
  ): Promise<void>;
  removeNetwork(name: string): Promise<void>;
  listNetworks(
    labels: Record<string, string>,
  ): Promise<{ name: string; labels: Record<string, string>; createdAt: number }[]>;
  /**
   * A connection that nothing is said on: `broken` resolves when it breaks, as it does when the engine or its
   * machine restarts, or when the signal aborts.
   */
  watch(signal: AbortSignal): Promise<{ broken: Promise<void> }>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- registry

export interface ManifestInfo {
  digest: Digest;
  mediaType: string;
  sizeBytes: number;
  platform?: Platform;
}
/** An OCI distribution client; one per registry host, credentials bound to it. */
export interface Registry {
  readonly host: string;
  ping(): Promise<void>;
  manifest(repository: string, reference: string): Promise<ManifestInfo | undefined>;
  /**
   * Whether the registry gives it to these credentials, asked once. Rejects with `registry/denied`,
   * `registry/unreachable`.
   */
  has(repository: string, reference: string): Promise<boolean>;
  /** Entries of an index; undefined if the name does not exist. */
  index(
    repository: string,
    reference: string,
  ): Promise<{ digest: Digest; entries: ManifestInfo[] } | undefined>;
  /**
   * Writes an OCI index by digest, reads it back, then each tag. Rejects with `registry/denied` naming the
   * missing scope.
   */
  putIndex(
    repository: string,
    entries: { digest: Digest; platform: Platform }[],
    tags: string[],
    annotations: Record<string, string>,
  ): Promise<Digest>;
  /** To another repository of this registry, under the same digest. Rejects with `registry/missing-manifest`. */
  copyImage(from: string, digest: Digest, to: string): Promise<void>;
  /** Pushes an OCI archive of one image, under its digest and the tag. */
  putArchive(repository: string, tag: string, tar: Readable): Promise<{ digest: Digest; sizeBytes: number }>;
  deleteManifest(repository: string, digest: Digest): Promise<void>;
  /** Bytes of all layers and config of one manifest. */
  imageSize(repository: string, digest: Digest): Promise<number>;
}
/** The attempt for which davit or a script asks. */
export interface JobUse {
  job: JobAsker;
  attempt: LogRef;
  /** How long the job may take, ms. */
  forMs: number;
}
/** For davit's own registry: on whose behalf, and what davit itself writes there, as `HOST/REPOSITORY`. */
export interface RegistryUse extends JobUse {
  writes?: readonly string[];
}
/**
 * Credentials by reference from the installation file. davit's own registry gets those of `use`, also for a request
 * that is anonymous elsewhere; without `use` it is one that pulls this image.
 */
export interface Registries {
  /** The registry that serves this image or repository name. */
  forImage(
    name: string,
    options?: { anonymous?: boolean; use?: RegistryUse },
  ): Promise<{ registry: Registry; repository: string; auth?: RegistryAuth }>;
  authFor(
    name: string,
    options?: { anonymous?: boolean; use?: RegistryUse },
  ): Promise<RegistryAuth | undefined>;
  /** What a target pulls the image with, also after the job has ended. */
  authForTarget(
    name: string,
    of: { project: ProjectSlug; target: string },
  ): Promise<RegistryAuth | undefined>;
  /** CI_REGISTRY and the credentials of a script. */
  default(use?: JobUse): Promise<{ host: string; auth?: RegistryAuth }>;
}
/** The server's credentials for jobs and targets; repositories are without the registry. */
export interface Credentials {
  /** CI_JOB_TOKEN, or with `writes` that of davit's own work; undefined from a server that has none. */
  forJob(use: JobUse & { writes?: readonly string[] }): Promise<string | undefined>;
  forTarget(of: { project: ProjectSlug; target: string; repository: string }): Promise<string>;
  /** For one image that the operator has named. */
  forPull(repository: string): Promise<string>;
}

// ---------------------------------------------------------------- deploy target

export interface DeployRequest {
  deployId: string;
  seq: number;
  /** By digest: `REPOSITORY@sha256:…`. */
  image: string;
  spec: SwarmSpec;
  labels: Record<string, string>;
  /** Whose service may be replaced, beside none. Absent: anybody's. */
  owner?: string;
  auth?: RegistryAuth;
}
export interface TargetState {
  exists: boolean;
  /** From labels of the service or any of its tasks; of this installation's deployments only. */
  deployIds: string[];
  seq: number;
  /** Another installation of davit has deployed it last. */
  foreign?: boolean;
  /** The project whose deployment by this installation stands there. */
  owner?: string;
  /** The pipeline of that deployment. */
  pipeline?: PipelineId;
  image?: string;
  desired: number;
  running: number;
  /** Tasks that failed since this deployment began, newest first, with the target's own message. */
  failures: string[];
  rollout: 'none' | 'updating' | 'paused' | 'completed' | 'rolling_back';
  /** Opaque: the spec that would be restored. */
  snapshot?: string;
  /** host:port that it listens on, if the target provides it. */
  endpoints: string[];
}
export interface DeployTarget {
  readonly name: string;
  read(service: string): Promise<TargetState>;
  /** Conditional on the version just read: returns `conflict` if it was changed in the meantime. */
  apply(request: DeployRequest): Promise<'applied' | 'already' | 'outdated' | 'conflict'>;
  /**
   * Restores a snapshot as a new deployment; without one, removes what the first deployment created. `authFor`: the
   * image of the snapshot may be in another repository than the one it replaces.
   */
  restore(
    service: string,
    snapshot: string | undefined,
    deployment: {
      deployId: string;
      seq: number;
      authFor?(image: string): Promise<RegistryAuth | undefined>;
    },
  ): Promise<void>;
  remove(service: string): Promise<void>;
  nodes(): Promise<SwarmNode[]>;
  /** Ends its connection. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------- source and forge

export interface SourceRequest {
  url: string;
  sha: string;
  ref: string;
  /** Commits; 0: the whole history, all branches and tags. */
  depth: number;
  /** `ref` is a tag: it is in the checkout too, and its message is returned. */
  tag?: boolean;
  auth?: { username: string; password: string };
  signal?: AbortSignal;
  submodules?: SubmoduleRequest;
  /** Objects of Git LFS in place of their pointers; absent: pointers stay. */
  lfs?: LfsRequest;
}
export interface LfsRequest {
  /** Whether the project's own host gets its credentials. */
  credentials: boolean;
  /** In sum. */
  maxBytes: number;
}
export interface SubmoduleRequest {
  recursive: boolean;
  /** GIT_SUBMODULE_PATHS; none: all. */
  paths: readonly string[];
  /** Commits; 0: the whole history. */
  depth: number;
  /** Whether submodules on the project's own host get its credentials. */
  credentials: boolean;
  /** `HOST` or `HOST:PORT` that may have private addresses. */
  allowHosts: readonly string[];
}
export interface ChangedRequest extends Omit<SourceRequest, 'depth'> {
  /** What `sha` is compared with: a commit, or the name of a ref; with `mergeBase`, their common ancestor. */
  since: { name: string; commit: string; mergeBase: boolean }[];
}
export interface LastCommitsRequest extends Omit<SourceRequest, 'depth'> {
  /** Paths or globs of the source. */
  paths: readonly string[];
}
export interface HeldCommit extends Pick<SourceRequest, 'url' | 'sha' | 'ref' | 'auth' | 'signal'> {
  /** `ref` is a tag, else a branch. */
  tag: boolean;
}
export interface CommitFacts {
  /** `Name <address>` */
  author: string;
  /** ISO 8601 with its zone. */
  timestamp: string;
  message: string;
  /** For an annotated tag. */
  tagMessage?: string;
}
export interface FetchedTree {
  tar: Readable;
  done: Promise<void>;
  commit?: CommitFacts;
  /** Files that the repository keeps with Git LFS: the tar has their pointers. */
  lfs?: string[];
}
export interface Source {
  /**
   * Tar of a checkout with a `.git` of `depth` commits, umask 0000 modes. Rejects with `git/no-commit`,
   * `git/unreachable`, `git/denied`.
   */
  fetch(request: SourceRequest): Promise<FetchedTree>;
  /**
   * Paths that differ, by the requested `name`; one that git does not have is left out. Rejects as `fetch`
   * does.
   */
  changed(request: ChangedRequest): Promise<Record<string, string[]>>;
  /**
   * The last commit up to `sha` that changed each path; a path that never existed is left out. Rejects as
   * `fetch` does.
   */
  lastCommits(request: LastCommitsRequest): Promise<Record<string, string>>;
  /**
   * Whether the branch or tag of the repository holds the commit. Rejects with `git/unreachable`,
   * `git/denied`.
   */
  contains(commit: HeldCommit): Promise<boolean>;
  head(url: string, ref: string, auth?: { username: string; password: string }): Promise<string | undefined>;
  /** Every branch and tag. Rejects as `fetch` does. */
  heads(request: Pick<SourceRequest, 'url' | 'auth' | 'signal'>): Promise<RemoteHead[]>;
}
export interface RemoteHead {
  /** Whole: refs/heads/main, refs/tags/v1 */
  ref: string;
  /** The object that the ref names: for an annotated tag the tag, not the commit. */
  sha: string;
  commit: string;
}
export interface PackRequest {
  /** Address of the repository: http or https. */
  url: string;
  auth?: { username: string; password: string } | undefined;
  /** PEM of the authority of its certificate. */
  caFile?: string | undefined;
  /** Headers of git that are passed on: `Git-Protocol`, `Content-Encoding`. */
  protocol?: string | undefined;
  encoding?: string | undefined;
  body?: Readable;
}
/** git's smart HTTP protocol, for reading. Rejects with `git/denied`, `git/unreachable`. */
export interface UploadPack {
  refs(request: PackRequest): Promise<{ type: string; body: Readable }>;
  pack(request: PackRequest & { body: Readable }): Promise<{ type: string; body: Readable }>;
}
/** Reads single files of repositories, for `include`. */
export interface Repositories {
  /**
   * Commits of the refs that match (`HEAD`, `refs/heads/main`, `refs/tags/*`), by full name; annotated tags
   * followed.
   */
  refs(request: RepositoryRequest & { patterns: readonly string[] }): Promise<Record<string, string>>;
  /**
   * Files of one commit: texts by path, null for a path that is not a file, and every path if `list` is set.
   * Rejects like `Source.fetch`, and with `source/refused` if a file is not UTF-8 text of at most 1 MiB.
   */
  files(
    request: RepositoryRequest & { sha: string; paths: readonly string[]; list: boolean },
  ): Promise<{ texts: Record<string, string | null>; files?: string[] }>;
}
export interface RepositoryRequest {
  url: string;
  auth?: { username: string; password: string };
  signal?: AbortSignal;
}
/** Files of other servers, for `include: remote`. */
export interface RemoteFiles {
  /** https and public addresses only. Rejects with `include/refused`, `include/unreachable`. */
  get(url: string, signal?: AbortSignal): Promise<Uint8Array>;
}
/** Files outside the pipeline's own source that includes name. */
export interface Includes {
  /** For one pipeline: all its files must arrive within 30 s. */
  open(reader: IncludeReader): IncludeSession;
}
/** On whose behalf files are read. */
export interface IncludeReader {
  project: ProjectSlug;
  /** A pipeline from outside reads only what is public. */
  fork: boolean;
  signal?: AbortSignal;
}
export interface IncludeSession {
  /** By `includeKey`. A refusal is a result too; rejects only if it was aborted. */
  answer(wants: readonly IncludeWant[]): Promise<IncludeAnswers>;
}
export interface Forge {
  /**
   * Idempotent by context. Resolves with the state as the forge names it; undefined if there is no forge, or nothing to
   * tell. `told`: what it was told before about this pipeline. Rejects with `forge/away`; with `forge/denied` while the
   * token or the repository is refused; with `forge/refused` if a retry is useless.
   */
  commitStatus(status: ForgeStatus): Promise<string | undefined>;
  /**
   * Open merge requests from a branch of the project itself, `group/project!3`; undefined without a forge. Rejects with
   * `forge/away`, `forge/refused`, `secret/missing`.
   */
  openRequests(project: ProjectSlug, branch: string, signal?: AbortSignal): Promise<string[] | undefined>;
  /** The release of a tag. Rejects with `forge/away`, or `forge/refused` if a retry is useless. */
  findRelease(project: ProjectSlug, tag: string): Promise<ReleaseAt | 'none' | 'no-forge'>;
  /** Creates one; returns the parts that this forge does not support. Rejects like `findRelease`. */
  makeRelease(project: ProjectSlug, release: ReleaseSpec): Promise<ReleaseAt & { left: string[] }>;
}
export interface ForgeStatus {
  project: ProjectSlug;
  sha: string;
  ref: string;
  pipeline: PipelineId;
  context: string;
  state: PipelineState;
  cause?: StatusCause;
  told?: string;
  url?: string;
}
export interface ReleaseAt {
  url?: string;
}
/** A project's forge, as its entry in the installation file names it. */
export type ForgeProjectSettings = Pick<
  InstallationProject,
  'name' | 'forge' | 'forge_url' | 'forge_token' | 'repository'
>;
export interface ForgeRefs {
  /** What the forge protects now. Rejects with `forge/away`, `forge/refused`, `secret/missing`. */
  read(project: ForgeProjectSettings, signal?: AbortSignal): Promise<ForgeProtection>;
}
/** A merge request that is open at a forge, as its events would describe it. */
export interface OpenRequest {
  /** Full ref in the project's repository. */
  ref: string;
  sha: string;
  title: string;
  /** Login of the author; `unknown` if the forge does not say. */
  author: string;
  fork: boolean;
  mergeRequest: NonNullable<Trigger['mergeRequest']>;
}
export interface OpenRequests {
  /**
   * Newest change first. `complete` false: there are more than davit reads. Undefined: the project has no forge_token
   * or no forge. Rejects with `forge/away`, `forge/refused`, `secret/missing`.
   */
  open(
    project: ForgeProjectSettings,
    signal?: AbortSignal,
  ): Promise<{ requests: OpenRequest[]; complete: boolean } | undefined>;
}
/** What the server knows of rights, for workers. */
export interface Rights {
  /** What the project's forge was last known to protect; undefined while nobody could read it. */
  protection(project: ProjectSlug): Promise<ForgeProtection | undefined>;
  /** Whether the approvals of a job still stand, by the users and rights of now. */
  approvals(question: ApprovalQuestion): Promise<ApprovalAnswer>;
}

// ---------------------------------------------------------------- workflows

/** What an activity may request from Temporal itself. */
export interface WorkflowLookup {
  /** True if that run (else the latest) is closed or past retention; rejects if Temporal does not respond. */
  isClosed(workflowId: string, runId?: string): Promise<boolean>;
}

export interface WorkflowCancel {
  /** Durable when it resolves; nothing happens to a closed run. */
  requestCancel(workflowId: string, runId: string): Promise<void>;
}

export interface PipelineLookup {
  /**
   * The newest pipeline of a branch that its project remembers, which includes every open one; child
   * pipelines do not count.
   */
  newestOf(project: ProjectSlug, branch: string): Promise<PipelineId | undefined>;
}

export interface TriggerLookup {
  /** What a project knows about the key of a trigger; `unknown` if the project has no workflow yet. */
  lookup(project: ProjectSlug, key: string): Promise<KeyLookup>;
}

/** The workflow that writes one status of one commit to the forge. */
export interface StatusWriters {
  /** Durable when it resolves. */
  report(workflowId: string, write: StatusWrite): Promise<void>;
}

export interface PipelineStarter {
  /** Requests a pipeline of a project: durable when it resolves. */
  start(trigger: Trigger): Promise<void>;
}

// ---------------------------------------------------------------- fleet

export interface Fleet {
  report(worker: Omit<WorkerReport, 'seenAt'> & { marks?: Marks | undefined }): Promise<FleetAnswer>;
  /** This worker has ended. */
  leave(id: string): Promise<void>;
  /** Workers seen in the last 60 s. */
  live(): Promise<WorkerReport[]>;
}

// -------------------------------------------------------------- changes

/** Passes on to the server what workflows tell. A change that gets lost makes the server notice later. */
export interface Changes {
  tell(changes: readonly Change[]): Promise<void>;
}
