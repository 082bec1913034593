/** Server-sent events from a stream of text pieces. Pure. */
import { createParser, type ParseError } from 'eventsource-parser';

export interface SseEvent {
  event: string;
  id?: string;
  data: string;
}
/** Limit of one event; a base64 log chunk is far smaller. */
const MAX_CHARS = 32 * 1024 * 1024;

export async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<SseEvent> {
  const events: SseEvent[] = [];
  let tooLong: ParseError | undefined;
  const parser = createParser({
    maxBufferSize: MAX_CHARS,
    onEvent: ({ event = 'message', id, data }) => events.push({ event, id, data }),
    // Unknown fields are ignored, as the standard requires.
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') tooLong = error;
    },
  });
  for await (const piece of pieces) {
    parser.feed(piece);
    yield* events.splice(0);
    if (tooLong) throw tooLong;
  }
}
