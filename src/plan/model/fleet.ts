/** What workers tell the server about themselves and their machines, and what it answers. Every field is optional: versions mix. */
import type { Arch } from './ids.ts';

/** Something that is wrong, for people. */
export interface Trouble {
  /** A coded error, if it is one. */
  code?: string | undefined;
  message: string;
  hint?: string | undefined;
}
export interface Space {
  freeBytes: number;
  totalBytes: number;
}
export interface EngineFacts {
  /** The engine's own id. Engines of copied disks share it. */
  id: string;
  /** `--docker`, as the worker has it. */
  address: string;
  kind: 'docker' | 'podman';
  version: string;
  api?: string | undefined;
  /** Where it keeps images. */
  store?: 'classic' | 'containerd' | undefined;
  os?: string | undefined;
  arch: Arch;
  /** `armv7l` */
  machine?: string | undefined;
  runtime?: string | undefined;
  swarm?: 'inactive' | 'manager' | 'worker' | undefined;
}
/** A registry, as the engine reaches it. */
export interface RegistryCheck {
  host: string;
  problem?: Trouble | undefined;
}
export interface SwarmNode {
  name: string;
  /** `ready`, `down`, `disconnected`, `unknown` */
  state: string;
  /** `active`, `pause`, `drain` */
  availability: string;
}
/** What a worker finds on its machine. Made every few minutes, and when somebody asks. */
export interface MachineChecks {
  /** When they ended, epoch ms, server's clock. */
  at: number;
  /** The clock of the engine's machine minus the server's, ms. */
  clockOffsetMs?: number | undefined;
  /** Where the engine's data are: images, containers, and their logs. */
  disk?: Space | undefined;
  /** Where the worker's own temporary files are. */
  temp?: Space | undefined;
  registries?: RegistryCheck[] | undefined;
  /** Its architectures that the engine cannot run now. */
  cannotRun?: Arch[] | undefined;
  /** The swarm of a deploy target. */
  nodes?: SwarmNode[] | undefined;
  /** What could not be found out, and why. */
  troubles?: Trouble[] | undefined;
}
/**
 * What tells an engine from one with a copy of its disk: the mark that this worker has made there when it started, and
 * those that are there now.
 */
export interface Marks {
  own: string;
  seen: readonly string[];
  /** The same for two workers that reach an engine from one machine by one address. */
  way: string;
}
export interface RunningJob {
  pipeline: string;
  job: string;
  attempt: number;
}
export interface MachineReport {
  /** As people know it: the name of its token, or that of its machine. */
  name?: string | undefined;
  /** Name of the token that it shows. Written by the server. */
  token?: string | undefined;
  /** It runs workflows. */
  control?: boolean | undefined;
  /** Epoch ms, server's clock. */
  startedAt?: number | undefined;
  /** What it runs now; of `slots`. */
  running?: RunningJob[] | undefined;
  /** It has lost its engine, and takes no jobs. `since`: epoch ms, server's clock. */
  away?: (Trouble & { since: number }) | undefined;
  /** It could not start. */
  failed?: Trouble | undefined;
  /** An operator has said that it takes no further jobs. Written by the server. */
  draining?: boolean | undefined;
  engine?: EngineFacts | undefined;
  checks?: MachineChecks | undefined;
}

/** Response to a report. Earlier servers send an empty one. */
export interface FleetAnswer {
  /** It takes no further jobs. */
  draining?: boolean | undefined;
  /** It must not serve its engine: another machine has the same id. */
  refused?: { message: string } | undefined;
  /** Whether it may serve its engine is not known yet: it asks again in a moment. */
  undecided?: boolean | undefined;
  /** Checks of before are to be made again, server's clock. */
  checksSince?: number | undefined;
}

/** What is known of a machine that has no live worker. */
export interface SeenWorker {
  name: string;
  hostName: string;
  arches: Arch[];
  tags: string[];
  targets: string[];
  version: string;
  /** Epoch ms. */
  seenAt: number;
}

export const WORKER_STATES = ['ready', 'draining', 'engine away', 'failed', 'gone', 'never seen'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** As people know it. A token has one machine, or one that drives several: `TOKEN/BOARD`. */
export function nameOf({
  name,
  token,
  hostName,
}: Pick<MachineReport, 'name' | 'token'> & { hostName: string }): string {
  if (token === undefined) return name ?? hostName;
  return name?.startsWith(`${token}/`) ? name : token;
}

/** As it is shown. */
export function stateOf({ failed, away, draining }: MachineReport): WorkerState {
  if (failed) return 'failed';
  if (away) return 'engine away';
  return draining ? 'draining' : 'ready';
}
/** It takes jobs of its queues. */
export const takesJobs = (worker: MachineReport): boolean => stateOf(worker) === 'ready';
