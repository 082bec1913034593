/**
 * Variables in conditions: predefined ones that are known now, those of the file and of workflow:rules, of
 * the installation, of the project, and those given to the pipeline. Never those of the job, and nothing that
 * is known only later, such as CI_PIPELINE_ID: such a name is not set.
 */
import type { CompileRequest } from '../request.ts';
import {
  environmentLayer,
  givenLayer,
  literalLayer,
  projectVariables,
  yamlLayer,
} from '../variables/layers.ts';
import { pipelineValues } from '../variables/predefined.ts';
import { Scope, type Expanded, type Layer } from '../variables/scope.ts';
import type { Node } from '../yaml/nodes.ts';
import { OPAQUE, type Lookup } from '../expression/expression-evaluator.ts';

/** GitLab: persisted variables, which exist only after the pipeline is created. */
const LATER = ['CI_PIPELINE_ID', 'CI_PIPELINE_URL', 'CI_PIPELINE_CREATED_AT'];

export interface ConditionScope {
  lookup: Lookup;
  /** Replaces references, for paths. */
  expand(text: string): string;
  /** The same, with the information whether the text contains a secret. */
  settle(text: string): Expanded;
}
export interface ConditionLayers {
  /** `variables` of the file. */
  file?: Node;
  /** `variables` of the matched rule of `workflow`. */
  workflow?: Node;
}

/** Makes the scopes of the jobs of one pipeline, and caches them. */
export class ConditionScopes {
  readonly #request: CompileRequest;
  readonly #below: readonly Layer[];
  readonly #scopes = new Map<string, ConditionScope>();

  constructor(request: CompileRequest, layers: ConditionLayers) {
    this.#request = request;
    const known = { ...pipelineValues(request) };
    for (const name of LATER) known[name] = undefined;
    this.#below = [literalLayer(known, 'predefined'), yamlLayer(layers.file), yamlLayer(layers.workflow)];
  }

  of(job?: { name: string; stage: string; environment?: string }): ConditionScope {
    const key = JSON.stringify([job?.name, job?.stage, job?.environment]);
    let scope = this.#scopes.get(key);
    if (!scope) this.#scopes.set(key, (scope = this.#make(job)));
    return scope;
  }

  #make(job: { name: string; stage: string; environment?: string } | undefined): ConditionScope {
    const own = literalLayer({ CI_JOB_NAME: job?.name, CI_JOB_STAGE: job?.stage }, 'predefined');
    const written = job?.environment;
    const environment = written === undefined ? undefined : this.#scope(own, undefined).expand(written).text;
    const layers = this.#layers(own, environment);
    const scope = new Scope(layers, { open: false });
    return {
      lookup: (name) => {
        const found = layers.findLast((layer) => layer.has(name))?.get(name);
        if (!found) return undefined;
        return 'secret' in found.value ? OPAQUE : found.value.literal;
      },
      expand: (text) => scope.expand(text).text,
      settle: (text) => scope.expand(text),
    };
  }

  #scope(own: Layer, environment: string | undefined): Scope {
    return new Scope(this.#layers(own, environment), { open: false });
  }

  #layers(own: Layer, environment: string | undefined): Layer[] {
    const { trigger, project, instanceVariables } = this.#request;
    const access = { fork: trigger.fork, protectedRef: project.protectedRef };
    const [predefined, ...written] = this.#below;
    return [
      ...(predefined ? [predefined] : []),
      own,
      ...written,
      environmentLayer(projectVariables(instanceVariables, access), environment),
      environmentLayer(projectVariables(project.variables, access), environment),
      givenLayer(this.#request),
    ];
  }
}
