import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEvents, type SseEvent } from '../../../../src/cli/client/sse.ts';

async function* cut(text: string, cuts: number[]): AsyncGenerator<string> {
  let at = 0;
  for (const one of [...cuts].sort((a, b) => a - b)) {
    if (one > text.length) break;
    yield text.slice(at, one);
    at = one;
  }
  yield text.slice(at);
}
async function collect(text: string, cuts: number[] = []): Promise<SseEvent[]> {
  const found: SseEvent[] = [];
  for await (const event of readEvents(cut(text, cuts))) found.push(event);
  return found;
}

test('events, comments, ids and several data lines', async () => {
  const text =
    ': alive\n\nretry: 1000\n\nid: 4\nevent: chunk\ndata: {"a":1}\n\ndata: one\ndata: two\n\nevent: never ended\ndata: x';
  expect(await collect(text)).toEqual([
    { event: 'chunk', id: '4', data: '{"a":1}' },
    { event: 'message', data: 'one\ntwo' },
  ]);
});

test('the chunks of a stream do not matter', async () => {
  const text = 'event: a\r\ndata: 1\r\n\r\nevent: b\ndata: 2\n\n: x\n\ndata:3\n\n';
  const whole = await collect(text);
  expect(whole).toHaveLength(3);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(text.length)), async (cuts) => {
      expect(await collect(text, cuts)).toEqual(whole);
    }),
  );
});

test('an event without end is refused', async () => {
  async function* endless(): AsyncGenerator<string> {
    yield 'data: ';
    for (;;) yield 'x'.repeat(1024 * 1024);
  }
  await expect(readEvents(endless()).next()).rejects.toMatchObject({ type: 'max-buffer-size-exceeded' });
});
