import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findCycles, reachable } from '../../../src/compiler/draft/graph.ts';
import { KEYWORDS } from '../../../src/compiler/schema/keyword-table.ts';
import { nearest } from '../../../src/compiler/suggest.ts';
import { expandLate, expandParts, renderParts, type Part } from '../../../src/compiler/variables/expand.ts';
import { slugify } from '../../../src/compiler/variables/slug.ts';
import { jobs, run } from './helpers.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/pipelines');
const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yml'))
  .map((name) => readFileSync(join(FOLDER, name), 'utf8'));

/** For every text: a result, whose places are in the file. */
function expectResult(text: string): void {
  const answer = run(text);
  const lines = text.split('\n').length;
  const problems = answer.kind === 'invalid' ? answer.problems : answer.warnings;
  for (const { place } of problems)
    if (place) {
      expect(place.line).toBeGreaterThanOrEqual(1);
      expect(place.line).toBeLessThanOrEqual(lines);
      expect(place.column).toBeGreaterThanOrEqual(1);
    }
  if (answer.kind === 'invalid') expect(problems.some((problem) => problem.severity === 'error')).toBe(true);
  else expect(problems.every((problem) => problem.severity === 'warning')).toBe(true);
}

const NOISE = [
  '\n',
  '  ',
  '- ',
  ': ',
  '[',
  ']',
  '{',
  '}',
  '&a ',
  '*a',
  '<<: ',
  '"',
  "'",
  '#',
  '|',
  '>',
  '\t',
  '$',
  '!x ',
  '? ',
  '\u0000',
  '\uD800',
  '%',
  '__proto__',
];
const mutation = fc.record({
  at: fc.nat(),
  cut: fc.nat(12),
  put: fc.oneof(fc.constantFrom(...NOISE), fc.string({ maxLength: 6 })),
});
const mutated = fc
  .tuple(fc.constantFrom(...files), fc.array(mutation, { minLength: 1, maxLength: 8 }))
  .map(([text, changes]) =>
    changes.reduce((now, { at, cut, put }) => {
      const from = at % (now.length + 1);
      return now.slice(0, from) + put + now.slice(from + cut);
    }, text),
  );

const names = KEYWORDS.map((keyword) => keyword.name);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      'x',
      'a',
      'b',
      '$A',
      '',
      'on_success',
      '3 min',
      '/x/',
      '../x',
      'arm64',
      'test',
      'main',
      0,
      2,
      -1,
      1.5,
      true,
      false,
      null,
    ),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...names,
        'a',
        'b',
        'job',
        'name',
        'paths',
        'refs',
        'from',
        'tags',
        'swarm',
        'image_from',
        'requires',
        '.t',
      ),
      tie('any'),
      { maxKeys: 4 },
    ),
  ),
})).any;
const file = fc.dictionary(
  fc.constantFrom('a', 'b', '.t', 'stages', 'default', 'variables'),
  fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 8 }),
  { maxKeys: 6 },
);

describe('the compiler never throws', () => {
  test('on files that were changed at random places', () => {
    fc.assert(fc.property(mutated, expectResult), { numRuns: 400 });
  });
  test('on files made of keywords with random values', () => {
    fc.assert(
      fc.property(file, (made) => expectResult(JSON.stringify(made))),
      { numRuns: 600 },
    );
  });
  test('on any text', () => {
    fc.assert(fc.property(fc.string({ maxLength: 80, unit: 'binary' }), expectResult), { numRuns: 300 });
  });
});

