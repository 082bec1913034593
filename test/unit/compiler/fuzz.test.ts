/**
 * For every file the compiler returns: it never throws, hangs, or takes much memory, and neither do `davit
 * lint` and `davit config`. Random files are in properties.test.ts, small files that expand in bombs.test.ts;
 * here are real ones with changed lines and words, names that form cycles, and very large texts. `FUZZ=20 npx
 * vitest run …/fuzz.test.ts` runs longer.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Problems } from '../../../src/compiler/problems.ts';
import { KEYWORDS } from '../../../src/compiler/schema/keyword-table.ts';
import { mergedYaml } from '../../../src/compiler/merged-yaml.ts';
import { runs } from '../../support/fuzz.ts';
import { ROOT } from '../../support/source.ts';
import { mistakes, request, run } from './helpers.ts';

const texts = globSync(['examples/*/.gitlab-ci.yml', 'test/fixtures/pipelines/*.yml'], { cwd: ROOT })
  .toSorted()
  .map((path) => readFileSync(join(ROOT, path), 'utf8'));
const MB = 1024 * 1024;

/** A result, with a place in the file for each problem that has one; printed YAML can be read again. */
function expectResult(text: string): void {
  const files = ['README.md', 'image.tar'];
  const answer = run(text, { lint: true, explain: true, files, defaultImage: 'x' });
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  for (const { place, sourceLine, message } of problems) {
    expect(message).not.toMatch(/undefined|\[object|NaN/);
    if (!place) continue;
    expect(place.column).toBeGreaterThanOrEqual(1);
    expect(place.column).toBeLessThanOrEqual((sourceLine?.length ?? 0) + 1);
  }
  if (answer.kind === 'invalid') return;
  const found = new Problems();
  const whole = mergedYaml(request(text, { files, defaultImage: 'x' }), found);
  if (whole !== undefined) expect(mistakes(whole, { defaultImage: 'x' })).toEqual([]);
}

const words = [
  ...KEYWORDS.map((keyword) => keyword.name),
  'never',
  'always',
  '$CI',
  '{}',
  '[]',
  'null',
  '-1',
  '"$A"',
  '*x',
  '!reference [a, b]',
];
const change = fc.record({
  how: fc.constantFrom('drop', 'double', 'swap', 'indent', 'dedent', 'word', 'cut'),
  at: fc.nat(),
  other: fc.nat(),
  word: fc.constantFrom(...words),
});
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

/** Changes whole lines and words, so that most results are still YAML. */
function changed(text: string, { how, at, other, word }: Change): string {
  const lines = text.split('\n');
  const from = at % lines.length;
  const to = other % lines.length;
  const line = lines[from] ?? '';
  if (how === 'drop') lines.splice(from, 1);
  else if (how === 'double') lines.splice(to, 0, line);
  else if (how === 'swap') [lines[from], lines[to]] = [lines[to] ?? '', line];
  else if (how === 'indent') lines[from] = `  ${line}`;
  else if (how === 'dedent') lines[from] = line.replace(/^ {2}/, '');
  else if (how === 'cut') return text.slice(0, at % (text.length + 1));
  else {
    const parts = line.split(/(\w+)/);
    if (parts.length > 1) parts[1 + 2 * (other % Math.floor(parts.length / 2))] = word;
    lines[from] = parts.join('');
  }
  return lines.join('\n');
}

describe('real pipeline files', () => {
  test('unchanged', () => texts.forEach(expectResult));
  test('changed by lines and words', { timeout: 60_000 * runs(1) }, () => {
    const made = fc.tuple(fc.constantFrom(...texts), fc.array(change, { minLength: 1, maxLength: 6 }));
    fc.assert(
      fc.property(made, ([text, changes]) => expectResult(changes.reduce(changed, text))),
      { numRuns: runs(400) },
    );
  });
  test('two of them in one', { timeout: 60_000 * runs(1) }, () => {
    const piece = fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(60)).map(([text, from, count]) => {
      const lines = text.split('\n');
      return lines.slice(from % lines.length, (from % lines.length) + count).join('\n');
    });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 2, maxLength: 4 }), (pieces) =>
        expectResult(pieces.join('\n')),
      ),
      { numRuns: runs(200) },
    );
  });
});

