/**
 * The status of a pipeline as it changes, over as many connections as it takes. What was told is not told again; a server that is
 * away is asked again for a while, because it comes back and the pipeline runs on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../../errors.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { ApiClient } from './api-client.ts';
import { isFinal } from './log-follower.ts';
import { isOver } from '../view/status-labels.ts';

const AGAIN_MS = 500;
const MAX_AWAY_MS = 10 * 60_000;

export interface FollowStatus {
  id: PipelineId;
  /** Lets go of the pipeline, which runs on. */
  signal: AbortSignal;
  /** Of the first status and of every change. */
  onStatus(status: PipelineStatus): void;
  /** What a person should hear of the connection. */
  tell(line: string): void;
}

/**
 * The status it ended with; undefined when the signal ended this. Rejects with what the server refuses for good, and with
 * `cli/no-server` when it stays away for ten minutes.
 */
export async function followStatus(
  client: ApiClient,
  options: FollowStatus,
): Promise<PipelineStatus | undefined> {
  const { id, signal, onStatus, tell } = options;
  let lostAt: number | undefined;
  let last = '';
  while (!signal.aborted) {
    try {
      for await (const event of client.statusEvents(id, signal)) {
        if (event.event !== 'status') continue;
        if (lostAt !== undefined) tell('The server is back.');
        lostAt = undefined;
        // The server is of the same version, and its shapes are checked there.
        const status = JSON.parse(event.data) as PipelineStatus;
        if (event.data !== last) onStatus(status);
        last = event.data;
        if (isOver(status)) return status;
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isFinal(error) || !(error instanceof DavitError || isNetwork(error))) throw error;
    }
    if (signal.aborted) return undefined;
    if (lostAt === undefined)
      tell('The connection to the server is lost; trying again. The pipeline runs on.');
    lostAt ??= Date.now();
    if (Date.now() - lostAt > MAX_AWAY_MS)
      throw new DavitError('cli/no-server', `The server at ${client.url} has been away for long.`, {
        hint: `The pipeline is not lost: once the server is back, see it with davit status ${id}`,
      });
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // let go: seen by the loop
  }
  return undefined;
}

/** undici's errors of a connection that broke in the middle of a stream. */
const isNetwork = (error: unknown): boolean =>
  error instanceof Error && ('code' in error || error.name === 'TypeError' || error.message === 'terminated');
