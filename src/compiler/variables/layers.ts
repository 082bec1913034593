import { wildcardMatches } from '../../match/wildcard.ts';
import type { CompileRequest } from '../request.ts';
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
