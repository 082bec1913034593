/** Reads server-sent events from a real connection. */
import { readEvents } from '../../src/cli/client/sse.ts';

export interface SentEvent {
  event: string;
  id?: string;
  data: unknown;
}

export async function openEvents(url: string, headers: Record<string, string>) {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  if (!response.body) throw new Error(`${url} has no body`);
  const events = readEvents(response.body.pipeThrough(new TextDecoderStream()));
  const next = async (): Promise<SentEvent | undefined> => {
    const { done, value } = await events.next();
    if (done) return undefined;
    const data: unknown = JSON.parse(value.data);
    return { ...value, data };
  };
  return { response, next, close: () => abort.abort() };
}
