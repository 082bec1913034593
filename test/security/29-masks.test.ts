/**
 * Row 29: usual tools applied to a secret. Masking is best effort: docs/security.md lists what it does not
 * hide.
 */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { maskAutomaton, maskPatterns, maskText } from '../../src/masking/index.ts';

const KEY = `-----BEGIN KEY-----\n${Array.from({ length: 12 }, (_, line) => `MIIEowIBAAKCAQEA75hXxxLine${line}ofTheKeyThatGoesOnAndOnAndOn0123`).join('\n')}\n-----END KEY-----\n`;
const TOKEN = 'glpat-0123456789abcdefgh';
const hidden = (value: string, output: string): string =>
  maskText(maskAutomaton(maskPatterns([value])), output);
const run = (input: string, command: string): string =>
  execFileSync('/bin/sh', ['-c', command], { input, encoding: 'utf8' });

/** The longest piece of base64 that was not hidden. */
const longest = (text: string): number =>
  Math.max(
    0,
    ...text
      .replaceAll('[MASKED]', ' ')
      .split(/\s+/)
      .map((word) => word.length),
  );

test('base64 of a file, in lines of 76 and of 64', () => {
  const encoded = Buffer.from(KEY).toString('base64');
  for (const columns of [76, 64])
    expect(
      longest(hidden(KEY, (encoded.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []).join('\n'))),
    ).toBeLessThan(8);
  expect(longest(hidden(KEY, run(KEY, 'base64')))).toBeLessThan(8);
});

test.each([0, 9, 19, 28, 38, 47, 57])(
  'base64 of a key with and without its last newline, to the last line (%i)',
  (more) => {
    const key = `${KEY.trimEnd()}${'x'.repeat(10 + more)}`;
    for (const [value, printed] of [
      [`${key}\n`, key],
      [key, `${key}\n`],
      [`${key}\n`, `${key}\n`],
      [key, key],
    ] as const) {
      const lines =
        Buffer.from(printed)
          .toString('base64')
          .match(/.{1,76}/g) ?? [];
      expect(longest(hidden(value, lines.join('\n')))).toBeLessThan(8);
    }
  },
);

test('hex in the lines of od, wherever the secret begins', () => {
  for (const before of ['', 'a', 'token=', 'a longer text before it: ']) {
    const output = hidden(TOKEN, run(`${before}${TOKEN}`, 'od -An -tx1'));
    const left = output.replaceAll('[MASKED]', '').replace(/\s+/g, '');
    const bytes = Buffer.from(left, 'hex').toString();
    expect(bytes.replace(before, '').length).toBeLessThan(8);
  }
});

test('hex with colons and in groups of two', () => {
  const hex = Buffer.from(TOKEN).toString('hex');
  expect(hidden(TOKEN, (hex.match(/../g) ?? []).join(':'))).toBe('[MASKED]');
  const groups = (hex.slice(0, 32).match(/.{4}/g) ?? []).join(' ');
  expect(hidden(TOKEN, groups)).toBe('[MASKED]');
});
