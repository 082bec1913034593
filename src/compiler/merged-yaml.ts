/** The file after include, extends, !reference and default: self-contained jobs. Pure. */
import { Document, Scalar, visit } from 'yaml';
import { readPipeline } from './compile.ts';
import type { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';
import { plainScalar } from './yaml/scalars.ts';
import type { Entry, Node } from './yaml/nodes.ts';

const GLOBALS = ['stages', 'workflow', 'variables'];

/** YAML that GitLab accepts; undefined when the file cannot be assembled, with the reason in the problems. */
export function mergedYaml(request: CompileRequest, problems: Problems): string | undefined {
  const read = readPipeline(request, problems);
  if (!read || problems.hasErrors) return undefined;
  const document = new Document(undefined, { aliasDuplicateObjects: false });
  const whole = new Map<string, unknown>();
  for (const name of GLOBALS) {
    const entry = read.file.root.entries.get(name);
    if (entry) whole.set(name, valueOf(entry.value));
  }
  for (const job of read.jobs.values()) whole.set(job.name, mapOf(job.entries));
  document.contents = document.createNode(whole);
  // Quotes text that GitLab's parser would not read as text.
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && plainScalar(scalar.value) !== scalar.value)
        scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return document.toString({ lineWidth: 0 });
}

const mapOf = (entries: ReadonlyMap<string, Entry>): Map<string, unknown> =>
  new Map([...entries].map(([key, entry]) => [key, valueOf(entry.value)]));

/** Numbers keep their fraction: a shell sees 1.0 as a text of three characters. */
function valueOf(node: Node): unknown {
  if (node.kind === 'map') return mapOf(node.entries);
  if (node.kind === 'list') return node.items.map(valueOf);
  if (typeof node.value !== 'number' || !node.text.endsWith('.0')) return node.value;
  const scalar = new Scalar(node.value);
  scalar.minFractionDigits = 1;
  return scalar;
}
