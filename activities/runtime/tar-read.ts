/** Reading tars of an engine: entries with their content, and single small files. */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Header, extract } from 'tar-stream';
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';

/**
 * Calls `visit` for each entry, one after the other; content that it leaves unread is dropped. What it rejects with ends the
 * reading at once: the end of a reader whose entry is half read may never come.
 */
export async function eachEntry(
  tar: Readable,
  visit: (header: Header, content: AsyncIterable<unknown>) => Promise<void>,
): Promise<void> {
  const entries = extract();
  const read = pipeline(tar, entries);
  const refused = Promise.withResolvers<never>();
  const visited = (async () => {
    for await (const entry of entries) {
      try {
        await visit(entry.header, entry);
      } catch (error) {
        refused.reject(error);
        throw error;
      }
      entry.resume();
    }
  })();
  const whole = Promise.all([read, visited]);
  whole.catch(() => undefined); // raced; a loser's failure follows from the winner's
  try {
    await Promise.race([refused.promise, whole]);
  } catch (error) {
    tar.destroy();
    throw error;
  }
}

/** Text of one regular file of a container, ended or not; undefined when there is none. Rejects above `maxBytes`. */
export async function readContainerFile(
  engine: Engine,
  file: { container: string; path: string; maxBytes: number },
): Promise<string | undefined> {
  const tar = await engine.download(file.container, file.path);
  if (!tar) return undefined;
  let found: string | undefined;
  await eachEntry(tar, async (header, content) => {
    if (header.type !== 'file' || found !== undefined) return;
    if (header.size > file.maxBytes)
      throw new DavitError('job/artifacts', `${file.path} is larger than ${file.maxBytes} bytes.`);
    found = await text(content);
  });
  return found;
}
