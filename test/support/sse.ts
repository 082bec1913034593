/** Reads server-sent events from a real connection. */
export interface SentEvent {
  event: string;
  id?: string;
  data: unknown;
}

export async function openEvents(url: string, headers: Record<string, string>) {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  const next = async (): Promise<SentEvent | undefined> => {
    for (;;) {
      const end = buffer.indexOf('\n\n');
      if (end >= 0) {
        const block = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        const event = parse(block);
        if (event) return event;
        continue;
      }
      const read = await reader?.read();
      if (!read || read.done) return undefined;
      buffer += read.value;
    }
  };
  return { response, next, close: () => abort.abort() };
}

function parse(block: string): SentEvent | undefined {
  const fields = new Map(
    block.split('\n').map((line): [string, string] => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
  const event = fields.get('event');
  if (event === undefined) return undefined;
  const data: unknown = JSON.parse(fields.get('data') ?? 'null');
  return { event, id: fields.get('id'), data };
}
