/**
 * Follows the status of a pipeline over as many connections as needed, without repeating a status. It keeps
 * trying for a while if the server is unreachable: the pipeline continues meanwhile.
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
  /** Stops following; the pipeline continues. */
  signal: AbortSignal;
  /** Called with the first status and after every change. */
  onStatus(status: PipelineStatus): void;
  /** Notices about the connection. */
  tell(line: string): void;
}

/**
 * Resolves with the final status; undefined if aborted by the signal. Rejects with a final error of the
 * server, and with `cli/no-server` if it stays unreachable for ten minutes.
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
        if (lostAt !== undefined) tell('Reconnected to the server.');
        lostAt = undefined;
        // Shapes are checked by the server, which has the same version.
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
      tell('Lost the connection to the server; reconnecting. The pipeline continues.');
    lostAt ??= Date.now();
    if (Date.now() - lostAt > MAX_AWAY_MS)
      throw new DavitError(
        'cli/no-server',
        `The server at ${client.url} has been unreachable for ten minutes.`,
        {
          hint: `The pipeline is not lost. When the server is back, run: davit status ${id}`,
        },
      );
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop checks the signal
  }
  return undefined;
}

/** Errors of Node when a connection breaks within a stream. */
const isNetwork = (error: unknown): boolean =>
  error instanceof Error && ('code' in error || error.name === 'TypeError' || error.message === 'terminated');
