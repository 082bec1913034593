/**
 * Follows the log of one attempt to its end, however often the connection is lost: it asks again from the byte where it was.
 */
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
  /** Text in order, never half a character. */
  onText(text: string): void;
  /** What a person should hear of the connection. */
  tell?(line: string): void;
}

/** Resolves with the end of the log; undefined when the signal ended it. Rejects with what the server refuses for good. */
export async function followLog(client: ApiClient, options: FollowOptions): Promise<LogEndEvent | undefined> {
  const decoder = new TextDecoder();
  const { signal } = options;
  let { attempt, offset = 0 } = options.place;
  let lost = false;
  const back = (): void => {
    if (lost) options.tell?.('The server is back.');
    lost = false;
  };
  while (!signal.aborted) {
    try {
      for await (const event of client.logEvents(options.id, { ...options.place, attempt, offset }, signal)) {
        const data: unknown = JSON.parse(event.data);
        back();
        if (event.event === 'chunk') {
          const chunk = chunkEvent.parse(data);
          // An offset is one of this attempt: the job may have begun anew by the next connection.
          attempt ??= chunk.attempt;
          const bytes = Buffer.from(chunk.bytes, 'base64');
          // What was shown before the connection was lost is not shown twice.
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
    if (!lost) options.tell?.('The connection to the server is lost; trying again. The job runs on.');
    lost = true;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // ended by the signal: seen by the loop
  }
  return undefined;
}

/** A refusal stays one; a server that is away comes back. */
export const isFinal = (error: unknown): boolean =>
  error instanceof DavitError && error.exit !== 3 && error.http < 500;
