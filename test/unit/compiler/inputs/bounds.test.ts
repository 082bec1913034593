/** The size of what inputs make is limited, and any text ends without a throw. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InputValue } from '../../../../src/plan/model/trigger.ts';
import { compileWith, run } from '../helpers.ts';
import { problemsOf, texts, withInputs } from './support.ts';

const tooLarge = (found: readonly string[]): boolean =>
  found.some((one) => one.includes('[language/too-large]'));

describe('bounds', () => {
  test('text: frequent use of a long value is refused before it is made', () => {
    const value = 'x'.repeat(500_000);
    const content = Array.from(
      { length: 2_000 },
      (_, i) => `j${i}: {image: x, script: "a $[[ inputs.a ]] ${i}"}`,
    );
    expect(tooLarge(problemsOf(withInputs(`{a: {default: ${value}}}`, content.join('\n'))))).toBe(true);
  });
  test('text: over all includes together', async () => {
    const files = { 'a.yml': withInputs('{a: }', '.h: {script: "- $[[ inputs.a ]]"}') };
    const include = Array.from({ length: 100 }, () => '  - {local: a.yml, inputs: *i}').join('\n');
    const root = `.i: &i {a: ${'x'.repeat(400_000)}}\ninclude:\n${include}\nj: {image: x, script: y}\n`;
    expect(tooLarge(texts(await compileWith(root, files)))).toBe(true);
  });
  test('values: a long list in many places is a million values at most', () => {
    const list = `[${'x,'.repeat(10_000)}]`;
    const content = `j: {image: x, script: y}\n.t:\n${'  - $[[ inputs.a ]]\n'.repeat(200)}`;
    const text = withInputs(`{a: {type: array, default: ${list}}}`, content);
    expect(tooLarge(problemsOf(text))).toBe(true);
  });
  test('levels: a list in a list in a list', () => {
    const deep = `${'['.repeat(60)}${']'.repeat(60)}`;
    const text = withInputs(
      `{a: {type: array, default: ${deep}}}`,
      `j: {image: x, script: y}\n.t: ${'['.repeat(50)}"$[[ inputs.a ]]"${']'.repeat(50)}\n`,
    );
    expect(tooLarge(problemsOf(text))).toBe(true);
  });
  test('a text with a block in it has 1 MiB at most', () => {
    const text = withInputs(
      '{a: {default: x}}',
      `j: {image: x, script: "${'y'.repeat(1_100_000)} $[[ inputs.a ]]"}`,
    );
    expect(problemsOf(text).join().slice(-400)).toContain('a text with an input is larger than 1 MiB');
  });
  test('10,000 different blocks', () => {
    const blocks = Array.from({ length: 10_001 }, (_, i) => `$[[ inputs.a | truncate(0,${i}) ]]`);
    const text = withInputs('{a: {default: x}}', `j: {image: x, script: "${blocks.join('')}"}`);
    expect(tooLarge(problemsOf(text))).toBe(true);
  });
  test('aliases are filled in once, however often they are used', () => {
    const levels = Array.from({ length: 17 }, (_, i) => `.l${i + 1}: &l${i + 1} [*l${i}, *l${i}]`);
    const text = withInputs(
      '{a: {default: x}}',
      `.l0: &l0 ["$[[ inputs.a ]]"]\n${levels.join('\n')}\nj: {image: x, script: y}\n`,
    );
    expect(run(text).kind).toBe('plan');
  });
  test('an input with an endlessly nested list is refused', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const text = withInputs('{a: {type: array}}', 'j: {image: x, script: y}');
    expect(problemsOf(text, { trigger: { inputs: { a: deep } } }).join()).toContain('must be a list');
  });
});

describe('any text', () => {
  const word = fc.constantFrom(
    'a',
    'b',
    'inputs',
    'inputs.a',
    'inputs.b',
    '|',
    'truncate(0,1)',
    "split(',')",
    ']]',
    '$[[',
    '[',
    '$A',
    '.',
    '\n',
    ' ',
    "'",
    'expand_vars',
    'matrix.X',
  );
  const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '));
  const block = fc.oneof(
    text,
    text.map((inner) => `$[[ ${inner} ]]`),
    fc.constant('$[[ inputs.a ]]'),
  );
  const value: fc.Arbitrary<unknown> = fc.oneof(block, fc.jsonValue({ maxDepth: 2 }));
  const input = fc.oneof(
    fc.constant(null),
    fc.record(
      {
        type: fc.constantFrom('string', 'number', 'boolean', 'array', 'other'),
        default: value,
        options: fc.array(value, { maxLength: 3 }),
        regex: fc.oneof(fc.constantFrom('(', '.*', '^a'), text),
        rules: fc.array(
          fc.record({ if: text, options: fc.array(value), default: value }, { requiredKeys: [] }),
        ),
        description: value,
      },
      { requiredKeys: [] },
    ),
  );
  const spec = fc.dictionary(fc.constantFrom('a', 'b', 'c.d', '__proto__'), input);
  const content = fc.dictionary(block, fc.oneof(block, fc.dictionary(block, value)));
  const given = fc.dictionary(fc.constantFrom('a', 'b', 'z'), fc.jsonValue({ maxDepth: 2 }));

  test('gives a plan, nothing to run, or mistakes with places', () => {
    fc.assert(
      fc.property(spec, content, given, (inputs, jobs, values) => {
        const file = `${JSON.stringify({ spec: { inputs } })}\n---\n${JSON.stringify(jobs)}\n`;
        const answer = run(file, { trigger: { inputs: values as Record<string, InputValue> } });
        expect(['plan', 'empty', 'invalid']).toContain(answer.kind);
        if (answer.kind === 'invalid') expect(answer.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 120 },
    );
  });
  test('is unchanged if it has no block', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('.a', '.b', '.c'), fc.jsonValue({ maxDepth: 3 })),
        (templates) => {
          const body = `${JSON.stringify({ ...templates, j: { image: 'x', script: ['y'] } })}\n`;
          const plain = JSON.stringify(run(body));
          return JSON.stringify(run(`{"spec": {}}\n---\n${body}`)) === plain || plain.includes('"line"');
        },
      ),
      { numRuns: 100 },
    );
  });
});
