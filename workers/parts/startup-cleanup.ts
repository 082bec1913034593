/**
 * What a worker does before it takes new work: resumes the jobs of its previous process, and removes the
 * leftovers of closed pipelines.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { detachFormer } from '../../activities/job/detach-former.ts';
import { formerSharedNetwork } from '../../activities/runtime/container-names.ts';
import { DavitError } from '../../src/errors.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { sweepFolders } from '../../src/adapters/temp.ts';
import { isElsewhere, isFormerSelf, type WorkerIdentity } from './identity.ts';
import { type Janitor, sweep } from './janitor.ts';

/** More than two heartbeat intervals of a live worker, as Temporal records them. */
const QUIET_MS = 8_000;

export interface StartupCleanup {
  client: Client;
  engine: Engine;
  self: WorkerIdentity;
  janitor: Janitor;
  trouble(error: unknown): void;
  background(work: Promise<unknown>): void;
  /** Aborted when the worker stops. */
  signal: AbortSignal;
}

/** The rules for egress do not cover the shared network of earlier versions. Running jobs keep it. */
async function removeFormerNetwork(engine: Engine, installation: string): Promise<void> {
  try {
    await engine.removeNetwork(formerSharedNetwork(installation));
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/in-use') throw error;
  }
}

/** No failure may keep a worker from starting: never rejects. Slow steps continue in the background. */
export async function cleanUpAtStart(left: StartupCleanup): Promise<void> {
  const { client, engine, self, janitor, trouble, signal } = left;
  const { installation } = janitor;
  const former = { client, engine, installation, hostId: self.hostId };
  const detach = async (): Promise<unknown> =>
    detachFormer({ ...former, isFormer: (identity) => isFormerSelf(self, identity) });
  await Promise.all([detach().catch(trouble), sweepFolders()]);
  await sweep(janitor).catch(trouble);
  await removeFormerNetwork(engine, installation).catch(trouble);
  const isFormer = (identity: string): boolean => isElsewhere(self, identity);
  const quiet = (): Promise<void> => delay(QUIET_MS, undefined, { signal });
  const later = detachFormer({ ...former, isFormer, quiet });
  left.background(
    later.catch((error: unknown) => {
      if (!signal.aborted) throw error;
    }),
  );
}
