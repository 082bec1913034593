import type { z } from 'zod';
import type { Problems } from '../../problems.ts';
import { didYouMean } from '../../suggest.ts';
import { regexHint } from '../../../match/regex-hint.ts';
import { exampleFor } from './examples.ts';
import { keysAt } from './schema-keys.ts';
import { isLost, kindText, nodeAt, plain, type Node, type Path, type Plain } from '../../yaml/nodes.ts';
import { withoutEmpty } from './empty.ts';

/**
 * Validates a node with a schema and converts the issues to problems with places. A node that several jobs
 * share (anchors, extends, default) is validated once.
 */
type Issue = z.core.$ZodIssue;
type Code = 'language/type' | 'language/missing' | 'language/refused' | 'language/path';
const OWN_CODES = ['language/refused', 'language/path', 'language/missing'] as const;

export interface Checked<T> {
  read(node: Node, problems: Problems): T | undefined;
}

/** For GitLab's own keywords: empty values in them count as absent. */
export const lenient = <S extends z.ZodType>(label: string, schema: S): Checked<z.output<S>> =>
  checked(label, schema, (node) => withoutEmpty(plain(node)));

/** `label` is the name of the value in messages: `image`, `default.retry`. */
export function checked<S extends z.ZodType>(
  label: string,
  schema: S,
  valueOf: (node: Node) => Plain = plain,
): Checked<z.output<S>> {
  // Cached per run, so that nothing outlives it. A scalar is faster to check than to look up.
  const runs = new WeakMap<Problems, Map<Node, z.output<S> | undefined>>();
  return {
    read(node, problems) {
      const known = runs.get(problems) ?? new Map<Node, z.output<S> | undefined>();
      if (known.has(node)) return known.get(node);
      const parsed = schema.safeParse(valueOf(node));
      if (!parsed.success)
        for (const issue of parsed.error.issues) report({ issue, node, label, problems, schema, base: [] });
      const value = parsed.success ? parsed.data : undefined;
      if (node.kind === 'scalar') return value;
      runs.set(problems, known.set(node, value));
      return value;
    },
  };
}

interface Report {
  issue: Issue;
  node: Node;
  label: string;
  problems: Problems;
  schema: z.ZodType;
  /** Path of `node` below the schema. */
  base: Path;
}

function report(from: Report): void {
  const { issue, node, label, problems } = from;
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const here = nodeAt(node, path);
  if (isLost(here)) return;
  if (issue.code === 'invalid_union') {
    reportUnion({ ...from, issue, node: here, label: pathText(label, path), base: [...from.base, ...path] });
    return;
  }
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const at = here.kind === 'map' ? here.entries.get(key)?.at : undefined;
      problems.add('language/unknown-keyword', `${pathText(label, path)} has an unknown key "${key}"`, {
        at: at ?? here,
        hint: () => keyHint(key, keysAt(from.schema, [...from.base, ...path]), pathText(label, path)),
      });
    }
    return;
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    for (const inner of issue.issues)
      report({
        ...from,
        issue: inner,
        node: here,
        label: pathText(label, path),
        base: [...from.base, ...path],
      });
    return;
  }
  const { message, hint, code } = words(issue, here, pathText(label, path));
  const example =
    code === 'language/type' || code === 'language/missing' ? exampleFor(pathText(label, path)) : undefined;
  problems.add(code, message, { at: here, hint: hint ?? regexHint(message) ?? example });
}

/** More are no help. */
const MAX_KEYS = 12;

function keyHint(key: string, known: readonly string[], label: string): string | undefined {
  const similar = didYouMean(key, known);
  if (similar !== undefined) return similar;
  if (known.length === 0 || known.length > MAX_KEYS) return exampleFor(label);
  return `It has: ${[...new Set(known)].join(', ')}`;
}

/** Reports the issues of the allowed shape that was probably meant: the one whose outermost type fits. */
function reportUnion(from: Report & { issue: Issue & { code: 'invalid_union' } }): void {
  const { issue, node, label, problems } = from;
  const meant = issue.errors.filter((issues) =>
    issues.every((inner) => inner.path.length > 0 || fits(inner)),
  );
  if (meant.length > 0 && meant[0]) {
    const nearest = meant.reduce((best, issues) => (depth(issues) > depth(best) ? issues : best), meant[0]);
    for (const inner of nearest) report({ ...from, issue: inner });
    return;
  }
  const expected = new Set(issue.errors.flatMap((issues) => issues.map(expectedText)));
  expected.delete('');
  const values = issue.errors.flatMap((issues) =>
    issues.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : [])),
  );
  const given = values.length > 0 && node.kind === 'scalar' && node.text ? `"${node.text}"` : kindText(node);
  problems.add('language/type', `${label} must be ${listText([...expected])}, not ${given}`, {
    at: node,
    hint:
      (node.kind === 'scalar' ? didYouMean(node.text, values) : quoteHint(label, node)) ?? exampleFor(label),
  });
}

/** A common mistake: a colon and a space in a line of a script make it a map. */
const quoteHint = (label: string, node: Node): string | undefined =>
  node.kind === 'map' && /script/.test(label)
    ? 'In YAML a colon followed by a space makes a map: put the whole line in quotes, or below "- |".'
    : undefined;

const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map((issue) => issue.path.length));
const fits = (issue: Issue): boolean =>
  issue.code !== 'invalid_type' && issue.code !== 'invalid_union' && issue.code !== 'invalid_value';

function expectedText(issue: Issue): string {
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(', ');
  if (issue.code === 'invalid_union')
    return listText([...new Set(issue.errors.flatMap((inner) => inner.map(expectedText)))]);
  if (issue.code !== 'invalid_type') return '';
  return typeText(issue.expected);
}

const TYPE_TEXT: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'empty',
};
const typeText = (type: string): string => TYPE_TEXT[type] ?? type;

const listText = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? 'something else') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

function words(issue: Issue, node: Node, label: string): { message: string; hint?: string; code: Code } {
  if (issue.code === 'invalid_type') {
    const missing = issue.input === undefined && issue.message.includes('undefined');
    if (missing) return { code: 'language/missing', message: `${label} is missing` };
    return {
      code: 'language/type',
      message: `${label} must be ${typeText(issue.expected)}, not ${kindText(node)}`,
      ...(issue.expected === 'boolean' &&
        node.kind === 'scalar' &&
        /^(?:true|false)$/.test(node.text) && { hint: 'Write it without quotes.' }),
    };
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const given = node.kind === 'scalar' ? `"${node.text}"` : kindText(node);
    return {
      code: 'language/type',
      message: `${label} must be ${listText(values.map((value) => JSON.stringify(value)))}, not ${given}`,
      hint: node.kind === 'scalar' ? didYouMean(node.text, values) : undefined,
    };
  }
  return { code: customCode(issue), message: `${label} ${issue.message}` };
}

/** A custom check of a schema can set the code. */
function customCode(issue: Issue): Code {
  const code: unknown = issue.code === 'custom' ? issue.params?.code : undefined;
  return OWN_CODES.find((one) => one === code) ?? 'language/type';
}

export function pathText(label: string, path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`),
    label,
  );
}
