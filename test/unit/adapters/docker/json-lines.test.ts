import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonLineSplitter } from '../../../../src/adapters/docker/json-lines.ts';
import { eventError, eventText, pushError, streamEvent } from '../../../../src/adapters/docker/progress.ts';

function read(wire: Buffer, sizes: number[]) {
  const splitter = new JsonLineSplitter();
  const lines = [];
  let at = 0;
  for (const size of sizes) {
    lines.push(...splitter.push(wire.subarray(at, at + size)));
    at += size;
  }
  return [...lines, ...splitter.push(wire.subarray(at)), ...splitter.end()];
}

test('lines are the same for any chunks, with \\r\\n, empty lines and no end of line', () => {
  const value = fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.constant({ stream: 'ä€😀\n' }));
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 6 }),
      fc.array(fc.nat(9), { maxLength: 60 }),
      fc.boolean(),
      (values, sizes, end) => {
        const text = values.map((one) => JSON.stringify(one)).join('\r\n\n') + (end ? '\r\n' : '');
        const expected = values.map((one) => ({ value: JSON.parse(JSON.stringify(one)) }));
        expect(read(Buffer.from(text), sizes)).toEqual(expected);
      },
    ),
  );
});

test('a line that is not JSON is text and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.array(fc.nat(5)), (bytes, sizes) => {
      for (const line of read(Buffer.from(bytes), sizes)) streamEvent(line);
    }),
  );
  expect(read(Buffer.from('<html>bad gateway\n{"status":"x"}'), [3])).toEqual([
    { text: '<html>bad gateway' },
    { value: { status: 'x' } },
  ]);
});

test('an event is a line, a progress bar, or an error', () => {
  const event = (value: unknown) => streamEvent({ value });
  expect(eventText(event({ id: 'abc', status: 'Pull complete' }))).toBe('abc: Pull complete\n');
  expect(eventText(event({ id: 'abc', status: 'Downloading', progress: '[==>]' }))).toBeUndefined();
  expect(eventError(event({ error: 'x', errorDetail: { message: 'y' } }))).toBe('x');
  expect(eventError(event({ errorDetail: { message: 'y' } }))).toBe('y');
  expect(eventError(event({ status: 'fine' }))).toBeUndefined();
});

test('a refused push names the missing scope', () => {
  const error = pushError('denied: requested access to the resource is denied', 'r.example/a/b:1', 'a/b');
  expect(error).toMatchObject({
    code: 'registry/denied',
    message: expect.stringContaining('repository:a/b:pull,push'),
  });
});
