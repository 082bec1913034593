import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SectionFilter } from '../../../../src/cli/view/log-sections.ts';

function shown(...pieces: string[]): string {
  const filter = new SectionFilter();
  return pieces.map((piece) => filter.push(piece)).join('') + filter.end();
}
const START = '\u001b[0Ksection_start:1560896352:my_first[collapsed=true]\r\u001b[0K';
const END = '\u001b[0Ksection_end:1560896360:my_first\r\u001b[0K\n';

describe('sections of a log', () => {
  test('show their header and how long they took', () => {
    expect(shown(`a\n${START}Header\nline\n${END}b\n`)).toBe('a\n> Header\nline\n< my_first 8 s\nb\n');
    expect(shown('section_start:1:x\r\u001b[0K\nline\n')).toBe('> x\nline\n');
    expect(shown('section_end:1:x\r\u001b[0Kline\n')).toBe('line\n');
  });
  test('a similar line is not a section', () => {
    for (const text of ['section_start:1:x\n', 'section_', 'my section_end: here\n', '\u001b[0K', 'sect'])
      expect(shown(text)).toBe(text);
    const long = `section_start:1:${'x'.repeat(9_000)}`;
    expect(shown(long, 'y')).toBe(`${long}y`);
  });
  test('chunks change nothing', () => {
    const text = `a\n${START}Header\nsection_s\n${START}${END}\u001b[0Kx${END}b section_end:5`;
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        expect(shown(...at.slice(1).map((end, index) => text.slice(at[index], end)))).toBe(shown(text));
      }),
    );
  });
});
