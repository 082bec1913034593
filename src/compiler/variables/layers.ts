import type { SpecVariable } from '../../plan/model/spec.ts';
import type { CompileRequest } from '../request.ts';
import type { Node } from '../yaml/nodes.ts';
import { runVariables } from './run-variables.ts';
import type { Layer, Variable } from './scope.ts';

/** A variable of the installation or of a project, with the conditions under which a job gets it. */
export interface CompileVariable extends SpecVariable {
  /** Only on protected refs. */
  protected?: boolean;
  /** Glob of environment names; `*` or absent: every job. */
  environment?: string;
}

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

/** Variables given from outside for this run. They are expanded, as GitLab does. */
export function pipelineLayer(values: Readonly<Record<string, string>> | undefined): Layer {
  const layer = new Map<string, Variable>();
  for (const [name, literal] of Object.entries(values ?? {}))
    layer.set(name, { name, value: { literal }, masked: false, file: false, raw: false, from: 'pipeline' });
  return layer;
}

/** Of this run: given from outside, or forwarded by the job that has started it. */
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

export interface Gets {
  fork: boolean;
  protectedRef: boolean;
}

/** What a job may have of a project's variables: forks get nothing that is secret, other refs nothing protected. */
export function projectVariables(list: readonly CompileVariable[], gets: Gets): CompileVariable[] {
  return list.filter((variable) => {
    const secret = variable.masked || 'secret' in variable.value;
    return !(gets.fork && secret) && (gets.protectedRef || !variable.protected);
  });
}

/** Those that are bound to this job's environment; the most specific pattern of a name wins. */
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

/** `*` stands for any text; without an environment only `*` itself matches. */
export function environmentMatches(pattern: string, environment: string | undefined): boolean {
  if (pattern === '*') return true;
  if (environment === undefined) return false;
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return environment === first;
  if (!environment.startsWith(first)) return false;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = environment.indexOf(part, from);
    if (found === -1) return false;
    from = found + part.length;
  }
  const last = parts.at(-1) ?? '';
  return environment.length - last.length >= from && environment.endsWith(last);
}
