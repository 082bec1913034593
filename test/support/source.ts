/** Parses the project's own TypeScript, for the tests of its structure. */
import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { parseAst } from 'vite';

export const ROOT = join(import.meta.dirname, '..', '..');

export interface SourceImport {
  /**
   * Path in the project (`src/plan/model/ids.ts`), package (`zod`, `@temporalio/client`), or builtin
   * (`node:fs`).
   */
  target: string;
  /** Erased at run time: `import type`, `export type`, a type position. */
  typeOnly: boolean;
  line: number;
}
export interface SourceFile {
  /** From the project's root, with `/`. */
  path: string;
  text: string;
  lines: number;
  nodes: SyntaxNode[];
}
export interface SyntaxNode {
  type: string;
  start: number;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** Every node of a tree, parents before children. */
function flatten(root: unknown): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (Array.isArray(value)) open.push(...(value as unknown[]).toReversed());
    else if (isNode(value)) {
      found.push(value);
      open.push(...Object.values(value).toReversed());
    }
  }
  return found;
}

export function readSources(...patterns: string[]): SourceFile[] {
  return globSync(patterns, { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return {
        path,
        text,
        lines: text.trimEnd().split('\n').length,
        nodes: flatten(parseAst(text, { lang: 'ts' })),
      };
    });
}

export const lineOf = (file: SourceFile, offset: number): number =>
  file.text.slice(0, offset).split('\n').length;

const literal = (value: unknown): string | undefined =>
  isNode(value) && value.type === 'Literal' && typeof value.value === 'string' ? value.value : undefined;

const allTypes = (node: SyntaxNode): boolean => {
  const parts = Array.isArray(node.specifiers) ? (node.specifiers as unknown[]).filter(isNode) : [];
  return parts.length > 0 && parts.every((part) => part.importKind === 'type' || part.exportKind === 'type');
};

function named(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  if (specifier.startsWith('node:')) return specifier;
  if (builtinModules.includes(specifier)) return `node:${specifier}`;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Static and dynamic imports, re-exports, and `import('x').T` in type positions. */
export function importsOf(file: SourceFile): SourceImport[] {
  const found: SourceImport[] = [];
  for (const node of file.nodes) {
    const specifier = literal(node.source);
    if (specifier === undefined) continue;
    const typeOnly =
      node.type === 'TSImportType' ||
      node.importKind === 'type' ||
      node.exportKind === 'type' ||
      allTypes(node);
    found.push({ target: named(file.path, specifier), typeOnly, line: lineOf(file, node.start) });
  }
  return found;
}
