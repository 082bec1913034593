import { ARCHES } from '../../plan/model/ids.ts';
import type { Problems } from '../problems.ts';
import type { EnvironmentTier } from '../../plan/model/plan.ts';
import type { CompileRequest, CompileVariable } from '../request.ts';
import {
  environmentLayer,
  forwardedLayer,
  literalLayer,
  givenLayer,
  projectVariables,
  writtenLayers,
  yamlLayer,
} from '../variables/layers.ts';
import { environmentValues, jobUrl, jobNames, pagesValues, pipelineValues } from '../variables/predefined.ts';
import { Scope, type Layer, type ScopeOptions } from '../variables/scope.ts';
import { isRestricted } from '../variables/run-variables.ts';
import type { Node } from '../yaml/nodes.ts';
import type { Draft, Drafts } from '../draft/draft.ts';
import { placeIn, type JobConfig, type FileConfig } from '../job-config.ts';
import { settle } from './settle.ts';
import { pagesPrefixOf } from './pages-prefix.ts';
import { tierOf } from '../variables/environment-tier.ts';

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
    {
      open = this.#mayGetDotenv(draft),
      given = this.given,
      fixed,
    }: Partial<ScopeOptions> & { given?: Layer } = {},
  ): Scope {
    const own = literalLayer(
      {
        ...pagesValues(this.request, this.#prefixes.get(draft)),
        ...jobNames({ ...draft, arch: archOf(draft) }),
        CI_JOB_URL: jobUrl(this.request, draft.key),
        CI_JOB_TIMEOUT: String(Math.round(this.timeoutMs(draft) / 1_000)),
      },
      'predefined',
    );
    const layers = [
      this.#pipeline,
      own,
      ...(environment ? deploymentLayers(environment, draft.config) : []),
      ...this.written(draft),
      environmentLayer(this.#instance, environment?.name),
      environmentLayer(this.#project, environment?.name),
      given,
    ];
    return new Scope(layers, { open, fixed });
  }

  /** For names of images. On a protected ref no variable of the run chooses what gets the job's secrets. */
  images(draft: Draft): Scope {
    const { variables } = this.request.trigger;
    if (!isRestricted(this.request) || variables === undefined) return this.scope(draft);
    const { environment } = this.prepared(draft);
    // A reference that stays one would be filled with the values of the job, which are those of the run too.
    const fixed = new Set([...this.#written(draft).keys(), ...Object.keys(variables)]);
    return this.#scope(draft, environment, { given: this.#forwarded, fixed });
  }

  /** Without dotenv variables of other jobs: a name that is not known now expands to nothing. */
  closed(draft: Draft): Scope {
    return this.#scope(draft, this.prepared(draft).environment, { open: false });
  }

  /** Variables that the file sets for the job, in ascending precedence. */
  written(draft: Draft): Layer[] {
    const file = { file: this.#file, workflow: this.#workflow };
    return [...writtenLayers(file, draft), yamlLayer(draft.ruleVariables)];
  }

  #written = (draft: Draft): Layer => new Map(this.written(draft).flatMap((layer) => [...layer]));

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

/** The address is expanded like a variable of the job: it may contain those of dotenv reports. */
function deploymentLayers(environment: Environment, { values }: JobConfig): Layer[] {
  const known = literalLayer(environmentValues({ ...environment, url: undefined }), 'predefined');
  const literal = values.environment?.url;
  if (literal === undefined) return [known];
  const name = 'CI_ENVIRONMENT_URL';
  const url = {
    name,
    value: { literal },
    masked: false,
    file: false,
    raw: false,
    from: 'predefined' as const,
  };
  return [known, new Map([[name, url]])];
}

const bringsDotenv = (draft: Draft): true | undefined =>
  draft.config.values.artifacts?.reports?.dotenv === undefined ? undefined : true;

/** The architecture in a job's variables: its own, or that of a tag. */
export const archOf = (draft: Draft): string | undefined =>
  draft.arch ?? ARCHES.find((arch) => draft.config.values.tags?.includes(arch));
