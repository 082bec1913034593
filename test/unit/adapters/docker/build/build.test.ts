import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, test } from 'vitest';
import { buildError } from '../../../../../src/adapters/docker/build/build.ts';
import { buildQuery } from '../../../../../src/adapters/docker/build/query.ts';
import { BuildLog } from '../../../../../src/adapters/docker/build/build-log.ts';
import { credentials } from '../../../../../src/adapters/docker/build/buildkit-session.ts';
import {
  decodeProgress,
  type BuildStep,
} from '../../../../../src/adapters/docker/build/buildkit-progress.ts';
import type { BuildRequest } from '../../../../../src/adapters/ports.ts';
import { Readable } from 'node:stream';

const instant = (writer: protobuf.Writer, field: number, ms: number): protobuf.Writer =>
  writer
    .uint32((field << 3) | 2)
    .fork()
    .uint32(8)
    .int64(Math.floor(ms / 1000))
    .uint32(16)
    .int32((ms % 1000) * 1e6)
    .ldelim();

/** A StatusResponse as BuildKit writes it, with fields davit does not read among those it does. */
function wire(steps: BuildStep[], output: { step: string; text: string | Uint8Array }[]): string {
  const writer = protobuf.Writer.create();
  for (const step of steps) {
    writer
      .uint32(10)
      .fork()
      .uint32(10)
      .string(step.digest)
      .uint32(18)
      .string('an input')
      .uint32(26)
      .string(step.name);
    writer.uint32(32).bool(step.cached);
    if (step.started !== undefined) instant(writer, 5, step.started);
    if (step.completed !== undefined) instant(writer, 6, step.completed);
    if (step.error !== '') writer.uint32(58).string(step.error);
    writer.uint32(66).fork().uint32(10).string('a progress group').ldelim().ldelim();
  }
  writer.uint32(18).fork().uint32(10).string('a status').ldelim();
  for (const { step, text } of output) {
    writer.uint32(26).fork().uint32(10).string(step);
    instant(writer, 2, 5).uint32(24).int64(2).uint32(34).bytes(Buffer.from(text)).ldelim();
  }
  return Buffer.from(writer.finish()).toString('base64');
}
const step = (more: Partial<BuildStep>): BuildStep => ({
  digest: 'a',
  name: '[1/2] RUN make',
  cached: false,
  error: '',
  ...more,
});
function shown(...traces: string[]): { text: string; log: BuildLog } {
  let text = '';
  const log = new BuildLog((part) => (text += part));
  for (const trace of traces) log.take(decodeProgress(trace));
  return { text, log };
}

describe('a trace', () => {
  test('is read field by field, unknown ones skipped', () => {
    const one = step({ started: 1_700_000_000_500, completed: 1_700_000_001_750, error: 'bad' });
    const { steps, output } = decodeProgress(wire([one], [{ step: 'a', text: 'hä' }]));
    expect(steps).toEqual([one]);
    expect(output.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['hä']);
  });

  test('of any bytes ends, with a value or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decodeProgress(Buffer.from(bytes).toString('base64'));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  test('becomes lines that are whole, however the output came', () => {
    const text = Buffer.from('one ä€😀\ntwo\nrest');
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const parts = at.slice(1).map((end, i) => wire([], [{ step: 'a', text: text.subarray(at[i], end) }]));
        const { text: out } = shown(
          wire([step({ started: 1000 })], []),
          ...parts,
          wire([step({ started: 1000, completed: 2500 })], []),
        );
        expect(out).toBe('#1 [1/2] RUN make\n#1 one ä€😀\n#1 two\n#1 rest\n#1 DONE 1.5s\n');
      }),
    );
  });

  test('names the step that failed and not those that were cancelled with it', () => {
    const { log } = shown(
      wire(
        [step({ started: 1 }), step({ digest: 'b', name: 'other', started: 1 })],
        [{ step: 'a', text: 'boom\n' }],
      ),
      wire([step({ digest: 'b', name: 'other', started: 1, completed: 2, error: 'context canceled' })], []),
      wire([step({ started: 1, completed: 2, error: 'exit code: 1' })], []),
    );
    expect(log.failed).toEqual({ name: '[1/2] RUN make', tail: ['boom'] });
  });
});

describe('the error of a build', () => {
  const none = { failed: undefined };
  test.each([
    ['executor failed running [/bin/sh -c x]: exit code: 1', 'engine/build-failed'],
    ['process "/bin/sh -c x" did not complete successfully: exit code: 1', 'engine/build-failed'],
    ['failed to compute cache key: "/x" not found: not found', 'engine/build-failed'],
    ['dockerfile parse error line 2: unknown instruction: FOO', 'engine/build-failed'],
    ['r.example/x:1: pull access denied, repository does not exist', 'engine/image-denied'],
    ['r.example/x:1: not found', 'engine/image-missing'],
    ['failed to do request: Head "https://r/v2": dial tcp: lookup r: no such host', 'registry/unreachable'],
    ['failed to register layer: no space left on device', 'engine/no-space'],
  ])('"%s" is %s', (said, code) => {
    expect(buildError(said, none)).toMatchObject({ code });
  });
  test('sees the cause in the last lines of the step', () => {
    const failed = (line: string) => ({ failed: { name: 's', tail: [line] } });
    const said = 'executor failed running [x]: exit code: 1';
    expect(buildError(said, failed('exec /bin/sh: exec format error')).code).toBe('engine/platform');
    expect(buildError(said, failed('tar: write error: No space left on device')).code).toBe(
      'engine/no-space',
    );
    expect(buildError(said, failed('permission denied')).code).toBe('engine/build-failed');
  });
});

test('a registry gets its own credentials only', () => {
  const auth = {
    'r.example:5000': { username: 'u', password: 'p' },
    'docker.io': { username: 'h', password: 'q' },
  };
  const ask = (host: string) => {
    const asked = protobuf.Writer.create().uint32(10).string(host).finish();
    return Buffer.from(credentials(asked, auth)).toString('latin1');
  };
  expect(ask('r.example:5000')).toBe('\n\x01u\x12\x01p');
  expect(ask('registry-1.docker.io')).toBe('\n\x01h\x12\x01q');
  for (const host of ['r.example', 'r.example:5001', 'evil.example', '', '__proto__', 'xdocker.io'])
    expect(ask(host)).toBe('');
});

test('a build requests BuildKit and exactly the given options', () => {
  const request: BuildRequest = {
    context: Readable.from([]),
    dockerfile: 'd/Dockerfile',
    platform: 'linux/arm/v6',
    tag: 't:1',
    target: 'x',
    args: { A: '1' },
    labels: { l: 'v' },
    cacheFrom: ['r/c:arm'],
    pullBases: false,
    inlineCache: true,
    auth: { r: { username: 'u', password: 'canary' } },
    signal: AbortSignal.abort(),
    onLog: () => {},
  };
  const query = buildQuery(request, 'session');
  expect(query).toMatchInlineSnapshot(`
    {
      "buildargs": "{"A":"1","BUILDKIT_INLINE_CACHE":"1"}",
      "cachefrom": "["r/c:arm"]",
      "dockerfile": "d/Dockerfile",
      "forcerm": "1",
      "labels": "{"l":"v"}",
      "platform": "linux/arm/v6",
      "rm": "1",
      "session": "session",
      "t": "t:1",
      "target": "x",
      "version": "2",
    }
  `);
  expect(JSON.stringify(query)).not.toContain('canary');
});
