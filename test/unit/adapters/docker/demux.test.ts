import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { LogDemuxer, MAX_FRAME, sinceParameter } from '../../../../src/adapters/docker/demux.ts';
import type { LogRecord } from '../../../../src/adapters/ports.ts';

const TIME = '2026-11-21T09:22:03.123456789Z';

/** As engines write it: stdcopy frames, RFC3339NanoFixed, one space, the record's bytes. */
function frame(record: LogRecord): Buffer {
  const payload = Buffer.concat([Buffer.from(`${record.time} `), record.bytes]);
  const head = Buffer.alloc(8);
  head[0] = record.stream === 'stderr' ? 2 : 1;
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}
const record = fc.record({
  stream: fc.constantFrom<LogRecord['stream'][]>('stdout', 'stderr'),
  time: fc.constantFrom(TIME, '2026-01-01T00:00:00.000000000Z', '2026-11-21T10:22:03.123456789+01:00'),
  bytes: fc.uint8Array({ maxLength: 60 }),
});
const plain = (records: LogRecord[]) => records.map((one) => ({ ...one, bytes: [...one.bytes] }));

function split(wire: Buffer, cuts: number[]): LogRecord[] {
  const demuxer = new LogDemuxer();
  const at = [0, ...[...cuts].sort((a, b) => a - b), wire.length];
  const out = at.slice(1).flatMap((end, i) => demuxer.push(wire.subarray(at[i], end)));
  expect(demuxer.whole).toBe(true);
  return out;
}

describe('the demuxer', () => {
  test('gives the same records at every single split', () => {
    const records: LogRecord[] = [
      { stream: 'stdout', time: TIME, bytes: Buffer.from('one\n') },
      { stream: 'stderr', time: TIME, bytes: Buffer.from('') },
      { stream: 'stdout', time: TIME, bytes: Buffer.from([0, 1, 2, 255, 10]) },
    ];
    const wire = Buffer.concat(records.map(frame));
    for (let cut = 0; cut <= wire.length; cut += 1) expect(plain(split(wire, [cut]))).toEqual(plain(records));
    expect(plain(split(wire, Array.from(wire.keys())))).toEqual(plain(records));
  });

  test('gives the same records for any chunks', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 8 }),
        fc.array(fc.nat(600), { maxLength: 20 }),
        (records, cuts) => {
          const wire = Buffer.concat(records.map(frame));
          const inside = cuts.filter((cut) => cut <= wire.length);
          expect(plain(split(wire, inside))).toEqual(plain(records));
        },
      ),
    );
  });

  test('copies every byte at most once: a megabyte in pieces of one byte', () => {
    const one = frame({ stream: 'stdout', time: TIME, bytes: Buffer.alloc(16 * 1024, 65) });
    const wire = Buffer.concat(Array.from({ length: 64 }, () => one));
    const demuxer = new LogDemuxer();
    const copied = vi.spyOn(Buffer.prototype, 'copy');
    const joined = vi.spyOn(Buffer, 'concat');
    let count = 0;
    for (let index = 0; index < wire.length; index += 1)
      count += demuxer.push(wire.subarray(index, index + 1)).length;
    expect(count).toBe(64);
    const joinedBytes = joined.mock.results.reduce((sum, { value }) => sum + Buffer.from(value).length, 0);
    const headBytes = copied.mock.calls.reduce((sum, call) => sum + Number(call[3]) - Number(call[2]), 0);
    vi.restoreAllMocks();
    expect(joinedBytes + headBytes).toBe(wire.length);
  });

  test.each([
    ['no head', Buffer.from('plain text of a terminal')],
    ['a frame that claims too much', Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])],
    ['no time', Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 4]), Buffer.from('abc\n')])],
  ])('refuses a stream with %s', (_, wire) => {
    expect(() => new LogDemuxer().push(wire)).toThrow(/log stream cannot be read/);
    expect(MAX_FRAME).toBeGreaterThan(16 * 1024);
  });

  test('throws only its own error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          new LogDemuxer().push(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'engine/failed' });
        }
      }),
    );
  });
});

test('the since parameter is exact to the nanosecond', () => {
  expect(sinceParameter('1970-01-01T00:00:01.000000002Z')).toBe('1.000000002');
  expect(sinceParameter('2026-11-21T10:22:03.5+01:00')).toBe(
    sinceParameter('2026-11-21T09:22:03.500000000Z'),
  );
  expect(() => sinceParameter('yesterday')).toThrow(/is not a timestamp/);
});
