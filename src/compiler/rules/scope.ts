/**
 * Variables in conditions. Those of a job are seen as GitLab sees them: predefined ones that are known now, those of the file
 * and of workflow:rules that the job inherits, its own, those of its matrix, of the installation, of the project, and those
 * given to the pipeline. What is known only later, such as CI_PIPELINE_ID, is not set.
 */
import type { CompileRequest } from '../request.ts';
import {
  environmentLayer,
  givenLayer,
  literalLayer,
  projectVariables,
  writtenLayers,
  yamlLayer,
  type FileLayers,
} from '../variables/layers.ts';
import { expandExisting } from '../variables/expand.ts';
import { environmentNames, jobNames, originValues, pipelineValues } from '../variables/predefined.ts';
import { isKnownLater } from '../variables/predefined-names.ts';
import { Scope, type Expanded, type Layer, type Variable } from '../variables/scope.ts';
import type { Node } from '../yaml/nodes.ts';
import { OPAQUE, type Lookup } from '../expression/expression-evaluator.ts';
import type { JobConfig } from '../job-config.ts';
import { tierOf } from '../variables/environment-tier.ts';

export interface ConditionScope {
  lookup: Lookup;
  /** The variable as it is set, and by what; undefined when it is not set. */
  find(name: string): Found | undefined;
  /** Replaces references; an unknown name becomes nothing. */
  expand(text: string): string;
  /** The same, with the information whether the text contains a secret. */
  settle(text: string): Expanded;
  /**
   * Replaces references in a path or ref, as GitLab does: an unknown name stays as it is written. `nested`: references in the
   * values are replaced too.
   */
  expandPath(text: string, nested: boolean): string;
}
export interface ConditionLayers {
  /** `variables` of the file. */
  file?: Node;
  /** `variables` of the matched rule of `workflow`. */
  workflow?: Node;
}
/** A job on its way into the plan. */
export interface ConditionJob {
  config: JobConfig;
  key: string;
  stage: string;
  arch?: string;
  share?: { index: number; total: number; values: Readonly<Record<string, string>> };
}

/** `the pipeline`: predefined, and equal for all jobs; `predefined`: for this job. */
export type Setter =
  | 'the pipeline'
  | 'the git remote'
  | 'predefined'
  | 'the file'
  | 'workflow'
  | 'the job'
  | 'the matrix'
  | 'the installation'
  | 'the project'
  | 'this run';
export interface Found {
  variable: Variable;
  by: Setter;
}
type Named = readonly [by: Setter, layer: Layer];

/** Makes the scopes of the jobs of one pipeline, and caches them. */
export class ConditionScopes {
  readonly #request: CompileRequest;
  readonly #predefined: Layer;
  readonly #origin: Layer;
  readonly #file: FileLayers;
  readonly #given: Layer;
  readonly #byEnvironment = new Map<string | undefined, Named[]>();
  readonly #scopes = new Map<ConditionJob | undefined, ConditionScope>();

  constructor(request: CompileRequest, layers: ConditionLayers) {
    this.#request = request;
    this.#predefined = known(pipelineValues(request));
    this.#origin = known(originValues(request));
    this.#file = { file: yamlLayer(layers.file), workflow: yamlLayer(layers.workflow) };
    this.#given = givenLayer(request);
  }

  /** The scope of a job; without a job, that of the pipeline itself. */
  of(job?: ConditionJob): ConditionScope {
    let scope = this.#scopes.get(job);
    if (!scope) this.#scopes.set(job, (scope = new LayeredScope(() => this.#layers(job))));
    return scope;
  }

