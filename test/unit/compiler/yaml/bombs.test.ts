/** Small files that would expand to something huge are refused before they are expanded. */
import { describe, expect, test } from 'vitest';
import { mistakes } from '../helpers.ts';

const many = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');
const long = (count: number): string => Array.from({ length: count }, (_, index) => `n${index}`).join(', ');

const BOMBS: [name: string, text: string][] = [
  [
    'aliases',
    `a0: &a0 [x, x]\n${many(60, (i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)}\nj: {image: x, script: x}`,
  ],
  [
    'aliases of maps',
    `.a0: &a0 {k: v}\n${many(40, (i) => `.a${i + 1}: &a${i + 1} {x: *a${i}, y: *a${i}, z: *a${i}}`)}\nj: {image: x, script: x}`,
  ],
  [
    'merge keys',
    `.big: &big {${long(3_000).replaceAll(', ', ': 1, ')}: 1}\n${many(3_000, (i) => `.m${i}: {<<: *big}`)}\nj: {image: x, script: x}`,
  ],
  [
    'merges of merges',
    `.a: &a {${long(5_000).replaceAll(', ', ': 1, ')}: 1}\nj:\n  image: x\n  script: x\n${many(5_000, () => '  <<: *a')}`,
  ],
  ['extends', `.t: {image: x, script: [${long(20_000)}]}\n${many(5_000, (i) => `j${i}: {extends: .t}`)}`],
  [
    'extends of maps',
    `.t: {image: x, script: x, variables: {${long(5_000).replaceAll(', ', ': 1, ')}: 1}}\n${many(2_000, (i) => `j${i}: {extends: .t, variables: {A${i}: b}}`)}`,
  ],
  [
    'needs by extends',
    `.t: {image: x, script: x, needs: [${long(5_000)}]}\n${many(5_000, (i) => `n${i}: {extends: .t}`)}`,
  ],
  [
    'global variables',
    `variables: {${long(20_000).replaceAll(', ', ': 1, ')}: 1}\n${many(5_000, (i) => `j${i}: {image: x, script: x}`)}`,
  ],
  ['jobs', many(20_000, (i) => `j${i}: {image: x, script: x}`)],
  [
    'artifacts of all earlier stages',
    `stages: [${long(3_000)}]\n${many(3_000, (i) => `j${i}: {stage: n${i}, image: x, script: x, artifacts: {paths: [a]}}`)}`,
  ],
  ['parallel jobs', many(60, (i) => `j${i}: {image: x, script: x, parallel: 200}`)],
  [
    'needs on parallel jobs',
    many(
      45,
      (i) =>
        `j${i}: {image: x, script: x, parallel: 200, needs: [${Array.from({ length: i }, (_, at) => `j${at}`).join(', ')}]}`,
    ),
  ],
  ['depth', `${'['.repeat(5_000)}`],
  [
    'depth by aliases',
    `.a0: &a0 {k: 1}\n${many(5_000, (i) => `.a${i + 1}: &a${i + 1} {k: *a${i}}`)}\nj: {image: x, script: x}`,
  ],
];

describe('exponential expansion', () => {
  test.each(BOMBS)('%s', (_name, text) => {
    // About a second; an expansion would exceed the memory or the timeout of the test.
    expect(mistakes(text).join()).toContain('language/too-large');
  });
});

describe('a harmless text of that form', () => {
  test('a template of many lines for a hundred jobs', () => {
    expect(
      mistakes(`.t: {image: x, script: [${long(1_000)}]}\n${many(100, (i) => `j${i}: {extends: .t}`)}`),
    ).toEqual([]);
  });
  test('an expansion that would double forty times', () => {
    const text = `j:\n  image: x\n  script: x\n  variables:\n    A0: xxxxxxxxxx\n${many(40, (i) => `    A${i + 1}: "$A${i}$A${i}"`)}`;
    expect(mistakes(text).join()).toContain('language/too-large');
  });
});
