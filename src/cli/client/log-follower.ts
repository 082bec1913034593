/** Follows the log of one attempt to its end; after a lost connection it continues from the last byte. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { LogChunkEvent, LogEndEvent } from '../../server/api.ts';
import type { ApiClient, LogPlace } from './api-client.ts';

const AGAIN_MS = 500;
const chunkEvent: z.ZodType<LogChunkEvent> = z.object({
  offset: z.number(),
  bytes: z.string(),
  attempt: z.number().optional(),
});
const endEvent: z.ZodType<LogEndEvent> = z.object({
  bytes: z.number(),
  crc: z.string(),
  complete: z.boolean(),
});

export interface FollowOptions {
  id: PipelineId;
  place: LogPlace;
  signal: AbortSignal;
  /** Text in order; never splits a character. */
  onText(text: string): void;
  /** Notices about the connection. */
  tell?(line: string): void;
}

/**
 * Resolves with the end of the log; undefined if aborted by the signal. Rejects with a final error of the
 * server.
 */
export async function followLog(client: ApiClient, options: FollowOptions): Promise<LogEndEvent | undefined> {
  const decoder = new TextDecoder();
  const { signal } = options;
  let { attempt, offset = 0 } = options.place;
  let lost = false;
  const onReconnect = (): void => {
    if (lost) options.tell?.('Reconnected to the server.');
    lost = false;
  };
  while (!signal.aborted) {
    try {
      for await (const event of client.logEvents(options.id, { ...options.place, attempt, offset }, signal)) {
        const data: unknown = JSON.parse(event.data);
        onReconnect();
        if (event.event === 'chunk') {
          const chunk = chunkEvent.parse(data);
          // Offsets belong to one attempt: by the next connection the job may have been retried.
          attempt ??= chunk.attempt;
          const bytes = Buffer.from(chunk.bytes, 'base64');
          // Do not repeat bytes that were shown before the connection was lost.
          const fresh = bytes.subarray(Math.max(0, offset - chunk.offset));
          offset = Math.max(offset, chunk.offset + bytes.length);
          options.onText(decoder.decode(fresh, { stream: true }));
        } else if (event.event === 'end') {
          options.onText(decoder.decode());
          return endEvent.parse(data);
        }
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isFinal(error)) throw error;
    }
    if (!lost) options.tell?.('Lost the connection to the server; reconnecting. The job continues.');
    lost = true;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop checks the signal
  }
  return undefined;
}

/** A refusal is final; an unreachable or failing server may recover. */
export const isFinal = (error: unknown): boolean =>
  error instanceof DavitError && error.exit !== 3 && error.http < 500;
