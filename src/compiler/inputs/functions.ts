/** The functions of `$[[ inputs.x | function ]]`. Pure. Source: doc/ci/inputs of GitLab. */
import { didYouMean } from '../suggest.ts';
import { kindText, listNode, type Node } from '../yaml/nodes.ts';
import { scalarAt } from './values.ts';

/** A variable as `include` may see it; `hidden`: masked or secret. Undefined: not set. */
export type VariableLookup = (name: string) => { value: string; hidden: boolean } | undefined;
export type Applied = Node | { wrong: string };

const NAMES = ['expand_vars', 'truncate', 'posix_escape', 'split'];
const TRUNCATE = /^truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)?$/;
const SPLIT = /^split\('([^']*)'\)$/;
const REFERENCE = /\$\$|%%|\$([a-zA-Z_]\w*)|\$\{([a-zA-Z_]\w*)\}|%([a-zA-Z_]\w*)%/g;

/** Applies one function, written as in the file. */
export function applyFunction(written: string, value: Node, lookup: VariableLookup): Applied {
  const run = functionOf(written, lookup);
  if (!run) {
    const name = /^\w*/.exec(written)?.[0] ?? '';
    const hint = NAMES.includes(name) ? `write ${USAGE[name] ?? name}` : didYouMean(name, NAMES);
    return { wrong: `uses an unknown function "${written}"${hint ? `: ${hint}` : ''}` };
  }
  if (value.kind !== 'scalar' || typeof value.value !== 'string')
    return { wrong: `applies ${written} to ${kindText(value)}; it takes a string` };
  return run(value.text, value);
}

const USAGE: Readonly<Record<string, string>> = {
  truncate: 'truncate(offset,length)',
  split: "split('separator')",
};

type Run = (text: string, at: Node) => Applied;

function functionOf(written: string, lookup: VariableLookup): Run | undefined {
  if (written === 'expand_vars') return (text, at) => expandVars(text, at, lookup);
  if (written === 'posix_escape') return (text, at) => scalarAt(at, posixEscape(text));
  const truncate = TRUNCATE.exec(written);
  if (truncate) return (text, at) => scalarAt(at, cut(text, Number(truncate[1]), Number(truncate[2])));
  const split = SPLIT.exec(written);
  if (split) return (text, at) => splitAt(text, at, split[1] ?? '');
  return undefined;
}

/** Characters, not UTF-16 units. */
function cut(text: string, offset: number, length: number): string {
  return Array.from(text)
    .slice(offset, offset + length)
    .join('');
}

/** As Ruby's Shellwords: a backslash before every special character of a shell, a line break in quotes. */
export function posixEscape(text: string): string {
  if (text === '') return "''";
  return text.replace(/[^\w\-.,:+/@\n]/gu, String.raw`\$&`).replaceAll('\n', "'\n'");
}

function splitAt(text: string, at: Node, separator: string): Applied {
  if (separator === '') return { wrong: 'uses split without a separator' };
  const items = text
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return listNode(
    at,
    items.map((item) => scalarAt(at, item)),
  );
}

/** One level; unknown names stay unchanged. */
function expandVars(text: string, at: Node, lookup: VariableLookup): Applied {
  let hidden: string | undefined;
  const expanded = text.replace(REFERENCE, (whole, ...found: unknown[]) => {
    const name = found.slice(0, 3).find((part) => typeof part === 'string');
    const variable = typeof name === 'string' ? lookup(name) : undefined;
    if (variable?.hidden) hidden ??= String(name);
    return variable && !variable.hidden ? variable.value : whole;
  });
  if (hidden === undefined) return scalarAt(at, expanded);
  return { wrong: `expands the variable ${hidden}, which is masked or secret` };
}
