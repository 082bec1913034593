import { ARCHES } from '../../plan/model/ids.ts';
import type { Problems } from '../problems.ts';
import type { EnvironmentTier } from '../../plan/model/plan.ts';
import type { CompileRequest, CompileVariable } from '../request.ts';
import { inherits } from '../schema/keywords/inherit.ts';
import {
  environmentLayer,
  forwardedLayer,
  literalLayer,
  givenLayer,
  pipelineLayer,
  projectVariables,
  yamlLayer,
} from '../variables/layers.ts';
import {
  environmentValues,
  jobUrl,
  jobValues,
  pagesValues,
  pipelineValues,
} from '../variables/predefined.ts';
import { Scope, type Layer } from '../variables/scope.ts';
import { isRestricted } from '../variables/run-variables.ts';
import type { Node } from '../yaml/nodes.ts';
import type { Draft, Drafts } from '../draft/draft.ts';
import { placeIn, type JobConfig, type FileConfig } from '../job-config.ts';
import { settle } from './settle.ts';
import { pagesPrefixOf } from './pages-prefix.ts';
import { tierOf } from './environment-tier.ts';

export interface Environment {
  name: string;
  url?: string;
  action: 'start' | 'prepare' | 'stop' | 'verify' | 'access';
  tier: EnvironmentTier;
}
interface Prepared {
  scope: Scope;
  environment?: Environment;
  /** Path prefix of its site: '' is the project's own. */
  prefix: string;
}

interface ContextParts {
  request: CompileRequest;
  drafts: Drafts;
  problems: Problems;
  /** From the matched rule of `workflow`. */
  workflowVariables?: Node;
  /** CI_PIPELINE_NAME. */
  name?: string;
}

/** What the specs of one pipeline are made from; the variables of a job are resolved on first use. */
export class PlanContext {
  readonly request: CompileRequest;
  readonly drafts: Drafts;
  readonly problems: Problems;
  readonly #pipeline: Layer;
  readonly #file: Layer;
  readonly #workflow: Layer;
  /** Variables given to the pipeline. */
  readonly given: Layer;
  readonly #forwarded: Layer;
  readonly #instance: readonly CompileVariable[];
  readonly #project: readonly CompileVariable[];
  readonly #prepared = new Map<Draft, Prepared>();
  readonly #prefixes = new Map<Draft, string>();

  constructor(file: FileConfig, parts: ContextParts) {
    this.request = parts.request;
    this.drafts = parts.drafts;
    this.problems = parts.problems;
    const access = { fork: parts.request.trigger.fork, protectedRef: parts.request.project.protectedRef };
    const values = { ...pipelineValues(parts.request), CI_PIPELINE_NAME: parts.name };
    this.#pipeline = literalLayer(values, 'predefined');
    this.#file = yamlLayer(file.variables);
    this.#workflow = yamlLayer(parts.workflowVariables);
    this.given = givenLayer(parts.request);
    this.#forwarded = forwardedLayer(parts.request);
    this.#instance = projectVariables(parts.request.instanceVariables, access);
    this.#project = projectVariables(parts.request.project.variables, access);
  }

  scope(draft: Draft): Scope {
    return this.prepared(draft).scope;
  }

  prepared(draft: Draft): Prepared {
    let prepared = this.#prepared.get(draft);
    if (!prepared) {
      prepared = this.#prepare(draft);
      this.#prepared.set(draft, prepared);
    }
    return prepared;
  }

  /** A job's timeout, ms. */
  timeoutMs = (draft: Draft): number => draft.config.values.timeout ?? this.request.limits.jobTimeoutMs;

  #prepare(draft: Draft): Prepared {
    const written = draft.config.values.environment;
    const bare = this.#scope(draft, undefined);
    this.#reportCycles(draft.config, bare);
    if (!written) {
      const prefix = this.#prefixOf(draft, bare);
      return { scope: prefix === '' ? bare : this.#scope(draft, undefined), prefix };
    }
    const name = settle(
      draft.config,
      { scope: bare, text: written.name, keyword: 'environment', path: ['name'] },
      this.problems,
    );
    const tier = written.deployment_tier ?? tierOf(name);
    const environment: Environment = { name, action: written.action, tier };
    const prefix = this.#prefixOf(draft, this.#scope(draft, environment));
    if (written.url !== undefined)
      environment.url = this.#scope(draft, environment, { open: bringsDotenv(draft) }).expand(
        written.url,
      ).text;
    return { scope: this.#scope(draft, environment), environment, prefix };
  }