describe('expansion', () => {
  const word = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/);
  const literal = fc.string({ maxLength: 6 }).map((text) => text.replaceAll('$', '').replaceAll('%', ''));
  test('replaces each reference by its value', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(literal, word, fc.string({ maxLength: 5 }))), literal, (list, end) => {
        const values = new Map(list.map(([, name, text]) => [name, text]));
        const text = `${list.map(([before, name]) => `${before}\${${name}}`).join('')}${end}`;
        const expected = `${list.map(([before, name]) => `${before}${values.get(name)}`).join('')}${end}`;
        expect(renderParts(expandParts(text, (name) => [values.get(name) ?? '']))).toBe(expected);
      }),
    );
  });
  test('values are not expanded again', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(renderParts(expandParts('$A', () => [text]))).toBe(text);
      }),
    );
  });
  test('doubled dollars are kept', () => {
    fc.assert(
      fc.property(
        fc.string().map((text) => text.replaceAll('%', '')),
        (text) => {
          expect(renderParts(expandParts(text.replaceAll('$', '$$$$'), () => ['no']))).toBe(text);
        },
      ),
    );
  });
  test('values that are left to the worker give the same result as known ones', () => {
    const part: fc.Arbitrary<Part> = fc.oneof(
      fc.string({ maxLength: 6 }),
      word.map((late) => ({ late })),
    );
    fc.assert(
      fc.property(fc.array(part), word, (parts, last) => {
        const all = [...parts, { late: last }];
        const valueOf = (name: string): string => `<${name}$>`;
        const values = new Map(
          all.flatMap((one) => (typeof one === 'string' ? [] : [[one.late, valueOf(one.late)]])),
        );
        expect(expandLate(renderParts(all), values)).toBe(
          all.map((one) => (typeof one === 'string' ? one : valueOf(one.late))).join(''),
        );
      }),
    );
  });
});

const graph = fc
  .integer({ min: 1, max: 12 })
  .chain((size) =>
    fc.array(fc.array(fc.nat(size - 1), { maxLength: 4 }), { minLength: size, maxLength: size }),
  );
/** Kahn's algorithm: true when every node can be ordered. */
function hasOrder(edges: readonly (readonly number[])[]): boolean {
  const left = new Set(edges.keys());
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of left)
      if (edges[node]?.every((to) => !left.has(to))) {
        left.delete(node);
        changed = true;
      }
  }
  return left.size === 0;
}

describe('graphs', () => {
  test('a cycle is found exactly if there is no order, and it is a cycle', () => {
    fc.assert(
      fc.property(graph, (edges) => {
        const named = new Map(edges.map((to, from) => [String(from), to.map(String)]));
        const cycles = findCycles(named);
        expect(cycles.length === 0).toBe(hasOrder(edges));
        for (const cycle of cycles) {
          expect(cycle[0]).toBe(cycle.at(-1));
          for (const [index, name] of cycle.slice(0, -1).entries())
            expect(named.get(name)).toContain(cycle[index + 1]);
        }
      }),
    );
  });
  test('the reachable set contains its starts and is closed', () => {
    fc.assert(
      fc.property(graph, (edges) => {
        const seen = reachable(['0'], (name) => (edges[Number(name)] ?? []).map(String));
        expect(seen.has('0')).toBe(true);
        for (const name of seen)
          for (const to of edges[Number(name)] ?? []) expect(seen.has(String(to))).toBe(true);
      }),
    );
  });
  test('needs of a file without cycles are returned as written', () => {
    fc.assert(
      fc.property(graph, (edges) => {
        const acyclic = edges.map((to, from) => [...new Set(to.filter((other) => other < from))]);
        const text = acyclic
          .map(
            (to, from) =>
              `j${from}: {image: x, script: x, needs: [${to.map((other) => `j${other}`).join(', ')}]}`,
          )
          .join('\n');
        const compiled = jobs(text);
        for (const [from, to] of acyclic.entries())
          expect(compiled[`j${from}`]?.job.needs?.map((need) => need.job)).toEqual(
            to.map((other) => `j${other}`),
          );
      }),
      { numRuns: 50 },
    );
  });
});

describe('small things', () => {
  test('a suggestion is one of the words', () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        expect([undefined, ...names]).toContain(nearest(word, names));
      }),
    );
  });
  test('a known word is its own suggestion', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), (word) => {
        expect(nearest(word, names)).toBe(word);
      }),
    );
  });
  test('slugs are slugs', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(slugify(text)).toMatch(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/);
      }),
    );
  });
});
