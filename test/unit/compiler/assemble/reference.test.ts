/**
 * `!reference`: places kept, nested, flattened by scripts; cycles and wrong targets are mistakes with a
 * place.
 */
import { describe, expect, test } from 'vitest';
import { job, mistakes, run, variable } from '../helpers.ts';

describe('!reference', () => {
  test('in scripts it is flattened, nested ones too', () => {
    const text = `
.a: {script: [one, two]}
.b: {script: [!reference [.a, script], three]}
j:
  image: x
  script:
    - zero
    - !reference [.b, script]
    - four
`;
    const spec = job(text, 'j').spec;
    expect(JSON.stringify(spec)).toContain('zero');
    const plain = text.replace('- !reference [.b, script]', '- [one, two]\n    - three');
    expect(spec).toEqual(job(plain, 'j').spec);
  });
  test('takes a whole value, also of a top-level keyword, after extends', () => {
    const text = `
variables: {FILE: f}
.parent: {variables: {A: "1"}}
.child: {extends: .parent, image: busybox}
j:
  image: !reference [.child, image]
  variables: {A: !reference [.child, variables, A], B: !reference [variables, FILE]}
  script: [x]
`;
    const found = job(text, 'j');
    expect([variable(found, 'A'), variable(found, 'B')]).toEqual(['1', 'f']);
    expect(JSON.stringify(found.spec)).toContain('busybox');
  });
  test('in rules', () => {
    const text = `
.r: {rules: [{if: $CI_COMMIT_BRANCH == "other"}]}
j: {image: x, script: [x], rules: [!reference [.r, rules], {when: manual}]}
`;
    expect(job(text, 'j').job.when).toBe('manual');
  });
  test('a mistake in the referenced value is reported where it is written', () => {
    const text = '.a:\n  retry: 7\nj:\n  image: x\n  script: [x]\n  retry: !reference [.a, retry]\n';
    expect(mistakes(text)).toEqual(['language/type 2:10 retry must be 0, 1 or 2']);
  });
  test.each([
    [
      'an unknown job',
      '[.c, script]',
      'language/unknown-extends 2:36 !reference has no target: the file has no ".c"',
    ],
    [
      'an unknown key',
      '[.a, scrip]',
      'language/unknown-extends 2:40 !reference has no target: ".a" has no "scrip"',
    ],
    [
      'no name',
      '[]',
      'language/type 2:35 !reference takes a list of names: a job or template, then a keyword and its keys',
    ],
    ['text', '.a', 'language/type 2:35 !reference takes a list of names: a job, then a keyword'],
  ])('%s', (_, reference, message) => {
    const text = `.a: {script: [y]}\nj: {image: x, script: [!reference ${reference}, x]}`;
    expect(mistakes(text)).toEqual([message]);
  });
  test('a cycle is named', () => {
    const text =
      '.a: {script: [!reference [.b, script]]}\n.b: {script: [!reference [.a, script]]}\nj: {image: x, script: [x]}';
    expect(mistakes(text)).toEqual([
      'language/cycle 2:26 !reference forms a cycle: [.a, script] -> [.b, script] -> [.a, script]',
    ]);
  });
  test.each([
    [10, 0],
    [11, 1],
    [3_000, 1],
  ])(
    'a chain of %i',
    (length, wrong) => {
      const lines = ['.r0: {script: [x]}'];
      for (let at = 1; at <= length; at += 1)
        lines.push(`.r${at}: {script: !reference [.r${at - 1}, script]}`);
      for (const text of [lines, [...lines].reverse()])
        expect(mistakes(`${text.join('\n')}\nj: {image: x, script: [x]}`).length > 0).toBe(wrong > 0);
    },
    20_000,
  );
  test('references that would expand to 10^10 lines are refused before they are expanded', () => {
    const lines = ['.r0: {script: [x, x, x, x, x, x, x, x, x, x]}'];
    for (let at = 1; at <= 9; at += 1)
      lines.push(`.r${at}: {script: [${`!reference [.r${at - 1}, script], `.repeat(10)}]}`);
    expect(run(`${lines.join('\n')}\nj: {image: x, script: !reference [.r9, script]}`).kind).toBe('invalid');
  });
  test('cannot be used in extends', () => {
    expect(
      mistakes('.a: {needs: [.b]}\nj: {image: x, script: x, extends: !reference [.a, needs]}').join(),
    ).toContain('extends cannot be a !reference');
  });
});
