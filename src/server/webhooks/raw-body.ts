/**
 * Reads the raw bytes of a webhook before its sender is verified. Size and time are bounded per body, and
 * memory for all bodies together, so that large, slow or many bodies cannot exhaust the server's memory.
 */
import type { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { isStream } from '../body-limit.ts';

export interface RawLimits {
  maxBytes: number;
  totalMs: number;
}

/** Bytes of all bodies in memory. */
export class Budget {
  readonly #max: number;
  #held = 0;
  constructor(max: number) {
    this.#max = max;
  }
  /** False if the budget is exhausted. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false;
    this.#held += bytes;
    return true;
  }
  release(bytes: number): void {
    this.#held -= bytes;
  }
  get held(): number {
    return this.#held;
  }
}

/** Passes the whole body to `work`, and releases its bytes from the budget afterwards. */
export async function withRawBody<T>(
  body: unknown,
  limits: RawLimits & { budget: Budget; length: string | undefined },
  work: (raw: Buffer) => Promise<T>,
): Promise<T> {
  if (Number(limits.length ?? 0) > limits.maxBytes) throw tooLarge(limits.maxBytes);
  const held = { bytes: 0 };
  try {
    return await work(isStream(body) ? await readAll(body, limits, held) : Buffer.alloc(0));
  } finally {
    limits.budget.release(held.bytes);
  }
}

function readAll(
  stream: Readable,
  { maxBytes, totalMs, budget }: RawLimits & { budget: Budget },
  held: { bytes: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const stop = (error: DavitError): void => {
      clearTimeout(timer);
      stream.removeListener('data', take).pause();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      if (held.bytes + chunk.length > maxBytes) return stop(tooLarge(maxBytes));
      if (!budget.take(chunk.length))
        return stop(new DavitError('server/busy', 'The server is receiving too many deliveries.'));
      held.bytes += chunk.length;
      chunks.push(chunk);
    };
    const late = (): void => stop(new DavitError('request/timeout', 'The delivery did not arrive in time.'));
    const timer = setTimeout(late, totalMs);
    stream.on('data', take);
    stream.once('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    stream.once('error', late);
    stream.once('close', () => {
      if (!stream.readableEnded) late();
    });
  });
}

const tooLarge = (max: number): DavitError =>
  new DavitError('request/too-large', `The delivery is larger than ${max} bytes.`);
