import { z } from 'zod';
import { parseDuration } from '../../../plan/model/duration.ts';

/**
 * Schemas that several keywords share. Messages continue after the keyword's name: "image must not be empty".
 */
export const text = z.string();
export const name = z.string().min(1, 'must not be empty');

/** A duration in GitLab's notation, as ms. */
export const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDuration(String(value));
  if (ms === undefined) {
    context.addIssue({
      code: 'custom',
      message: `must be a duration like 30s, 5 min or 7 days, not "${value}"`,
    });
    return z.NEVER;
  }
  return ms;
});

/**
 * As in GitLab: text, and greater than zero. A number is refused, which includes `1:30:00` without quotes.
 */
export const writtenDuration = z.string().transform((value, context) => {
  const ms = parseDuration(value);
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({
    code: 'custom',
    message: `must be a duration like 30s, 5 min or 7 days, not "${value}"`,
  });
  return z.NEVER;
});

/** One string or a list of strings; the result is a list. */
export const stringOrList = z.union([z.string().transform((value) => [value]), z.array(z.string())]);
export const nameOrList = z.union([name.transform((value) => [value]), z.array(name)]);

type Lines = string | Lines[];
const nested: z.ZodType<Lines> = z.lazy(() => z.union([z.string(), z.array(nested)]));

/** Strings of a list that may hold lists, up to ten levels deep. */
function flattened(value: Lines[], context: z.RefinementCtx): string[] {
  const lines: string[] = [];
  const walk = (item: Lines, depth: number): void => {
    if (typeof item === 'string') lines.push(item);
    else if (depth >= 10) context.addIssue({ code: 'custom', message: 'is nested deeper than 10 levels' });
    else for (const inner of item) walk(inner, depth + 1);
  };
  walk(value, 0);
  return lines;
}

/** A list of strings nested up to ten levels deep, as in GitLab; the result is a flat list. */
export const nestedList = z.array(nested).transform(flattened);
/** A script: a string, or such a list. */
export const script = z.union([z.string().transform((line) => [line]), nestedList]);

/** `name: value` pairs whose values may be written without quotes. */
export const scalarMap = z.record(name, z.union([z.string(), z.number(), z.boolean()]).transform(String));

/**
 * Why a path is not inside the project; undefined when it is. Variables in it are checked after expansion.
 */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'must not be empty';
  if (path.includes('\0')) return 'must not contain a NUL';
  let depth = 0;
  for (const part of path.split(/[/\\]/)) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return `must stay inside the project, but "${path}" leads out of it`;
  }
  return undefined;
}
export const projectPath = z.string().superRefine((value, context) => {
  const trouble = pathProblem(value);
  if (trouble) context.addIssue({ code: 'custom', message: trouble, params: { code: 'language/path' } });
});

/** A part of a keyword that davit does not support: an error with the reason. */
export const refused = (why: string) =>
  z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value !== undefined)
        context.addIssue({
          code: 'custom',
          message: `is refused: ${why}`,
          params: { code: 'language/refused' },
        });
    });

type Nested<T> = T | Nested<T>[];
const MAX_NESTING = 10;

/**
 * A list whose items may be lists, up to ten levels deep: such lists come from anchors and references. The result is flat.
 * For every entry that is a `ComposableArray` in GitLab. `shapes`: of one item. `limits` apply to the list as it is written.
 */
export function composable<S extends z.ZodType>(
  shapes: readonly S[],
  limits: (list: z.ZodArray<z.ZodType<Nested<z.output<S>>>>) => z.ZodType<Nested<z.output<S>>[]> = (list) =>
    list,
) {
  type Item = z.output<S>;
  const nested: z.ZodType<Nested<Item>> = z.lazy(() => z.union([...shapes, z.array(nested)]));
  return limits(z.array(nested)).transform((list, context) => {
    const flat: Item[] = [];
    const walk = (items: readonly Nested<Item>[], depth: number): void => {
      if (depth > MAX_NESTING)
        context.addIssue({ code: 'custom', message: `is nested deeper than ${MAX_NESTING} levels` });
      else
        for (const item of items)
          if (isList(item)) walk(item, depth + 1);
          else flat.push(item);
    };
    walk(list, 1);
    return flat;
  });
}
function isList<T>(item: Nested<T>): item is Nested<T>[] {
  return Array.isArray(item);
}
