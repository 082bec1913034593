/**
 * Variable references: `$NAME`, `${NAME}`, `%NAME%`; `$$` is a dollar. Pure text in, parts out: a part is
 * text, or a reference to a value that is known only on the worker. An unknown `%NAME%` stays unchanged
 * (`date +%Y%m%d`).
 */
const REFERENCE =
  /\$\$|\$([a-zA-Z_][a-zA-Z0-9_]*)|\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}|%([a-zA-Z_][a-zA-Z0-9_]*)%/g;

export interface Late {
  readonly late: string;
}
export type Part = string | Late;
/** Parts of a variable's value; undefined when it is not set. `written` is the whole reference. */
export type Lookup = (name: string, written: string) => readonly Part[] | undefined;

const NOTHING: readonly Part[] = [];

/** Replaces every reference. Unknown names expand to nothing. */
export function expandParts(text: string, lookup: Lookup): readonly Part[] {
  if (!text.includes('$') && !text.includes('%')) return [text];
  const parts: Part[] = [];
  let from = 0;
  for (const found of text.matchAll(REFERENCE)) {
    const percent = found[3] !== undefined;
    const name = found[1] ?? found[2] ?? found[3];
    const value = name === undefined ? ['$'] : lookup(name, found[0]);
    if (percent && value === undefined) continue;
    parts.push(text.slice(from, found.index), ...(value ?? NOTHING));
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

/**
 * As GitLab replaces references in paths and refs of conditions: a name without a value stays as it is written, and `$$` is
 * nothing special.
 */
export const expandExisting = (text: string, lookup: (name: string) => string | undefined): string =>
  text.replace(
    /\$([a-zA-Z_][a-zA-Z0-9_]*)|\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}|%([a-zA-Z_][a-zA-Z0-9_]*)%/g,
    (written, ...names: (string | undefined)[]) => lookup(names[0] ?? names[1] ?? names[2] ?? '') ?? written,
  );

export const isLate = (parts: readonly Part[]): boolean => parts.some((part) => typeof part !== 'string');

/** Plain text; or, if a part is late, text in which `${NAME}` is a reference and `$$` a dollar. */
export function renderParts(parts: readonly Part[]): string {
  if (!isLate(parts)) return parts.join('');
  return parts
    .map((part) => (typeof part === 'string' ? part.replaceAll('$', '$$$$') : `\${${part.late}}`))
    .join('');
}

/** Names that a text refers to, in order. */
export function referencesOf(text: string): string[] {
  if (!text.includes('$') && !text.includes('%')) return [];
  return [...text.matchAll(REFERENCE)].flatMap((found) => found[1] ?? found[2] ?? found[3] ?? []);
}

/**
 * For the worker: expands the references that compile left in a text marked `late`, or in an image or service
 * name with a `$`. Names without a value expand to nothing.
 */
export function expandLate(text: string, values: Pick<ReadonlyMap<string, string>, 'get'>): string {
  return text.replace(/\$\$|\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}/g, (whole, name: string | undefined) =>
    whole === '$$' ? '$' : (values.get(name ?? '') ?? ''),
  );
}
