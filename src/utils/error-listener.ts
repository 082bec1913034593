import type { EventEmitter } from 'node:events';

const ignore = (): void => {};

/**
 * Returns the stream with an `error` listener. A stream may fail before its reader starts, and an `error`
 * event without a listener ends the process. A reader that starts later (`for await`, `pipeline`) still gets
 * the error.
 */
export function withErrorListener<T extends EventEmitter>(stream: T): T {
  stream.on('error', ignore);
  return stream;
}