  #layers(job: ConditionJob | undefined): Named[] {
    const below: Named[] = [
      ['the pipeline', this.#predefined],
      ['the git remote', this.#origin],
    ];
    if (!job) {
      const own: Named = ['the pipeline', known({ CI_NODE_TOTAL: '1' })];
      return [
        ...below,
        own,
        ['the file', this.#file.file],
        ['workflow', this.#file.workflow],
        ...this.#above(undefined),
      ];
    }
    const [file, workflow, own, matrix] = writtenLayers(this.#file, job);
    const written: Named[] = [
      ['the file', file],
      ['workflow', workflow],
      ['the job', own],
      ['the matrix', matrix],
    ];
    const names: Named = ['predefined', known({ ...jobNames(job), ...manual(job) })];
    const environment = job.config.values.environment;
    if (!environment) return [...below, names, ...written, ...this.#above(undefined)];
    const bare = new LayeredScope(() => [...below, names, ...written, ...this.#above(undefined)]);
    const name = bare.expand(environment.name);
    // GitLab passes the address as it is written.
    const of = { ...environment, name, tier: environment.deployment_tier ?? tierOf(name) };
    const deployment: Named = ['predefined', known(environmentNames(of))];
    return [...below, names, deployment, ...written, ...this.#above(name)];
  }

  /** What replaces the file's own variables. */
  #above(environment: string | undefined): Named[] {
    let layers = this.#byEnvironment.get(environment);
    if (!layers) {
      const { trigger, project, instanceVariables } = this.#request;
      const access = { fork: trigger.fork, protectedRef: project.protectedRef };
      layers = [
        ['the installation', environmentLayer(projectVariables(instanceVariables, access), environment)],
        ['the project', environmentLayer(projectVariables(project.variables, access), environment)],
        ['this run', this.#given],
      ];
      this.#byEnvironment.set(environment, layers);
    }
    return layers;
  }
}

function known(values: Readonly<Record<string, string | undefined>>): Layer {
  const now = Object.entries(values).filter(([name]) => !isKnownLater(name));
  return literalLayer(Object.fromEntries(now), 'predefined');
}

/** GitLab: of a job that is manual or delayed as it is written. */
function manual({ config: { values } }: ConditionJob): { CI_JOB_MANUAL?: string } {
  const starts = values.gate ? 'manual' : values.when;
  return starts === 'manual' || starts === 'delayed' ? { CI_JOB_MANUAL: 'true' } : {};
}

/** Layers are made on first use: most jobs have no condition that asks for them. */
class LayeredScope implements ConditionScope {
  readonly #make: () => readonly Named[];
  #layers: readonly Named[] | undefined;
  #scope: Scope | undefined;

  constructor(make: () => readonly Named[]) {
    this.#make = make;
  }

  lookup = (name: string): string | undefined => {
    const found = this.find(name);
    if (!found) return undefined;
    const { value } = found.variable;
    return 'secret' in value ? OPAQUE : value.literal;
  };

  find(name: string): Found | undefined {
    this.#layers ??= this.#make();
    const found = this.#layers.findLast(([, layer]) => layer.has(name));
    const variable = found?.[1].get(name);
    return found && variable && { variable, by: found[0] };
  }

  expand(text: string): string {
    return this.settle(text).text;
  }

  settle(text: string): Expanded {
    if (!this.#scope) {
      this.#layers ??= this.#make();
      this.#scope = new Scope(
        this.#layers.map(([, layer]) => layer),
        { open: false },
      );
    }
    return this.#scope.expand(text);
  }

  expandPath(text: string, nested: boolean): string {
    return expandExisting(text, (name) => {
      const found = this.find(name);
      if (!found || 'secret' in found.variable.value) return undefined;
      const { literal } = found.variable.value;
      return nested && !found.variable.raw ? this.expand(`\${${name}}`) : literal;
    });
  }
}

const EMPTY = new Scope([], { open: false });

/** Without any variable: references become nothing, and stay in paths. */
export const AS_WRITTEN: ConditionScope = {
  lookup: () => undefined,
  find: () => undefined,
  expand: (text) => EMPTY.expand(text).text,
  settle: (text) => EMPTY.expand(text),
  expandPath: (text) => text,
};
