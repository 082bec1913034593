/**
 * The installation file and a worker's configuration, from text: the same parser and the same kind of
 * diagnostics as a pipeline file. Pure; the schemas and their types are in `src/installation.ts`.
 */
import type { z } from 'zod';
import { ERRORS } from '../errors.ts';
import { installationSchema, workerSchema, type Installation, type WorkerConfig } from '../installation.ts';
import { Problems, type Problem } from './problems.ts';
import { checked } from './schema/validation/validate.ts';
import { mapNode, type Node } from './yaml/nodes.ts';
import { readYaml } from './yaml/read.ts';
import { SourceText } from './source-text.ts';

export type FileResult<T> = { ok: true; value: T; warnings: Problem[] } | { ok: false; problems: Problem[] };

/** `davit.config.yml`. An empty file is the default installation. Never throws on what people write. */
export function parseInstallation(text: string, fileName: string): FileResult<Installation> {
  return parse({ text, fileName, schema: installationSchema, label: 'installation' }, checkInstallation);
}

/** The file of `davit worker --config`. */
export function parseWorkerConfig(text: string, fileName: string): FileResult<WorkerConfig> {
  return parse({ text, fileName, schema: workerSchema, label: 'worker' });
}

interface ParseRequest<S extends z.ZodType> {
  text: string;
  fileName: string;
  schema: S;
  label: string;
}

function parse<S extends z.ZodType>(
  { text, fileName, schema, label }: ParseRequest<S>,
  check?: (value: z.output<S>, root: Node, problems: Problems) => void,
): FileResult<z.output<S>> {
  const problems = new Problems();
  const root = readYaml(fileName, text, problems)?.[0];
  const empty = root?.kind === 'scalar' && root.value === null;
  const origin = { source: new SourceText(fileName, text), offset: 0 };
  const node = root && !empty ? root : mapNode(origin, new Map());
  const value = problems.hasErrors ? undefined : checked(label, schema).read(node, problems);
  if (value !== undefined) check?.(value, node, problems);
  if (value === undefined || problems.hasErrors) return { ok: false, problems: problems.all().map(renamed) };
  return { ok: true, value, warnings: problems.warnings().map(renamed) };
}

/** The codes of the language are about pipelines; this file has one code. */
function renamed(problem: Problem): Problem {
  const code = 'installation/invalid';
  const own = problem.hint !== undefined && problem.hint !== ERRORS[problem.code].remedy;
  return { ...problem, code, hint: own ? problem.hint : ERRORS[code].remedy };
}

/** Names that must be unique. */
function checkInstallation(value: Installation, root: Node, problems: Problems): void {
  const lists = {
    projects: value.projects.map((project) => project.name),
    registries: value.registries.map((registry) => registry.host),
    users: value.users.map((user) => user.name),
    targets: value.targets.map((target) => target.name),
  };
  for (const [list, names] of Object.entries(lists))
    for (const [index, name] of names.entries())
      if (names.indexOf(name) !== index)
        problems.add('language/conflict', `${list} names "${name}" twice`, { at: itemAt(root, list, index) });
  warnOfFormerKeys(root, problems);
  checkForgeRefs(value, root, problems);
  const defaults = value.registries.filter((registry) => registry.default).length;
  if (defaults > 1)
    problems.add('language/conflict', 'only one registry can be the default', {
      at: itemAt(root, 'registries', 0),
    });
}

/** The forge can be asked only where the project says which one, and with what. */
function checkForgeRefs({ projects }: Installation, root: Node, problems: Problems): void {
  for (const [index, project] of projects.entries()) {
    if (project.protected_from !== 'forge') continue;
    const { forge, forge_url, forge_token, repository } = project;
    const needed = {
      forge: forge !== 'none',
      forge_url: forge_url !== undefined || forge === 'github',
      forge_token: forge_token !== undefined,
      repository: repository !== undefined,
    };
    const missing = Object.entries(needed).flatMap(([key, has]) => (has ? [] : [key]));
    if (missing.length > 0)
      problems.add(
        'language/conflict',
        `protected_from: forge of "${project.name}" needs ${missing.join(', ')}`,
        {
          at: itemAt(root, 'projects', index),
        },
      );
  }
}

/** Keys that are still read under their former name. */
function warnOfFormerKeys(root: Node, problems: Problems): void {
  const projects = root.kind === 'map' ? root.entries.get('projects')?.value : undefined;
  for (const project of projects?.kind === 'list' ? projects.items : []) {
    const found = project.kind === 'map' ? project.entries.get('protected_refs') : undefined;
    if (!found) continue;
    problems.add('language/no-effect', 'protected_refs names branches only; it protects no tag', {
      at: found.value,
      severity: 'warning',
      hint: 'Rename it to protected_branches, and name protected tags under protected_tags.',
    });
  }
}

function itemAt(root: Node, list: string, index: number): Node {
  const found = root.kind === 'map' ? root.entries.get(list)?.value : undefined;
  return (found?.kind === 'list' ? found.items[index] : found) ?? root;
}
