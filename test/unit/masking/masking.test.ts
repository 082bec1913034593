import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Masker, maskAutomaton, maskPatterns, maskText } from '../../../src/masking/index.ts';

const utf8 = new TextEncoder();
const text = (parts: Uint8Array[]): string => Buffer.concat(parts).toString();
const automatonOf = (patterns: string[]) => maskAutomaton(patterns.map((pattern) => utf8.encode(pattern)));
const whole = (patterns: string[], input: string): string => maskText(automatonOf(patterns), input);

/**
 * The specification in the simplest form: hide each byte of each occurrence, one mark per run of overlapping
 * ones.
 */
function reference(patterns: string[], input: string): string {
  const found = patterns.flatMap((pattern) =>
    Array.from({ length: input.length }, (_, at) => at)
      .filter((at) => input.startsWith(pattern, at))
      .map((at) => ({ start: at, end: at + pattern.length })),
  );
  found.sort((a, b) => a.start - b.start);
  let output = '';
  let at = 0;
  for (let index = 0; index < found.length; ) {
    const { start } = found[index] ?? { start: 0 };
    let { end } = found[index] ?? { end: 0 };
    for (index++; index < found.length && (found[index]?.start ?? 0) < end; index++)
      end = Math.max(end, found[index]?.end ?? 0);
    output += `${input.slice(at, start)}[MASKED]`;
    at = end;
  }
  return output + input.slice(at);
}

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 });
const longText = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 60 });

describe('Masker', () => {
  test('hides exactly what the specification hides', () => {
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 5 }), longText, (patterns, input) => {
        expect(whole(patterns, input)).toBe(reference(patterns, input));
      }),
      { numRuns: 2_000 },
    );
  });

  test('gives the same result for any chunks', () => {
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 4 }),
        longText,
        fc.array(fc.nat(6), { minLength: 1, maxLength: 60 }),
        (patterns, input, sizes) => {
          const masker = new Masker(automatonOf(patterns));
          const parts: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < input.length; turn++) {
            const size = (sizes[turn % sizes.length] ?? 0) + (turn > 200 ? 1 : 0);
            parts.push(masker.push(utf8.encode(input.slice(at, at + size))));
            at += size;
          }
          parts.push(masker.flush());
          expect(text(parts)).toBe(whole(patterns, input));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('a new masker continues wherever the old one was idle', () => {
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 4 }), longText, (patterns, input) => {
        const automaton = automatonOf(patterns);
        let masker = new Masker(automaton);
        const parts: Uint8Array[] = [];
        for (const byte of utf8.encode(input)) {
          parts.push(masker.push(Uint8Array.of(byte)));
          if (masker.idle) masker = new Masker(automaton);
        }
        parts.push(masker.flush());
        expect(text(parts)).toBe(whole(patterns, input));
      }),
      { numRuns: 2_000 },
    );
  });

  test('holds back less than the longest secret, and only possible beginnings of one', () => {
    const masker = new Masker(automatonOf(['correct-horse']));
    expect(text([masker.push(utf8.encode('hello wor'))])).toBe('hello wor');
    expect(masker.idle).toBe(true);
    expect(text([masker.push(utf8.encode('ld correct-hors'))])).toBe('ld ');
    expect(masker.idle).toBe(false);
    expect(text([masker.push(utf8.encode('e'))])).toBe('[MASKED]');
    expect(masker.idle).toBe(true);
  });

  test('a line of 100 MB is masked in chunks, in linear time', { timeout: 60_000 }, () => {
    const masker = new Masker(automatonOf(['aaaaaaaaaaaaaaaaaaab', 'secret-value']));
    const chunk = new Uint8Array(1_024 * 1_024).fill(97);
    let bytes = 0;
    for (let turn = 0; turn < 100; turn++) bytes += masker.push(chunk).length;
    bytes += masker.flush().length;
    expect(bytes).toBe(100 * chunk.length);
  });

  test('without secrets the text is unchanged', () => {
    const masker = new Masker(maskAutomaton([]));
    expect(text([masker.push(utf8.encode('as it is')), masker.flush()])).toBe('as it is');
  });
});

describe('maskPatterns', () => {
  const secret = "p@ss/w'rd $x+1";
  const hidden = (value: string, output: string): string =>
    maskText(maskAutomaton(maskPatterns([value])), output);

  test.each([
    ['plain', secret],
    ['base64', Buffer.from(secret).toString('base64').replace(/=+$/, '')],
    ['hex', Buffer.from(secret).toString('hex')],
    ['HEX', Buffer.from(secret).toString('hex').toUpperCase()],
    ['URL', encodeURIComponent(secret)],
    ['form', encodeURIComponent(secret).replaceAll('%20', '+')],
    ['shell single quotes', secret.replaceAll("'", `'\\''`)],
    ['printf %q', "p@ss/w\\'rd\\ \\$x+1"],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
  ])('hides it as %s', (_, form) => {
    expect(hidden(secret, `x=${form};`)).not.toContain(form.slice(2, -2));
  });

  test('hides base64 at every alignment: only the border characters are left', () => {
    for (const before of ['', 'u', 'us', 'usr', 'user:']) {
      const encoded = Buffer.from(`${before}${secret}@host`).toString('base64');
      const output = hidden(secret, encoded);
      expect(output).toContain('[MASKED]');
      expect(Buffer.from(output.replace('[MASKED]', ''), 'base64').toString()).not.toContain('ss/w');
    }
  });

  test('hides the lines of a key by cat, by echo, as JSON and with CRLF', () => {
    const key = '-----BEGIN KEY-----\nMIIEowIBAAKC\nAQEA75hXxx==\n-----END KEY-----\n';
    for (const shape of [key, key.replaceAll('\n', ' '), JSON.stringify(key), key.replaceAll('\n', '\r\n')]) {
      const output = hidden(key, shape);
      expect(output).not.toContain('MIIEow');
      expect(output).not.toContain('AQEA75');
    }
  });

  test('values shorter than 4 bytes are left alone', () => {
    expect(maskPatterns(['abc', '', '\n\n'])).toEqual([]);
  });
});
