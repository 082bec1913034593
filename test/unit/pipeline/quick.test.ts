/** The quick reader takes only what it reads exactly as the full one does. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Problems } from '../../../src/pipeline/problems.ts';
import { readFull } from '../../../src/pipeline/yaml/full.ts';
import type { Node } from '../../../src/pipeline/yaml/nodes.ts';
import { readQuick } from '../../../src/pipeline/yaml/quick.ts';
import { SourceText } from '../../../src/pipeline/yaml/source.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/pipelines');
const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yml'))
  .map((name) => readFileSync(join(FOLDER, name), 'utf8'));

/** Everything about a tree but the place of what is not written at all. */
function shape(node: Node): unknown {
  if (node.kind === 'scalar')
    return [node.value === null ? null : node.offset, node.style, node.value, node.text];
  if (node.kind === 'list') return [node.offset, node.items.map(shape)];
  return [
    node.offset,
    [...node.entries.values()].map((entry) => [entry.key, entry.at.offset, shape(entry.value)]),
  ];
}
const quickly = (text: string): { roots: Node[] | undefined; problems: Problems } => {
  const problems = new Problems();
  return { roots: readQuick(new SourceText('f', text), problems), problems };
};

/** True when the quick reader took it, and then both must agree. */
function agree(text: string): boolean {
  const quick = quickly(text);
  if (!quick.roots) return false;
  const problems = new Problems();
  const full = readFull(new SourceText('f', text), problems);
  expect(full?.length, JSON.stringify(text)).toBe(quick.roots.length);
  expect(full?.map(shape)).toEqual(quick.roots.map(shape));
  expect(problems.all()).toEqual(quick.problems.all());
  return true;
}

describe('what people write is read quickly', () => {
  test.each(files.map((text) => [text.split('\n')[0] ?? '', text]))('%s', (_name, text) =>
    expect(agree(text)).toBe(true),
  );
  test.each([
    ['comments and blank lines', '# c\n\na: b # c\n\n  # c\nc:\n  # c\n  - d\n'],
    ['lists at the column of their key', 'a:\n- b\n- c:\n  - d\ne: f'],
    ['lists in lists', 'a:\n  - - b\n    - c\n  -\n    d: e\n  - f: g\n    h: i\n'],
    [
      'scalars of every style',
      "a: plain text\nb: 'it''s'\nc: \"x\\n\\u0041\"\nd: |\n  one\n   two\n\n  three\ne: >-\n  one\n  two\n\n  three\n    deep\n  four\nf: |+\n  x\n\ng: h\n",
    ],
    ['plain scalars over several lines', 'a: one\n  two\n\n  three # end\nb:\n  - x &&\n    y\n'],
    ['flow over several lines', 'a: [b,\n  c, {d: e, f: [g]}, # x\n  "h: i",\n]\nb: {}\nc: []\n'],
    ['anchors and merges', 'a: &a\n  b: c\nd:\n  <<: *a\n  e: &e [f]\n  g: *e\nh: &h x\ni: *h\n'],
    ['keys with colons, spaces, dots, slashes, quotes', 'a:b:c: d\n.x y: z\n"q: r": s\n\'t\': u\na/b: c\n'],
    ['urls and variables', 'a: http://x.y/z?a=b#c\nb: $C/${D}\nc: [$A, "$B"]\n'],
    ['empty values', 'a:\nb:\n  c:\n  d: e\n-x: y\n'],
    ['the marker of a first document', '---\na: b\n'],
    ['a header and a document', 'a: |\n  x\n\n---\n# c\n- b: &b c\n  d: *b\n'],
    ['a header after a marker', '---\na: b\n---  \nc: d'],
    ['no line break at the end', 'a: b'],
    ['folded edges', 'a: >\n\n  x\n\n\n  y\n   z\n\n  w\n\nb: c\n'],
    ['keys of hidden jobs and duplicates', '.a: {x: 1}\na: 1\na: 2\n'],
  ])('%s', (_name, text) => expect(agree(text)).toBe(true));
});

describe('what it leaves to the full reader', () => {
  test.each([
    '',
    '# only',
    'plain',
    '[a]: b',
    '? a\n: b',
    'a: !x b',
    'a: b\n---\nc: d\n---\ne: f',
    '%YAML 1.1\n---\na: b',
    'a: b\r\nc: d',
    'a: "x\n  y"',
    'a: |2\n   x\n',
    'a: [b: c]',
    'a: {b}',
    'a:\tb',
    'a: b: c',
    'a: @b',
    '- a\nb: c',
    'a: b\n  c: d',
    ' a: b\nc: d',
    'a: [b',
    'a: *x y',
    '&a b: c',
    'a: &x b: c',
  ])('%j', (text) => expect(quickly(text).roots).toBeUndefined());
});

const PIECES = [
  'a',
  'b:',
  ': ',
  '- ',
  '\n',
  '\n  ',
  '\n    ',
  ' ',
  '"',
  "'",
  '"x"',
  "'y'",
  '[',
  ']',
  '{',
  '}',
  ', ',
  '#',
  ' # c',
  '|',
  '>',
  '|-',
  '>+',
  '&x ',
  '*x',
  '<<: ',
  '---',
  '...',
  '?',
  '!t ',
  '\t',
  '\\',
  '$A',
  '%',
  '~',
  '1',
  'k: v',
  '\n- i',
  '\nk: ',
  '\n\n',
  '\n---\n',
];
const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((list) => list.join(''));
const mutation = fc.record({ at: fc.nat(), cut: fc.nat(6), put: fc.constantFrom('', ...PIECES) });
const mutated = fc
  .tuple(fc.constantFrom(...files), fc.nat(), fc.nat(400), fc.array(mutation, { maxLength: 4 }))
  .map(([text, from, length, changes]) => {
    const start = text.indexOf('\n', from % text.length) + 1;
    return changes.reduce(
      (now, { at, cut, put }) => {
        const where = at % (now.length + 1);
        return now.slice(0, where) + put + now.slice(where + cut);
      },
      text.slice(start, start + length),
    );
  });

describe('both readers agree', () => {
  test('on soups of YAML', () => {
    fc.assert(
      fc.property(soup, (text) => {
        agree(text);
      }),
      { numRuns: 3_000 },
    );
  });
  test('on pieces of files that were changed at random places', () => {
    let taken = 0;
    fc.assert(
      fc.property(mutated, (text) => {
        if (agree(text)) taken += 1;
      }),
      { numRuns: 1_500 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});
