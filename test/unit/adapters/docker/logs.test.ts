import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { EngineApi } from '../../../../src/adapters/docker/api.ts';
import { containerLogs } from '../../../../src/adapters/docker/logs.ts';
import { DavitError } from '../../../../src/errors.ts';

const timeOf = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z`;
/** A record as the engine sends it: stream, length, time, line (Docker Engine API, "Stream format"). */
function frame(second: number): Buffer {
  const text = Buffer.from(`${timeOf(second)} line ${second}\n`);
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, text]);
}
interface Reading {
  seconds: number[];
  /** The link drops behind them. */
  drops?: true;
}

/** An engine that counts the reads of its log; the container has ended by the last read. */
function apiOf(readings: Reading[], podman = false): EngineApi {
  const left = [...readings];
  const api: Pick<EngineApi, 'stream' | 'find' | 'streamError' | 'traits'> = {
    traits: async () => ({ api: '1.41', podman, store: 'classic', inspectsPlatform: false }),
    stream: async () => {
      const { seconds, drops } = left.shift() ?? { seconds: [] };
      return Readable.from(
        (function* () {
          for (const second of seconds) yield frame(second);
          if (drops) throw new DavitError('engine/unreachable', 'The link dropped.');
        })(),
      );
    },
    find: async () => ({
      Id: '1',
      Name: '/c',
      Image: 'sha256:1',
      State: {
        Status: left.length > 1 ? 'running' : 'exited',
        ExitCode: 0,
        OOMKilled: false,
        StartedAt: '',
        FinishedAt: '',
      },
      Config: { Labels: {} },
    }),
    streamError: (error) => error,
  };
  return api as EngineApi; // the test calls nothing else of it
}

async function read(api: EngineApi): Promise<{ lines: string; end: unknown }> {
  let lines = '';
  try {
    const options = { follow: true, signal: new AbortController().signal };
    for await (const record of containerLogs(api, 'c', options))
      lines += Buffer.from(record.bytes).toString();
    return { lines, end: 'read' };
  } catch (error) {
    return { lines, end: error };
  }
}

test('each record is returned once, however often the connection drops', async () => {
  const api = apiOf([{ seconds: [1, 2], drops: true }, { seconds: [2, 3] }, { seconds: [3] }]);
  expect(await read(api)).toEqual({ lines: 'line 1\nline 2\nline 3\n', end: 'read' });
});

test.each([
  ['others stand in its place', [7, 8]],
  ['nothing is left of it', []],
])('lines that were rotated away while the link was down are reported: %s', async (_, seconds) => {
  const { lines, end } = await read(apiOf([{ seconds: [1, 2], drops: true }, { seconds }, { seconds }]));
  expect(lines).toBe('line 1\nline 2\n');
  expect(end).toMatchObject({ code: 'engine/failed' });
});

test('log lines that Podman sends after the container has ended are read again', async () => {
  const whole = { seconds: [1, 2, 3] };
  const api = apiOf([{ seconds: [1, 3] }, whole], true);
  expect(await read(api)).toEqual({ lines: 'line 1\nline 2\nline 3\n', end: 'read' });
});
