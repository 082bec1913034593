/**
 * JSON documents, one a line, from a stream in any chunks: what pulls, pushes and builds answer with. A line that is no JSON
 * is handed on as text and never throws; a line over MAX_LINE ends the stream with an error, so memory is bounded.
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

  /** What is left when the stream ends without a line's end. */
  end(): JsonLine[] {
    const text = Buffer.concat(this.#parts).toString('utf8').trim();
    this.#parts = [];
    this.#bytes = 0;
    return text === '' ? [] : [parse(text)];
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > MAX_LINE)
      throw new DavitError('engine/failed', `The engine sent a line of more than ${MAX_LINE} bytes.`);
    if (part.length > 0) this.#parts.push(part);
  }
}

function parse(text: string): JsonLine {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { text }; // words of a proxy or a warning: shown, never fatal
  }
}

/** Iterates over a stream's lines; rejects with the stream's own error. */
export async function* jsonLines(stream: Readable): AsyncGenerator<JsonLine> {
  const splitter = new JsonLineSplitter();
  for await (const chunk of stream) yield* splitter.push(Buffer.from(chunk));
  yield* splitter.end();
}
