/** Dependencies of the app; tests pass their own. */
import type { PayloadCodec } from '@temporalio/common';
import type {
  AuditLog,
  DeliveryLog,
  BlobStore,
  Collected,
  CollectRequest,
  DiskUsage,
  OwnImages,
  FollowedLogs,
  KeyRing,
  RecordStore,
  Secrets,
  UploadPack,
  Sealer,
  ServerProofs,
} from '../adapters/ports.ts';
import type { InstallationProject } from '../installation.ts';
import type { InstallationFacts } from '../installation-facts.ts';
import type { Space } from '../plan/model/fleet.ts';
import type { TemporalPlace } from './api.ts';
import type { ProtectionOf } from './forge-protection.ts';
import type { ResolveRef } from './resolve-ref.ts';
import type { Tokens } from './auth.ts';
import type { ServerTls } from './tls.ts';
import type { ServerLog } from './log.ts';
import type { Credentials } from './registry/credentials.ts';
import type { DeployTokens } from './registry/deploy-tokens.ts';
import type { TokenSigner } from './registry/token-signer.ts';
import type { WorkerFleet } from './workers/fleet.ts';
import type { RefusedCalls } from './workers/refused-calls.ts';
import type { WorkerTokens } from './workers/worker-tokens.ts';
import type { Workflows } from './workflow-port.ts';

export interface WebhookProject {
  project: InstallationProject;
  /** Resolved; never empty. */
  secret: string;
}
/** The registry that believes this server's tokens. */
export interface OwnRegistry {
  /** `HOST[:PORT]` */
  host: string;
  signer: TokenSigner;
}
export interface ServerDeps {
  blobs: BlobStore;
  records: RecordStore;
  logs: FollowedLogs;
  audit: AuditLog;
  deliveries: DeliveryLog;
  /** Removes unused blobs. */
  collect(request: CollectRequest): Promise<Collected>;
  usage(): Promise<DiskUsage>;
  fleet: WorkerFleet;
  /** Calls with tokens that are not those of workers. */
  refusedCalls: RefusedCalls;
  /** Free bytes where logs and blobs are stored; undefined where it is not known. */
  storeSpace(): Promise<Space | undefined>;
  /** Absent where davit has no registry of its own. */
  images?: OwnImages | undefined;
  /** Why clients refuse the server's certificate; undefined: they do not. */
  certificateTrouble(): Promise<string | undefined>;
  workflows: Workflows;
  tokens: Tokens;
  /** Those that this server hands out itself. */
  credentials: Credentials;
  deployTokens: DeployTokens;
  /** Absent: davit runs none. */
  ownRegistry?: OwnRegistry;
  workerTokens: WorkerTokens;
  keys: KeyRing;
  proofs: ServerProofs;
  sealer: Sealer;
  /** What the forges of projects protect. */
  protectionOf: ProtectionOf;
  /** Repositories of projects, for jobs, and the secrets that they need. */
  uploadPack: UploadPack;
  secrets: Pick<Secrets, 'resolve'>;
  /** Asked for requests without a commit. */
  resolveRef: ResolveRef;
  webhooks: readonly WebhookProject[];
  /** A function, because the address is known only once the server listens. */
  facts: () => InstallationFacts;
  /** Opens and seals payloads of Temporal; absent: they are not sealed. */
  codec?: PayloadCodec | undefined;
  /** With the origin of its UI. */
  temporal: TemporalPlace;
  /** Absent: plain http. */
  tls?: ServerTls | undefined;
  version: string;
  /** Addresses of proxies that say where a request comes from. */
  proxies: readonly string[];
  log: ServerLog;
  limits: ServerLimits;
}
export interface ServerLimits {
  /** A blob that a worker stores. */
  workerBlobBytes: number;
  /** A blob that a person stores: a working tree. */
  userBlobBytes: number;
  /** Maximum time between two chunks of a streamed body. */
  idleMs: number;
  webhookBytes: number;
  /** Bytes of all webhook bodies that are being received. */
  webhookTotalBytes: number;
  /** Time for a webhook's whole body. */
  webhookBodyMs: number;
  /** From a webhook's body to its response; Gitea gives up after 5 s, the others after 10 s. */
  webhookAnswerMs: number;
  /** Minimum interval of status queries of a pipeline, for any number of watchers. */
  statusMs: number;
}

const MIB = 1_024 * 1_024;
export const DEFAULT_LIMITS: ServerLimits = {
  workerBlobBytes: 4_096 * MIB,
  userBlobBytes: 1_024 * MIB,
  idleMs: 60_000,
  webhookBytes: 25 * MIB,
  webhookTotalBytes: 192 * MIB,
  webhookBodyMs: 10_000,
  webhookAnswerMs: 3_500,
  statusMs: 500,
};
