import { describe, expect, test } from 'vitest';
import { importsOf, lineOf, readSources, type SourceFile, type SyntaxNode } from '../support/source.ts';
import { ACTIVITY_ROOMS, activityRoomOf, allowedBy, areaOf, AREAS } from './import-table.ts';

const product = readSources('src/**/*.ts', 'workflows/**/*.ts', 'activities/**/*.ts', 'workers/**/*.ts');
const tests = readSources('test/**/*.ts', 'bench/**/*.ts');
const at = (file: SourceFile, node: SyntaxNode): string => `${file.path}:${lineOf(file, node.start)}`;

/** Places of all nodes that match a condition. */
const places = (files: SourceFile[], bad: (node: SyntaxNode, file: SourceFile) => boolean): string[] =>
  files.flatMap((file) => file.nodes.filter((node) => bad(node, file)).map((node) => at(file, node)));
const slice = (file: SourceFile, node: SyntaxNode): string => file.text.slice(node.start, Number(node.end));

describe('the import table', () => {
  test('every file belongs to an area, and every area has a file', () => {
    expect(product.filter((file) => !areaOf(file.path)).map((file) => file.path)).toEqual([]);
    expect(
      AREAS.filter((area) => !product.some((file) => areaOf(file.path) === area)).map((area) => area.of),
    ).toEqual([]);
  });

  test('no area imports what its row does not allow', () => {
    const broken = product.flatMap((file) => {
      const area = areaOf(file.path);
      return importsOf(file)
        .filter((one) => area && !allowedBy(area, one.target, one.typeOnly))
        .map((one) => `${file.path}:${one.line} must not import ${one.typeOnly ? 'type ' : ''}${one.target}`);
    });
    expect(broken).toEqual([]);
  });

  test('inside activities/ nothing is imported upward or across families', () => {
    const files = product.filter(({ path }) => path.startsWith('activities/'));
    expect(files.filter(({ path }) => activityRoomOf(path) === undefined).map(({ path }) => path)).toEqual(
      [],
    );
    const broken = files.flatMap((file) => {
      const own = activityRoomOf(file.path);
      const allowed = own === undefined ? [] : [own, ...(ACTIVITY_ROOMS.get(own) ?? [])];
      return importsOf(file)
        .filter(({ target }) => target.startsWith('activities/'))
        .filter(({ target }) => !allowed.includes(activityRoomOf(target) ?? ''))
        .map(({ target, line }) => `${file.path}:${line} must not import ${target}`);
    });
    expect(broken).toEqual([]);
  });

  test('no folder of activities/ has more than 20 files directly in it', () => {
    const counts = Map.groupBy(
      product.filter(({ path }) => path.startsWith('activities/')),
      ({ path }) => path.slice(0, path.lastIndexOf('/')),
    );
    expect([...counts].filter(([, files]) => files.length > 20).map(([folder]) => folder)).toEqual([]);
  });

  test('the product does not import its tests, and relative imports name their file', () => {
    const broken = product.flatMap((file) =>
      importsOf(file)
        .filter(
          (one) =>
            /^(test|bench)\//.test(one.target) ||
            (/^(src|activities|workflows|workers)\//.test(one.target) && !one.target.endsWith('.ts')),
        )
        .map((one) => `${file.path}:${one.line} imports ${one.target}`),
    );
    expect(broken).toEqual([]);
  });

  /** Folders without an import cycle among their files, types included. */
  const LAYERED = /^(src\/plan|workflows)\//;
  test('no file of a layered folder imports itself through others', () => {
    const imports = new Map(
      product
        .filter((file) => LAYERED.test(file.path))
        .map((file) => [file.path, importsOf(file).map((one) => one.target)]),
    );
    const reachable = (from: string): Set<string> => {
      const seen = new Set<string>();
      const open = [...(imports.get(from) ?? [])];
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        if (seen.has(next)) continue;
        seen.add(next);
        open.push(...(imports.get(next) ?? []));
      }
      return seen;
    };
    expect([...imports.keys()].filter((path) => reachable(path).has(path))).toEqual([]);
  });

  test('the table can refuse', () => {
    const plan = areaOf('src/plan/policy/graph.ts');
    const workflow = areaOf('workflows/job/job.ts');
    if (!plan || !workflow) throw new Error('areas are missing');
    expect(allowedBy(plan, 'node:fs', false)).toBeUndefined();
    expect(allowedBy(workflow, 'zod', true)).toBeUndefined();
    expect(allowedBy(workflow, 'activities/contract.ts', false)).toBeUndefined();
    expect(allowedBy(workflow, 'activities/contract.ts', true)).toBe('types:activities/contract.ts');
    expect(allowedBy(workflow, 'workflows/pipeline/scheduler.ts', true)).toBeUndefined();
  });
});

describe('working rules', () => {
  test('only src/config.ts reads the environment', () => {
    const readers = product.filter((file) => file.path !== 'src/config.ts');
    expect(
      places(
        readers,
        (node, file) =>
          node.type === 'MemberExpression' && /^process\s*\??\.\s*env\b/.test(slice(file, node)),
      ),
    ).toEqual([]);
  });

  /** Lists of facts, not logic: they are easier to read in one file. */
  const LISTS = ['src/errors.ts', 'src/adapters/ports.ts'];
  test('no file is longer than 400 lines', () => {
    const long = product.filter((file) => file.lines > 400 && !LISTS.includes(file.path));
    expect(long.map((file) => `${file.path}: ${file.lines}`)).toEqual([]);
  });

  test('no cast silences the compiler', () => {
    const cast = (node: SyntaxNode, file: SourceFile): boolean =>
      node.type === 'TSNonNullExpression' ||
      (node.type === 'TSAsExpression' && /\bas (any|never)\b|\bas unknown as\b/.test(slice(file, node)));
    expect(places(product, cast)).toEqual([]);
    expect(
      product.filter((file) => /@ts-(ignore|nocheck|expect-error)/.test(file.text)).map((file) => file.path),
    ).toEqual([]);
  });

  test('a linter rule is switched off by name, for one line, with a reason', () => {
    const unsaid = (line: string): boolean =>
      /(oxlint|eslint|biome)-(disable|ignore)/.test(line) &&
      !/oxlint-disable-next-line [\w/-]+ -- \w+/.test(line);
    expect(product.filter((file) => file.text.split('\n').some(unsaid)).map((file) => file.path)).toEqual([]);
  });

  test('there is no TODO and no stub', () => {
    expect(
      product.filter((file) => /\b(TODO|FIXME|XXX|HACK)\b/.test(file.text)).map((file) => file.path),
    ).toEqual([]);
  });

  test('no test is skipped or runs alone, except for missing tools', () => {
    const calls = (node: SyntaxNode, file: SourceFile): boolean =>
      node.type === 'MemberExpression' &&
      /^(test|it|describe)\.(skip|only|todo|fails|skipIf|runIf)\b/.test(slice(file, node));
    const others = tests.filter((file) => file.path !== 'test/parts/with-parts.ts');
    expect(places(others, calls)).toEqual([]);
  });
});
