/** Bodies as streams: counted, and given up when nothing comes any more. */
import { Transform, type Readable } from 'node:stream';
import { DavitError } from '../errors.ts';

export interface BodyLimits {
  maxBytes: number;
  /** Longest silence between two pieces. */
  idleMs: number;
}

/** Passes bytes on until there are too many (`request/too-large`) or none come (`request/timeout`). */
export function limitStream(stream: Readable, limits: BodyLimits): Readable {
  let bytes = 0;
  const out = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh();
      bytes += chunk.length;
      if (bytes > limits.maxBytes)
        done(new DavitError('request/too-large', `The body has more than ${limits.maxBytes} bytes.`));
      else done(null, chunk);
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  const giveUp = (why: string) => (): void => {
    if (!stream.readableEnded) out.destroy(new DavitError('request/timeout', why));
  };
  const timer = setTimeout(giveUp('The body did not go on.'), limits.idleMs);
  stream.once('error', giveUp('The body broke off.'));
  stream.once('close', giveUp('The body broke off.'));
  stream.pipe(out);
  return out;
}

export const isStream = (body: unknown): body is Readable =>
  typeof body === 'object' && body !== null && 'pipe' in body && typeof body.pipe === 'function';

/** Of a route whose content type hands the body on as a stream. */
export function streamOf(body: unknown, limits: BodyLimits): Readable {
  if (!isStream(body)) throw new DavitError('usage/invalid', 'The body has to be application/octet-stream.');
  return limitStream(body, limits);
}