const name = fc.constantFrom('a', 'b', 'c', 'd');
const link = fc.record({
  extends: fc.array(name, { maxLength: 2 }),
  needs: fc.array(name, { maxLength: 2 }),
  reference: fc.option(name),
  variable: name,
});
/** Jobs that refer to each other in every way there is. */
const linked = fc.dictionary(name, link, { minKeys: 1, maxKeys: 4 }).map((jobs) =>
  Object.entries(jobs)
    .map(([key, { extends: parents, needs, reference, variable }]) =>
      [
        `${key}:`,
        '  image: x',
        `  script: ${reference === null ? '[x]' : `[!reference [${reference}, script]]`}`,
        ...(parents.length > 0 ? [`  extends: [${parents.join(', ')}]`] : []),
        ...(needs.length > 0 ? [`  needs: [${needs.join(', ')}]`] : []),
        `  variables: {${key.toUpperCase()}: "$${variable.toUpperCase()}"}`,
      ].join('\n'),
    )
    .join('\n'),
);

describe('names that form cycles', () => {
  test('end, and a cycle is reported as one', { timeout: 60_000 * runs(1) }, () => {
    fc.assert(
      fc.property(linked, (text) => {
        expectResult(text);
        for (const one of mistakes(text).filter((mistake) => mistake.startsWith('language/cycle'))) {
          const path = one.slice(one.lastIndexOf(': ') + 2).split(' -> ');
          expect(path.length).toBeGreaterThan(1);
          expect(path[0]).toBe(path.at(-1));
        }
      }),
      { numRuns: runs(300) },
    );
  });
  test('a thousand jobs in one cycle of needs are one report', () => {
    const many = 1_000;
    const text = Array.from(
      { length: many },
      (_, at) => `j${at}: {image: x, script: x, needs: [j${(at + 1) % many}]}`,
    );
    const found = mistakes(text.join('\n'));
    expect(found).toHaveLength(1);
    expect(found[0]?.split(' -> ')).toHaveLength(many + 1);
  });
  test('a long chain of extends, references or variables is not a cycle', () => {
    const chain = (line: (at: number) => string): string =>
      `${Array.from({ length: 2_000 }, (_, at) => line(at)).join('\n')}\nj: {image: x, script: x}`;
    expect(mistakes(chain((at) => `.t${at + 1}: {extends: .t${at}}`)).join()).not.toContain('language/cycle');
    expect(
      mistakes(chain((at) => `.t${at + 1}: {script: [!reference [.t${at}, script]]}`)).join(),
    ).not.toContain('language/cycle');
    const variables = Array.from({ length: 2_000 }, (_, at) => `A${at + 1}: "$A${at}"`).join(', ');
    expect(mistakes(`variables: {A0: x, ${variables}}\nj: {image: x, script: x}`)).toEqual([]);
  });
});

/**
 * Large texts that are refused or compiled in about a second; the timeout of the test ends quadratic work.
 */
const LARGE: [title: string, text: string][] = [
  ['10 MB of a comment', `j: {image: x, script: x} # ${'x'.repeat(10 * MB)}`],
  ['10 MB of jobs', 'job_number: {image: x, script: [make]}\n'.repeat(260_000)],
  ['10 MB of one word', 'x'.repeat(10 * MB)],
  ['10 MB of openings', '['.repeat(10 * MB)],
  ['quotes', '"'.repeat(300_001)],
  ['2 MB of anchors', '&a '.repeat(600_000)],
  ['2 MB of spaces and dashes', '- '.repeat(1_000_000)],
  ['merge keys', `j:\n${'  <<: {a: b}\n'.repeat(20_000)}`],
  ['2 MB in an expression', `j: {image: x, script: x, rules: [{if: '${'$A && '.repeat(330_000)}$A'}]}`],
  [
    'a pattern that backtracks',
    `j: {image: x, script: x, only: [/^(a+)+$/], rules: [{if: '"${'a'.repeat(5_000)}b" =~ /^(a+)+$/'}]}`,
  ],
  ['a pattern that repeats', 'j: {image: x, script: x, only: ["/((a{1,100}){1,100}){1,100}/"]}'],
  [
    'a matrix of a billion',
    `j: {image: x, script: x, parallel: {matrix: [{${'ABCDEFGHI'
      .split('')
      .map((key) => `${key}: [0a, 1a, 2a, 3a, 4a, 5a, 6a, 7a, 8a, 9a]`)
      .join(', ')}}]}}`,
  ],
  ['globs of stars', `j: {image: x, script: x, rules: [{exists: ["${'*'.repeat(5_000)}b"]}]}`],
];

describe('texts that are large', () => {
  test.each(LARGE)('%s', (_title, text) => {
    const heap = process.memoryUsage().heapUsed;
    expect(['invalid', 'plan', 'empty']).toContain(run(text, { lint: true, files: ['a'.repeat(200)] }).kind);
    expect((process.memoryUsage().heapUsed - heap) / MB).toBeLessThan(200);
  });
  test('more than 2 MiB are refused before they are read', () => {
    expect(mistakes('x: y\n'.repeat(2_100_000)).join()).toMatch(/^language\/too-large .* larger than 2 MiB/);
  });
});
