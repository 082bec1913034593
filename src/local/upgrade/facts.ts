/**
 * What a version of davit needs and knows, for the check of another version before an upgrade: `docs/upgrade.json`, which
 * `npm run docs` writes and the package has. A later version may say more; what it does not say is not checked.
 */
import { z } from 'zod';

const names = z.array(z.string()).default([]);

export const factsSchema = z.object({
  version: z.string(),
  /** The Temporal CLI that `davit up` runs: its database is not migrated. */
  temporal: z.string().optional(),
  /** Oldest engines, by major version. */
  engines: z.object({ docker: z.number(), podman: z.number() }).partial().default({}),
  /** The oldest version whose processes may run beside those of this one. */
  besides: z.string().optional(),
  /** Ids of workflow code that it can replay. */
  workflows: names,
  /** Fields of the installation file: `projects[].forge`; `*` for names that an operator chooses. */
  settings: names,
  /** Names of environment variables. */
  environment: names,
});
export type VersionFacts = z.infer<typeof factsSchema>;

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema | boolean;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

/** Paths of all fields of a JSON Schema. Pure. */
export function fieldsOf(schema: Schema): string[] {
  const found = new Set<string>();
  walk(schema, { prefix: '', root: schema, depth: 0, found });
  return [...found].toSorted();
}

const MAX_DEPTH = 12;

function walk(schema: Schema, at: { prefix: string; root: Schema; depth: number; found: Set<string> }): void {
  if (at.depth > MAX_DEPTH) return;
  const into = (child: Schema, prefix: string): void => {
    walk(child, { ...at, prefix, depth: at.depth + 1 });
  };
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? '')?.[1];
  const target = name === undefined ? undefined : at.root.$defs?.[name];
  if (target) into(target, at.prefix);
  for (const part of [schema.anyOf, schema.oneOf, schema.allOf].flatMap((list) => list ?? []))
    into(part, at.prefix);
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const path = at.prefix === '' ? key : `${at.prefix}.${key}`;
    at.found.add(path);
    into(child, path);
  }
  if (typeof schema.additionalProperties === 'object') {
    const path = at.prefix === '' ? '*' : `${at.prefix}.*`;
    at.found.add(path);
    into(schema.additionalProperties, path);
  }
  if (typeof schema.items === 'object') into(schema.items, `${at.prefix}[]`);
}

/** Paths of a document that the fields do not have. Pure. */
export function unknownFields(document: unknown, fields: readonly string[]): string[] {
  const known = new Set(fields);
  const found = new Set<string>();
  const look = (value: unknown, prefix: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) look(item, `${prefix}[]`);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      const any = prefix === '' ? '*' : `${prefix}.*`;
      if (known.has(path)) look(child, path);
      else if (known.has(any)) look(child, any);
      else found.add(path);
    }
  };
  look(document, '');
  return [...found];
}
