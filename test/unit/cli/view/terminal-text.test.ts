import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JobPrinter, Prefixes } from '../../../../src/cli/run/printer.ts';
import { plainText, TerminalFilter, widthOf } from '../../../../src/cli/view/terminal-text.ts';

const all = (text: string, color = true): string => new TerminalFilter(color).push(text);

describe('untrusted text on a terminal', () => {
  test('keeps colours, text, tabs and lines', () => {
    expect(all('\u001b[31mred\u001b[0m\tand\nmore ü 漢')).toBe('\u001b[31mred\u001b[0m\tand\nmore ü 漢');
    expect(all('\u001b[1;38;5;196mx')).toBe('\u001b[1;38;5;196mx');
  });
  test('without colours there is no escape at all', () => {
    expect(plainText('\u001b[31mred\u001b[0m')).toBe('red');
  });
  test.each([
    ['moves of the cursor', 'a\u001b[2Ab\u001b[10;10Hc\u001b[2Jd\u001b[K', 'abcd'],
    ['a title (OSC, BEL)', 'a\u001b]0;pwned\u0007b', 'ab'],
    ['the clipboard (OSC 52, ST)', 'a\u001b]52;c;ZXZpbA==\u001b\\b', 'ab'],
    ['a link (OSC 8)', '\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\', 'text'],
    ['a device string', 'a\u001bPq#0\u001b\\b', 'ab'],
    ['a string without end stops at the line', 'a\u001b]0;never\nb', 'a\nb'],
    ['eight-bit controls', 'a\u009b2Jb\u009d0;x\u009cc', 'abc'],
    ['overwriting a line', 'good\rbad', 'good\nbad'],
    ['a Windows line end is one', 'a\r\nb', 'a\nb'],
    ['backspace, bell, delete', 'a\b\u0007\u007fb', 'ab'],
    ['a change of character set', 'a\u001b(0b', 'ab'],
    ['a private mode', 'a\u001b[?1049hb', 'ab'],
    ['a colour with more than parameters', 'a\u001b[>4mb\u001b[1$mc', 'abc'],
    ['an escape in a title starts a new sequence', 'a\u001b]0;t\u001b[31mb', 'a\u001b[31mb'],
    ['text that runs backwards', 'a\u202eb\u2066c', 'abc'],
  ])('removes: %s', (_what, text, expected) => {
    expect(all(text)).toBe(expected);
  });

  const nasty = fc.string({
    unit: fc.constantFrom(
      '\u001b',
      '[',
      ']',
      ';',
      'm',
      '3',
      '1',
      'H',
      '\r',
      '\n',
      '\\',
      '\u0007',
      'P',
      'a',
      'é',
      '\u009b',
      '\u009c',
      '?',
      ' ',
    ),
    maxLength: 60,
  });
  test('of all control characters only colours are left', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        // oxlint-disable-next-line no-control-regex
        const rest = all(text).replace(/\u001b\[[0-9;:]*m/g, '');
        // oxlint-disable-next-line no-control-regex
        expect(rest).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });
  test('the chunks of a stream do not matter', () => {
    fc.assert(
      fc.property(nasty, fc.array(fc.nat(60)), (text, cuts) => {
        const filter = new TerminalFilter(true);
        const points = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const pieces = points.slice(1).map((end, at) => text.slice(points[at], end));
        expect(pieces.map((piece) => filter.push(piece)).join('')).toBe(all(text));
      }),
    );
  });
});

describe('logs with a prefix', () => {
  const print = (pieces: string[]): string => {
    let out = '';
    const printer = new JobPrinter({ prefix: 'unit |', color: true, write: (text) => (out += text) });
    for (const piece of pieces) printer.push(piece);
    printer.end();
    return out;
  };
  test('whole lines, a last one without a newline, colours closed at the end of the line', () => {
    expect(print(['one\ntw', 'o\n\u001b[31mred\nlast'])).toBe(
      'unit | one\nunit | two\nunit | \u001b[31mred\u001b[0m\nunit | last\n',
    );
  });
  test('every line has its prefix, whatever a job writes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (pieces) => {
        const lines = print(pieces).split('\n').slice(0, -1);
        expect(lines.filter((line) => !line.startsWith('unit | '))).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
  test('names are padded to one width', () => {
    const prefixes = new Prefixes(false);
    prefixes.learn(['a', 'build: [arm32]']);
    expect(widthOf(prefixes.of('a'))).toBe(widthOf(prefixes.of('build: [arm32]')));
  });
});
