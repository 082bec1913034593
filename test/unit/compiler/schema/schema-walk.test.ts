/**
 * No keyword is silently ignored: every keyword path of GitLab's schema has a test that shows its effect, or
 * is refused by name. The schema itself is reference material beside the project; if it is missing, only the
 * list is checked.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../support/source.ts';
import { run } from '../helpers.ts';
import { NAMED, REFUSED, SHOWN } from './schema-evidence.ts';

const SCHEMA = join(ROOT, '../shared/gitlab-ci.schema.json');
const BY_NAME = new Set(['language/refused', 'language/unknown-keyword', 'language/type']);

type Schema = { [key: string]: unknown };
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const entries = (value: unknown): [string, unknown][] => (isSchema(value) ? Object.entries(value) : []);

/** Every path of names below a node. References to a parent end there. */
function walk(
  root: Schema,
  node: unknown,
  at: { path: string[]; above: string[] },
  found: Set<string>,
): void {
  if (!isSchema(node)) return;
  const { path, above } = at;
  const reference = typeof node.$ref === 'string' ? node.$ref : undefined;
  if (reference !== undefined && !above.includes(reference)) {
    let target: unknown = root;
    for (const step of reference.slice(2).split('/')) target = isSchema(target) ? target[step] : undefined;
    walk(root, target, { path, above: [...above, reference] }, found);
  }
  const same = [node.oneOf, node.anyOf, node.allOf, node.items].flatMap((value) =>
    Array.isArray(value) ? list(value) : [value],
  );
  for (const one of same) walk(root, one, at, found);
  for (const [name, inner] of entries(node.properties)) {
    found.add([...path, name].join('.'));
    walk(root, inner, { path: [...path, name], above }, found);
  }
  for (const inner of [...entries(node.patternProperties).map(([, one]) => one), node.additionalProperties])
    walk(root, inner, { path: [...path, '*'], above }, found);
}

/** Paths of the schema in the form of the list. */
function schemaPaths(root: Schema): string[] {
  const definitions = isSchema(root.definitions) ? root.definitions : {};
  const found = new Set<string>();
  walk(root, definitions.job, { path: [], above: [] }, found);
  for (const [name, node] of entries(root.properties)) {
    found.add(name);
    // The job "pages" is a job like any other.
    if (name === 'pages') continue;
    const below = new Set<string>();
    walk(root, node, { path: name === 'default' ? [] : [name], above: [] }, below);
    for (const path of below) found.add(path);
  }
  return [...found].toSorted();
}

const shown = Object.entries(SHOWN).flatMap(([file, tests]) =>
  Object.entries(tests).map(([name, paths]) => ({ file, name, paths: paths.split(' ') })),
);
const known = new Set([...shown.flatMap((one) => one.paths), ...Object.keys(REFUSED), ...Object.keys(NAMED)]);
/** A path below a refused or completely listed keyword is covered by it. */
const covered = (path: string): boolean =>
  known.has(path) ||
  [...Object.keys(REFUSED), ...Object.keys(NAMED)].some((root) => path.startsWith(`${root}.`));

const text = (file: string): string => readFileSync(join(ROOT, 'test', file), 'utf8');
/** Without quotes and their escapes, which a formatter may change. */
const bare = (written: string): string => written.replace(/\\(.)/g, '$1');
const leafOf = (path: string): string => path.split('.').findLast((step) => step !== '*') ?? path;
const has = (written: string, word: string): boolean =>
  new RegExp(`(?<![\\w-])${word.replace(/[$!]/g, '\\$&')}(?![\\w-])`).test(written);

/** It is an error of the file that names the keyword. */
function refusedByName(file: string, path: string): boolean {
  const answer = run(file);
  if (answer.kind !== 'invalid') return false;
  const names = path.split('.').slice(-2);
  return answer.problems.some(
    (one) => BY_NAME.has(one.code) && names.some((name) => one.message.includes(name)),
  );
}

describe('every keyword is shown or refused', () => {
  test.each(shown)('$file: $name', ({ file, name, paths }) => {
    const written = bare(text(file));
    expect(['', "'", '"', '`'].some((quote) => written.includes(`${quote}${name}${quote}`))).toBe(true);
    if (name === '%s is accepted') return; // one test for each of the kinds that the schema of davit has
    for (const path of paths) expect(has(written, leafOf(path)), path).toBe(true);
  });

  test.each(Object.entries(REFUSED))('%s is refused by name', (path, file) => {
    expect(refusedByName(file, path)).toBe(true);
  });

  const files = globSync('test/**/*.test.ts', { cwd: ROOT });
  test.each(Object.entries(NAMED))('every part of %s is named by a test', (path, tests) => {
    const texts = files
      .filter((one) => tests.test(basename(one)) || tests.test(one))
      .map((one) => readFileSync(join(ROOT, one), 'utf8'));
    const below = existing().filter((one) => one === path || one.startsWith(`${path}.`));
    const missing = below.filter((one) => !texts.some((written) => has(written, leafOf(one))));
    expect(missing, 'no test names these').toEqual([]);
  });

  /** From the schema if it exists, otherwise from the list. */
  function existing(): string[] {
    return existsSync(SCHEMA) ? schemaPaths(parsed()) : [...known];
  }
  function parsed(): Schema {
    const value: unknown = JSON.parse(readFileSync(SCHEMA, 'utf8'));
    return isSchema(value) ? value : {};
  }

  test('the list has every path of the schema, and no other', () => {
    if (!existsSync(SCHEMA)) return expect(known.size).toBeGreaterThan(150);
    const paths = schemaPaths(parsed());
    expect(paths.filter((path) => !covered(path))).toEqual([]);
    return expect([...known].filter((path) => !paths.includes(path))).toEqual([]);
  });
});
