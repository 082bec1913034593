import { wildcardMatches } from '../../match/wildcard.ts';
import type { JobConfig } from '../job-config.ts';
import type { CompileRequest } from '../request.ts';
import { inherits } from '../schema/keywords/inherit.ts';
import type { Node } from '../yaml/nodes.ts';
import { runVariables } from './run-variables.ts';
import type { Layer, Variable } from './scope.ts';
import type { CompileVariable } from '../request.ts';

/** Variables of a `variables:` map that has been validated. */
export function yamlLayer(node: Node | undefined): Layer {
  const layer = new Map<string, Variable>();
  if (node?.kind !== 'map') return layer;
  for (const [name, entry] of node.entries) {
    const map = entry.value.kind === 'map' ? entry.value.entries : undefined;
    const value = map ? map.get('value')?.value : entry.value;
    const expand = map?.get('expand')?.value;
    const raw = expand?.kind === 'scalar' && expand.value === false;
    const literal = value?.kind === 'scalar' ? value.text : '';
    layer.set(name, { name, value: { literal }, masked: false, file: false, raw, from: 'file' });
  }
  return layer;
}

/** What the file sets for all jobs: its own variables, and those of the matched rule of `workflow`. */
export interface FileLayers {
  file: Layer;
  workflow: Layer;
}
type WrittenJob = { config: JobConfig; share?: { values: Readonly<Record<string, string>> } };

/**
 * Variables that the file sets for a job, in ascending precedence: those that it inherits, its own, those of its matrix.
 * Variables of the job's matched rule come after them.
 */
export const writtenLayers = (
  { file, workflow }: FileLayers,
  { config, share }: WrittenJob,
): [file: Layer, workflow: Layer, own: Layer, matrix: Layer] => [
  inherited(file, config),
  inherited(workflow, config),
  yamlLayer(config.values.variables ? config.entries.get('variables')?.value : undefined),
  matrixLayer(share?.values),
];

/** The file's variables that the job inherits. */
function inherited(layer: Layer, { values }: JobConfig): Layer {
  const wanted = values.inherit?.variables;
  if (wanted === undefined || wanted === true) return layer;
  return new Map([...layer].filter(([name]) => inherits(wanted, name)));
}

/** Values of a matrix count as variables of the file. */
const matrixLayer = (values: Readonly<Record<string, string>> | undefined): Layer =>
  new Map([...pipelineLayer(values)].map(([name, value]) => [name, { ...value, from: 'file' }]));

/** Plain names and values, not to be expanded again. */
export function literalLayer(
  values: Readonly<Record<string, string | undefined>>,
  from: Variable['from'],
): Layer {
  const layer = new Map<string, Variable>();
  for (const [name, literal] of Object.entries(values))
    if (literal !== undefined)
      layer.set(name, { name, value: { literal }, masked: false, file: false, raw: true, from });
  return layer;
}

/** Variables given to the pipeline. They are expanded, as in GitLab. */
export function pipelineLayer(values: Readonly<Record<string, string>> | undefined): Layer {
  const layer = new Map<string, Variable>();
  for (const [name, literal] of Object.entries(values ?? {}))
    layer.set(name, { name, value: { literal }, masked: false, file: false, raw: false, from: 'pipeline' });
  return layer;
}

/** Variables of this run: set from outside, or forwarded by the job that started it. */
export function givenLayer(request: CompileRequest): Layer {
  const layer = new Map(pipelineLayer(runVariables(request)));
  for (const [name, variable] of forwardedLayer(request)) layer.set(name, variable);
  return layer;
}

/** Forwarded by the job that has started this pipeline. */
export function forwardedLayer({ forwarded }: Pick<CompileRequest, 'forwarded'>): Layer {
  const layer = new Map<string, Variable>();
  for (const { name, value, masked, file, late } of forwarded ?? [])
    layer.set(name, { name, value, masked, file, raw: late !== true, from: 'pipeline' });
  return layer;
}

export interface VariableAccess {
  fork: boolean;
  protectedRef: boolean;
}

/** The project variables that a job may get: forks get no secret, unprotected refs get no protected one. */
export function projectVariables(
  list: readonly CompileVariable[],
  access: VariableAccess,
): CompileVariable[] {
  return list.filter((variable) => {
    const secret = variable.masked || 'secret' in variable.value;
    return !(access.fork && secret) && (access.protectedRef || !variable.protected);
  });
}

/** Variables for this job's environment; the most specific pattern of a name wins. */
export function environmentLayer(list: readonly CompileVariable[], environment: string | undefined): Layer {
  const layer = new Map<string, Variable>();
  const bestBy = new Map<string, number>();
  for (const item of list) {
    const pattern = item.environment ?? '*';
    if (!environmentMatches(pattern, environment)) continue;
    const weight = pattern.replaceAll('*', '').length;
    if (weight < (bestBy.get(item.name) ?? 0)) continue;
    bestBy.set(item.name, weight);
    const { name, value, masked, file } = item;
    layer.set(name, { name, value, masked, file, raw: false, from: 'project' });
  }
  return layer;
}

/** Without an environment only `*` itself matches. */
export const environmentMatches = (pattern: string, environment: string | undefined): boolean =>
  environment === undefined ? pattern === '*' : wildcardMatches(pattern, environment);
