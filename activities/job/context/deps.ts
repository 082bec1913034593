/** What the activities of a job are given: ports, and what their worker knows about itself. */
import type {
  BlobStore,
  Engine,
  LogStore,
  RecordStore,
  Registries,
  Secrets,
} from '../../../src/adapters/ports.ts';
import type { InstallationFacts, WorkerConfig } from '../../../src/installation.ts';
import type { Arch } from '../../../src/plan/model/ids.ts';
import type { JobStarted } from '../../../src/plan/model/protocol.ts';
import type { LeaseDeps } from '../../runtime/activity-lease.ts';
import type { FreeDiskSpace } from '../../runtime/disk-space.ts';

export interface JobWorker {
  hostId: string;
  hostName: string;
  version: string;
  config: WorkerConfig;
  /** What this worker can run; the first is what a job without a word about it gets. */
  arches: readonly Arch[];
  /** Those of them that are emulated: they never get a job that asks for hardware. */
  emulated: readonly Arch[];
  /** Every tag that it serves, architectures included. */
  tags: readonly string[];
}

export interface JobDeps extends LeaseDeps {
  engine: Engine;
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  secrets: Secrets;
  registries: Registries;
  facts: InstallationFacts;
  worker: JobWorker;
  /** Epoch ms by the server's clock. */
  now(): number;
  /** Tells the workflow that a job runs. Best effort. */
  announce?(run: { workflowId: string; runId: string }, started: JobStarted): Promise<void>;
  /** Takes what may go on after a job's result: removals. Failures are its owner's to log. */
  background(work: Promise<unknown>): void;
  /** Makes sure that the helper image is on the engine. Rejects with `local/no-helper` or `engine/*`. */
  ensureHelper(): Promise<void>;
  /** Removes from the engine what is davit's own and not needed: its disk is full. */
  freeDiskSpace: FreeDiskSpace;
}
