import { describe, expect, test } from 'vitest';
import { NAME_CHARS, tagQueue } from '../../../src/plan/model/queues.ts';
import { keyword } from '../../../src/plan/policy/display-text.ts';
import { mistakes } from './helpers.ts';

const said = (text: string): string => mistakes(text).join('\n');
const file = (name: string, tag: string): string =>
  `"${name}":\n  image: x\n  tags: ["${tag}"]\n  script: [echo]\n`;

describe('names that Temporal or PostgreSQL cannot store are refused where they are written', () => {
  test.each([
    ['a NUL', 'a\\0b', 'contains a NUL'],
    ['half of a character', 'a\\ud800b', 'contains an unpaired surrogate'],
  ])('%s', (_, text, trouble) => {
    expect(said(file(text, 'fine'))).toMatch(new RegExp(`name of the job .*${trouble}`));
    expect(said(file('fine', text))).toMatch(new RegExp(`the tag .*${trouble}`));
  });

  test('too many characters', () => {
    expect(said(file('fine', 'x'.repeat(NAME_CHARS + 1)))).toMatch(
      /the tag .* is longer than 255 characters/,
    );
    const value = '€'.repeat(350);
    const matrix = `a: {image: x, script: x, parallel: {matrix: [{V: ["${value}"]}]}}`;
    expect(said(matrix)).toMatch(/name of the job .* is longer than 950/);
  });

  test('names that GitLab accepts are accepted', () => {
    expect(said(file('ü€ '.repeat(85), 't'.repeat(NAME_CHARS)))).toBe('');
  });
});

test('any tag that a variable makes gives a queue that can be sent and stored', () => {
  for (const odd of ['a\0b', 'a\ud800b', `${'x'.repeat(254)}😀`, '€'.repeat(2_000)]) {
    const queue = tagQueue(odd);
    expect(queue.isWellFormed()).toBe(true);
    expect(queue).not.toContain('\0');
    expect(Buffer.byteLength(queue)).toBeLessThan(1_000);
  }
  expect(tagQueue('gpu')).toBe('tag-gpu');
});

test('a search attribute is text that PostgreSQL can store', () => {
  expect(keyword('queue:a\0b')).toBe('queue:a\uFFFDb');
  expect(keyword('a\ud800b')).toBe('a\uFFFDb');
});
