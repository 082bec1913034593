/** Common parts of every worker process: one runtime, and a graceful end. */
import type { Client } from '@temporalio/client';
import { Runtime, type Worker } from '@temporalio/worker';
import { detachFormer } from '../../activities/job/detach-former.ts';
import { sweepFolders } from '../../src/adapters/temp.ts';
import type { Settings } from '../../src/config.ts';
import { isFormerSelf, type WorkerIdentity } from './identity.ts';
import { sdkLogger } from './sdk-log.ts';
import { messageOf } from '../../src/utils/message.ts';

const NOT_YET_MS = 10;

/** A line in the process's own log. */
export const writeStderr = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Once per process. The runtime's own signal handling would prevent a process from ending its other parts.
 */
export function installRuntime(settings: Pick<Settings, 'logLevel'>): void {
  try {
    Runtime.install({ shutdownSignals: [], logger: sdkLogger(settings.logLevel, writeStderr) });
  } catch (error) {
    // Another worker of this process was first, and its Runtime is used. Anything else is a defect.
    if (!(error instanceof Error && error.name === 'IllegalStateError')) throw error;
  }
}

/**
 * Ends the worker by the AbortSignal, otherwise by SIGTERM or SIGINT; returns a function that removes the
 * listeners.
 */
export function stopOnSignal(worker: Worker, signal: AbortSignal | undefined): () => void {
  const stop = (): void => {
    const state = worker.getState();
    if (state === 'RUNNING') worker.shutdown();
    // It was asked to end before it ran: it can be shut down only once it runs, in a moment.
    else if (state === 'INITIALIZED') setTimeout(stop, NOT_YET_MS).unref();
  };
  return onStop(signal, stop);
}

/**
 * Calls `stop` on the AbortSignal, otherwise on SIGTERM or SIGINT; returns a function that removes the
 * listeners.
 */
export function onStop(signal: AbortSignal | undefined, stop: () => void): () => void {
  if (signal) {
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    return () => signal.removeEventListener('abort', stop);
  }
  process.on('SIGTERM', stop).on('SIGINT', stop);
  return () => process.off('SIGTERM', stop).off('SIGINT', stop);
}

/**
 * Restarts the activities of a previous process of this worker on this machine, and removes its temporary
 * folders. Never keeps a worker from starting.
 */
export async function detachHere(client: Client, self: WorkerIdentity, installation: string): Promise<void> {
  const isFormer = (identity: string): boolean => isFormerSelf(self, identity);
  await sweepFolders();
  await detachFormer({ client, installation, hostId: self.hostId, isFormer }).catch((error: unknown) => {
    writeStderr(`unfinished activities end at their heartbeat timeout: ${messageOf(error)}`);
  });
}
