/** Server-sent events (WHATWG HTML, §9.2) from a stream of text pieces. Pure. */
export interface SseEvent {
  event: string;
  data: string;
}
/** More than one event may hold before its end: a log chunk of base64 is far smaller. */
const MOST_CHARS = 32 * 1024 * 1024;

export async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<SseEvent> {
  let rest = '';
  let event = '';
  let data: string[] = [];
  for await (const piece of pieces) {
    rest += piece;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > MOST_CHARS) throw new Error('an event without end');
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const cut = line.indexOf(':');
      const field = cut < 0 ? line : line.slice(0, cut);
      const value = cut < 0 ? '' : line.slice(cut + 1).replace(/^ /, '');
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
  }
}
