/** Dependencies of the app; tests pass their own. */
import type { PayloadCodec } from '@temporalio/common';
import type {
  AuditLog,
  BlobStore,
  Collected,
  CollectRequest,
  Fleet,
  FollowedLogs,
  RecordStore,
} from '../adapters/ports.ts';
import type { InstallationFacts, InstallationProject } from '../installation.ts';
import type { ProtectionOf } from './forge-protection.ts';
import type { ResolveRef } from './resolve-ref.ts';
import type { Tokens } from './auth.ts';
import type { ServerTls } from './tls.ts';
import type { ServerLog } from './log.ts';
import type { Workflows } from './workflow-port.ts';

export interface WebhookProject {
  project: InstallationProject;
  /** Resolved; never empty. */
  secret: string;
}
export interface ServerDeps {
  blobs: BlobStore;
  records: RecordStore;
  logs: FollowedLogs;
  audit: AuditLog;
  /** Removes unused blobs. */
  collect(request: CollectRequest): Promise<Collected>;
  fleet: Fleet;
  workflows: Workflows;
  tokens: Tokens;
  /** What the forges of projects protect. */
  protectionOf: ProtectionOf;
  /** Asked for requests without a commit. */
  resolveRef: ResolveRef;
  webhooks: readonly WebhookProject[];
  /** A function, because the address is known only once the server listens. */
  facts: () => InstallationFacts;
  /** Opens and seals payloads of Temporal; absent: they are not sealed. */
  codec?: PayloadCodec | undefined;
  /** Origin of Temporal's UI. */
  temporalUi?: string | undefined;
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
  /** From a webhook's body to its response; forges give up after 10 s. */
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
  webhookAnswerMs: 9_000,
  statusMs: 500,
};
