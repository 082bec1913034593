/** The order of the folders of the compiler; within a folder no files import each other in a cycle. */
import { describe, expect, test } from 'vitest';
import { importsOf, readSources } from '../support/source.ts';
import { COMPILER_ORDER, rankOf } from './compiler-order.ts';

const ROOT = 'src/compiler/';
const files = readSources(`${ROOT}**/*.ts`).map((file) => ({
  path: file.path.slice(ROOT.length),
  imports: importsOf(file)
    .filter(({ target }) => target.startsWith(ROOT))
    .map(({ target, line }) => ({ target: target.slice(ROOT.length), line })),
}));

/** Removes files that import nothing remaining, until none is left: the rest is in a cycle, or above one. */
function circular(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map(edges);
  for (;;) {
    const free = [...left].filter(([, targets]) => targets.every((target) => !left.has(target)));
    if (free.length === 0) return [...left.keys()];
    for (const [path] of free) left.delete(path);
  }
}

describe('the order of the compiler', () => {
  test('every file has a place in it, and every entry has a file', () => {
    expect(files.filter(({ path }) => rankOf(path) === -1).map(({ path }) => path)).toEqual([]);
    const used = new Set(files.map(({ path }) => rankOf(path)));
    expect(COMPILER_ORDER.filter((_, rank) => !used.has(rank))).toEqual([]);
  });

  test('no file imports upward', () => {
    const upward = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => rankOf(target) > rankOf(path))
        .map(({ target, line }) => `${path}:${line} must not import ${target}`),
    );
    expect(upward).toEqual([]);
  });

  test('no files import each other in a cycle, types included', () => {
    expect(
      circular(new Map(files.map(({ path, imports }) => [path, imports.map(({ target }) => target)]))),
    ).toEqual([]);
  });

  test('the order can refuse', () => {
    expect(rankOf('schema/validation/validate.ts')).toBeLessThan(rankOf('schema/keywords/run.ts'));
    expect(rankOf('schema/keywords/run.ts')).toBeLessThan(rankOf('schema/keyword-table.ts'));
    expect(rankOf('nowhere.ts')).toBe(-1);
    const edges = new Map([
      ['a', ['b']],
      ['b', ['a']],
      ['c', []],
    ]);
    expect(circular(edges)).toEqual(['a', 'b']);
  });
});
