/** Limits of streamed bodies: size, and time without data. */
import { Transform, type Readable } from 'node:stream';
import { DavitError } from '../errors.ts';
import { withErrorListener } from '../utils/error-listener.ts';

export interface BodyLimits {
  maxBytes: number;
  /** Maximum time between two chunks. */
  idleMs: number;
}

/** Passes bytes on; fails with `request/too-large`, or with `request/timeout` if no data arrives. */
export function limitStream(stream: Readable, limits: BodyLimits): Readable {
  let bytes = 0;
  const transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer.refresh();
      bytes += chunk.length;
      if (bytes > limits.maxBytes)
        done(new DavitError('request/too-large', `The body is larger than ${limits.maxBytes} bytes.`));
      else done(null, chunk);
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
  // The client may disappear while the route still opens the file that it will write.
  const out = withErrorListener(transform);
  const failWith = (why: string) => (): void => {
    if (!stream.readableEnded) out.destroy(new DavitError('request/timeout', why));
  };
  const timer = setTimeout(failWith('The body stopped arriving.'), limits.idleMs);
  stream.once('error', failWith('The body is incomplete.'));
  stream.once('close', failWith('The body is incomplete.'));
  stream.pipe(out);
  return out;
}

export const isStream = (body: unknown): body is Readable =>
  typeof body === 'object' && body !== null && 'pipe' in body && typeof body.pipe === 'function';

/** The body of a route whose content type is passed on as a stream. */
export function streamOf(body: unknown, limits: BodyLimits): Readable {
  if (!isStream(body))
    throw new DavitError('usage/invalid', 'The content type must be application/octet-stream.');
  return limitStream(body, limits);
}
