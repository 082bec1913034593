import { describe, expect, test } from 'vitest';
import { Problems } from '../../../../src/compiler/problems.ts';
import { nodeAt, plain, type Node } from '../../../../src/compiler/yaml/nodes.ts';
import { readYaml } from '../../../../src/compiler/yaml/read.ts';
import { plainScalar, scalarText } from '../../../../src/compiler/yaml/scalars.ts';

function read(text: string): { root: Node | undefined; problems: Problems } {
  const problems = new Problems();
  const root = readYaml('f.yml', text, problems)?.[0];
  return { root, problems };
}
const value = (text: string): unknown => {
  const { root } = read(text);
  return root && JSON.parse(JSON.stringify(plain(root)));
};
const place = (text: string, path: (string | number)[]): string => {
  const { root } = read(text);
  if (!root) throw new Error('not read');
  const node = nodeAt(root, path);
  const { line, column } = node.source.place(node.offset);
  return `${line}:${column}`;
};

describe('scalars as Ruby reads them', () => {
  const cases: [string, unknown][] = [
    ['yes', true],
    ['On', true],
    ['no', false],
    ['off', false],
    ['y', 'y'],
    ['n', 'n'],
    ['~', null],
    ['NULL', null],
    ['', null],
    ['0777', 511],
    ['0o17', '0o17'],
    ['1_000', 1000],
    ['0x1F', 31],
    ['0b101', 5],
    ['1.10', 1.1],
    ['1e3', '1e3'],
    ['1.0e+3', 1000],
    ['12:30', 45_000],
    ['1:02:03', 3723],
    ['-5', -5],
    ['1.2.3', '1.2.3'],
    [':sym', 'sym'],
    ['node:24', 'node:24'],
    ['3 min', '3 min'],
    ['trueish', 'trueish'],
  ];
  test.each(cases)('%s', (text, expected) => expect(plainScalar(text)).toEqual(expected));
  test('text of a float keeps its point, as a variable of it would', () => {
    expect(scalarText(1.1, '1.10')).toBe('1.1');
    expect(scalarText(1, '1.0')).toBe('1.0');
    expect(scalarText(511, '0777')).toBe('511');
  });
  test('quotes keep text as it is', () =>
    expect(value('a: "0777"\nb: \'yes\'\nc: !!str 1.0')).toEqual({ a: '0777', b: 'yes', c: '1.0' }));
});

describe('anchors and merge keys', () => {
  test('keys after << win over it, keys before it lose to it, as in Psych', () => {
    expect(value('x: &x {a: 1, b: 1}\ny:\n  a: 2\n  <<: *x\n  b: 3')).toMatchObject({ y: { a: 1, b: 3 } });
  });
  test('of a list of maps the first wins', () => {
    expect(value('x: &x {a: 1, c: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]')).toMatchObject({
      z: { a: 1, b: 2, c: 1 },
    });
  });
  test('a value from an anchor keeps the place where it was written', () => {
    const text = 'x: &x\n  image: foo\njob:\n  <<: *x\n  script: a';
    expect(place(text, ['job', 'image'])).toBe('2:10');
  });
  test('an alias in its own anchor is refused', () => {
    expect(read('a: &a [*a]').problems.all()[0]).toMatchObject({
      code: 'language/yaml',
      place: { line: 1, column: 8 },
    });
  });
  test('an alias without anchor is refused with its place', () => {
    expect(read('a: 1\nb: *nope').problems.all()[0]).toMatchObject({
      code: 'language/yaml',
      place: { line: 2, column: 4 },
    });
  });
});

describe('places', () => {
  test('of keys and values, through blocks, flow, windows line ends and a byte order mark', () => {
    expect(place('a:\r\n  - b: {c: [1, 2]}\r\n', ['a', 0, 'b', 'c', 1])).toBe('2:16');
    expect(place('\uFEFFa: x', ['a'])).toBe('1:4');
  });
  test('the line of a problem comes with it', () => {
    expect(read('ok: 1\nbad: *x').problems.all()[0]?.sourceLine).toBe('bad: *x');
  });
});

describe('what is refused', () => {
  test.each(['__proto__', 'constructor', 'prototype'])('the key %s', (key) => {
    const { problems } = read(`a:\n  ${key}: {polluted: yes}`);
    expect(problems.all()[0]).toMatchObject({
      code: 'language/forbidden-key',
      place: { line: 2, column: 3 },
    });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
  test('a duplicate key is a warning, and the last counts', () => {
    const { root, problems } = read('a: 1\nb: 2\na: 3');
    expect(problems.all()).toMatchObject([
      { code: 'language/duplicate-key', severity: 'warning', place: { line: 3 } },
    ]);
    expect(root && plain(root)).toMatchObject({ a: 3 });
  });
  test('exponential aliases, without expanding them', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i += 1) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(8)}*a${i - 1}]`);
    expect(read(lines.join('\n')).problems.all()).toMatchObject([{ code: 'language/too-large' }]);
  });
  test('ten megabytes, at once', () => {
    expect(read(`a: ${'x'.repeat(10_000_000)}`).problems.all()).toMatchObject([
      { code: 'language/too-large' },
    ]);
  });
  test.each(['[', '- ', '{a: ', 'a: ', '? '])('deep nesting of %j', (piece) => {
    expect(read(piece.repeat(50_000)).problems.hasErrors).toBe(true);
  });
  test('depth through aliases', () => {
    const lines = ['a0: &a0 {k: 1}'];
    for (let i = 1; i < 300; i += 1) lines.push(`a${i}: &a${i} {k: *a${i - 1}}`);
    expect(read(lines.join('\n')).problems.all()[0]).toMatchObject({ code: 'language/too-large' });
  });
  test('an unknown tag; !reference has a list', () => {
    for (const value of ['!foo x', '!!omap [b: 1]', '!!set {b, c}', '!!pairs [b: 1]', '!!binary aGk='])
      expect(read(`a: ${value}`).problems.all()).toMatchObject([{ code: 'language/yaml' }]);
    expect(read('a: !reference [b, c]').problems.all()).toEqual([]);
    expect(read('a: !reference b').problems.all()).toMatchObject([{ code: 'language/type' }]);
  });
  test('broken YAML with its place', () => {
    expect(read('a: b\nc: [d\ne: f').problems.all()[0]).toMatchObject({
      code: 'language/yaml',
      place: { line: 3 },
    });
    expect(read('a:\n\t- b').problems.all()[0]).toMatchObject({ code: 'language/yaml', place: { line: 2 } });
  });
});
