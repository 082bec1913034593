import { PassThrough, type Readable } from 'node:stream';
import { withErrorListener } from './error-listener.ts';

/**
 * Passes a stream on; its failure is replaced by what `code` makes of it. Destroying either one ends both.
 */
export function codedStream(stream: Readable, code: (error: Error) => Error): Readable {
  const out = withErrorListener(new PassThrough());
  stream.on('error', (error: Error) => out.destroy(code(error)));
  out.once('close', () => stream.destroy());
  return stream.pipe(out);
}