  /** Resolved before the url of an environment, which may be the url of the site. */
  #prefixOf(draft: Draft, scope: Scope): string {
    const prefix = pagesPrefixOf(draft.config, scope, this.problems);
    this.#prefixes.set(draft, prefix);
    return prefix;
  }

  #scope(
    draft: Draft,
    environment: Environment | undefined,
    { open = this.#mayGetDotenv(draft), given = this.given }: { open?: boolean; given?: Layer } = {},
  ): Scope {
    const { config } = draft;
    const own = literalLayer(
      {
        ...pagesValues(this.request, this.#prefixes.get(draft)),
        ...jobValues(config, {
          key: draft.key,
          arch: archOf(draft),
          timeoutMs: this.timeoutMs(draft),
          stage: draft.stage,
          url: jobUrl(this.request, draft.key),
          share: draft.share,
        }),
      },
      'predefined',
    );
    const deployment = environment ? literalLayer(environmentValues(environment), 'predefined') : new Map();
    const layers = [
      this.#pipeline,
      own,
      deployment,
      ...this.written(draft),
      environmentLayer(this.#instance, environment?.name),
      environmentLayer(this.#project, environment?.name),
      given,
    ];
    return new Scope(layers, { open });
  }

  /** For names of images. On a protected ref no variable of the run chooses what gets the job's secrets. */
  images(draft: Draft): Scope {
    if (!isRestricted(this.request) || this.request.trigger.variables === undefined) return this.scope(draft);
    const { environment } = this.prepared(draft);
    return this.#scope(draft, environment, { given: this.#forwarded });
  }

  /** Without dotenv variables of other jobs: a name that is not known now expands to nothing. */
  closed(draft: Draft): Scope {
    return this.#scope(draft, this.prepared(draft).environment, { open: false });
  }

  /** Variables that the file sets for the job, in ascending precedence. */
  written(draft: Draft): Layer[] {
    const { config } = draft;
    return [
      inherited(this.#file, config),
      inherited(this.#workflow, config),
      yamlLayer(config.values.variables ? config.entries.get('variables')?.value : undefined),
      yamlLayer(draft.ruleVariables),
      literalOf(draft.share),
    ];
  }

  #mayGetDotenv(draft: Draft): boolean {
    if (draft.listed?.some(({ from }) => from && !('mirrors' in from))) return true;
    return draft.artifactsFrom.some((key) =>
      this.drafts.named
        .get(key)
        ?.some((other) => other.config.values.artifacts?.reports?.dotenv !== undefined),
    );
  }

  #reportCycles(config: JobConfig, scope: Scope): void {
    for (const cycle of scope.cycles())
      this.problems.add(
        'language/cycle',
        `variables of "${config.name}" refer to each other in a cycle: ${cycle.join(' -> ')}`,
        { at: placeIn(config, 'variables', [cycle[0] ?? '']) },
      );
    if (scope.tooLong !== undefined)
      this.problems.add(
        'language/too-large',
        `the variable ${scope.tooLong} of "${config.name}" expands to more than 128 KiB`,
        {
          at: placeIn(config, 'variables', [scope.tooLong]),
        },
      );
  }
}

/** The file's variables that the job inherits. */
function inherited(layer: Layer, { values }: JobConfig): Layer {
  const wanted = values.inherit?.variables;
  if (wanted === undefined || wanted === true) return layer;
  return new Map([...layer].filter(([name]) => inherits(wanted, name)));
}

const bringsDotenv = (draft: Draft): true | undefined =>
  draft.config.values.artifacts?.reports?.dotenv === undefined ? undefined : true;

/** Values of a matrix: they count as variables of the file, and override those of the job. */
const literalOf = (share: Draft['share']): Layer =>
  new Map([...pipelineLayer(share?.values)].map(([name, value]) => [name, { ...value, from: 'file' }]));

/** The architecture in a job's variables: its own, or that of a tag. */
export const archOf = (draft: Draft): string | undefined =>
  draft.arch ?? ARCHES.find((arch) => draft.config.values.tags?.includes(arch));
