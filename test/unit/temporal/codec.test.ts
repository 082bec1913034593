import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePayloadKeys, payloadCodec } from '../../../src/temporal/codec.ts';

const KEY = randomBytes(32).toString('hex');
const OTHER = randomBytes(32).toString('hex');
const codecOf = (...lines: string[]) => payloadCodec(parsePayloadKeys(lines.join('\n'), 'the file'));
const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const valueOf = (payload: Payload | undefined): unknown =>
  payload && defaultPayloadConverter.fromPayload(payload);

describe('payloads', () => {
  test('are the same after sealing and opening, and nothing of them is readable in between', async () => {
    const codec = codecOf(KEY);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const [sealed] = await codec.encode([payloadOf({ value, secret: 'canary-0123456789' })]);
        const whole = JSON.stringify(sealed) + Buffer.from(sealed?.data ?? []).toString('latin1');
        expect(whole).not.toContain('canary-0123456789');
        expect(whole).not.toContain('json/plain');
        const [opened] = await codec.decode(sealed ? [sealed] : []);
        expect(valueOf(opened)).toEqual(JSON.parse(JSON.stringify({ value, secret: 'canary-0123456789' })));
      }),
      { numRuns: 50 },
    );
  });

  test('are sealed differently each time', async () => {
    const [one, two] = await codecOf(KEY).encode([payloadOf(1), payloadOf(1)]);
    expect(Buffer.compare(Buffer.from(one?.data ?? []), Buffer.from(two?.data ?? []))).not.toBe(0);
  });

  test('that were changed or cut do not open', async () => {
    const codec = codecOf(KEY);
    const [sealed] = await codec.encode([payloadOf('text')]);
    const data = Buffer.from(sealed?.data ?? []);
    for (let index = 0; index < data.length; index += 1) {
      const changed = Buffer.from(data);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await expect(codec.decode([{ ...sealed, data: changed }])).rejects.toMatchObject({
        code: 'temporal/payload-key',
      });
    }
    for (const length of [0, 5, 12, 27])
      await expect(codec.decode([{ ...sealed, data: data.subarray(0, length) }])).rejects.toThrow();
  });

  test('of before the codec are passed on, and a sealed one is not sealed twice', async () => {
    const codec = codecOf(KEY);
    expect(await codec.decode([payloadOf('plain')])).toEqual([payloadOf('plain')]);
    const sealed = await codec.encode([payloadOf('x')]);
    expect(await codec.encode(sealed)).toEqual(sealed);
  });
});

describe('keys', () => {
  test('the first seals, all of them open, and an unknown one is named as the reason', async () => {
    const sealed = await codecOf(OTHER).encode([payloadOf('x')]);
    expect(valueOf((await codecOf(KEY, OTHER).decode(sealed))[0])).toBe('x');
    await expect(codecOf(KEY).decode(sealed)).rejects.toThrow(/a key that is not here/);
    const fresh = await codecOf(KEY, OTHER).encode([payloadOf('y')]);
    expect(valueOf((await codecOf(KEY).decode(fresh))[0])).toBe('y');
  });

  test('none as the first line seals nothing and still opens', async () => {
    const sealed = await codecOf(KEY).encode([payloadOf('x')]);
    const off = codecOf('none', KEY);
    expect(await off.encode([payloadOf('z')])).toEqual([payloadOf('z')]);
    expect(valueOf((await off.decode(sealed))[0])).toBe('x');
  });

  test.each(['', 'x', KEY.slice(1), `${KEY}\nnone`])('%j is not a list of keys', (text) => {
    let message = '';
    try {
      parsePayloadKeys(text, 'the file');
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('the file is not a list of keys');
    expect(message).not.toContain(KEY.slice(1));
  });
});

test('seals in a plain process of Node too, which loads CommonJS otherwise than tests do', () => {
  const module = join(import.meta.dirname, '..', '..', '..', 'src', 'temporal', 'codec.ts');
  const code = `const { parsePayloadKeys, payloadCodec } = await import(${JSON.stringify(module)});
    const codec = payloadCodec(parsePayloadKeys('${KEY}', 'x'));
    const sealed = await codec.encode([{ metadata: {}, data: Buffer.from('text') }]);
    const [{ data }] = await codec.decode(sealed);
    process.stdout.write(data);`;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })).toBe(
    'text',
  );
});
