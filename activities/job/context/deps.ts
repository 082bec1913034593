/** What the activities of a job depend on: ports, and facts about their worker. */
import type {
  BlobStore,
  Credentials,
  Engine,
  LogStore,
  RecordStore,
  Registries,
  Secrets,
} from '../../../src/adapters/ports.ts';
import type { WorkerConfig } from '../../../src/installation.ts';
import type { InstallationFacts } from '../../../src/installation-facts.ts';
import type { Arch } from '../../../src/plan/model/ids.ts';
import type { JobStarted } from '../../../src/plan/model/protocol.ts';
import type { LeaseDeps } from '../../runtime/activity-lease.ts';
import type { AttemptPortsOf } from '../../runtime/per-attempt.ts';
import type { FreeDiskSpace } from '../../runtime/disk-space.ts';

export interface JobWorker {
  hostId: string;
  hostName: string;
  version: string;
  config: WorkerConfig;
  /** The architectures of this worker; the first is the default for a job that names none. */
  arches: readonly Arch[];
  /** The emulated ones among them: they get no job that asks for hardware. */
  emulated: readonly Arch[];
  /** All tags that it serves, including architectures. */
  tags: readonly string[];
}

export interface JobDeps extends LeaseDeps, AttemptPortsOf {
  engine: Engine;
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  secrets: Secrets;
  registries: Registries;
  credentials: Pick<Credentials, 'forJob'>;
  facts: InstallationFacts;
  worker: JobWorker;
  /** PEM of the authority that a script needs to verify the server; undefined where it needs none. */
  serverAuthority(): Promise<string | undefined>;
  /** Epoch ms by the server's clock. */
  now(): number;
  /** Tells the workflow that a job runs. Best effort. */
  announce?(run: { workflowId: string; runId: string }, started: JobStarted): Promise<void>;
  /** Accepts removals that may continue after a job's result. Their owner logs failures. */
  background(work: Promise<unknown>): void;
  /** Why what jobs reach cannot be limited on this engine; undefined where it is limited, or need not be. */
  egressProblem(): Promise<string | undefined>;
  /** Ensures that the helper image is on the engine. Rejects with `local/no-helper` or `engine/*`. */
  ensureHelper(): Promise<void>;
  /** Frees space on a full engine: removes davit's own objects that are not needed. */
  freeDiskSpace: FreeDiskSpace;
}
