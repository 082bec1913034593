/**
 * JSON documents, one per line, from a stream in any chunks: the format of pull, push and build responses. A
 * line that is not JSON is passed on as text and never throws; a line over MAX_LINE fails the stream, so that
 * memory is bounded.
 */
import type { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';

export const MAX_LINE = 16 * 1024 * 1024;

export type JsonLine = { value: unknown } | { text: string };

export class JsonLineSplitter {
  #parts: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): JsonLine[] {
    const lines: JsonLine[] = [];
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end));
      lines.push(...this.end());
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** The rest, if the stream ends without a newline. */
  end(): JsonLine[] {
    const text = Buffer.concat(this.#parts).toString('utf8').trim();
    this.#parts = [];
    this.#bytes = 0;
    return text === '' ? [] : [parse(text)];
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > MAX_LINE)
      throw new DavitError('engine/failed', `The engine sent a line that is longer than ${MAX_LINE} bytes.`);
    if (part.length > 0) this.#parts.push(part);
  }
}

function parse(text: string): JsonLine {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { text }; // text of a proxy or a warning: shown, never fatal
  }
}

/** Iterates over a stream's lines; rejects with the stream's own error. */
export async function* jsonLines(stream: Readable): AsyncGenerator<JsonLine> {
  const splitter = new JsonLineSplitter();
  for await (const chunk of stream) yield* splitter.push(Buffer.from(chunk));
  yield* splitter.end();
}
