import { isArch, type Arch } from '../../plan/model/ids.ts';
import type { Need, When } from '../../plan/model/plan.ts';
import type { JobValues } from '../schema/keyword-table.ts';
import type { Node } from '../yaml/nodes.ts';
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { parallelOf, shareTag, type ParallelShare } from './parallel.ts';
import type { JobConfig, FileConfig } from '../job-config.ts';

/**
 * A job on its way into the plan: one for each of its architectures. Every job of the file has drafts, so
 * that references can be checked for all of them.
 */
export interface Draft {
  config: JobConfig;
  key: string;
  group: string;
  stage: string;
  /** Position in the file's stages, `.pre` first and `.post` last; -1 for an unknown stage. */
  stageIndex: number;
  /** Position in the file. */
  order: number;
  arch?: Arch;
  /** Made for one of the platforms of a build or API test. */
  byPlatform: boolean;
  /** Made by `parallel`. */
  share?: ParallelShare;
  when: When;
  allowFailure: boolean | number[];
  /** ms; for `delayed`. From the matched rule, else from the job; so are the next three. */
  startInMs?: number;
  interruptible: boolean;
  /** As written; undefined: the stages decide the order. */
  listed?: JobValues['needs'];
  ruleVariables?: Node;
  included: boolean;
  /** Why it is included, or not. */
  reason: string;
  needs: Need[] | null;
  artifactsFrom: string[];
  imagesFrom: string[];
  requires: string[];
}

export interface Drafts {
  all: Draft[];
  /** Drafts by name in the file, and by name with matrix values. */
  named: ReadonlyMap<string, Draft[]>;
  stages: readonly string[];
}

export function allStages(file: FileConfig): string[] {
  const own = file.stages.filter((stage) => stage !== '.pre' && stage !== '.post');
  return [...new Set(['.pre', ...own, '.post'])];
}

/** Jobs of one pipeline, counting parallel ones; limits the size of the plan. */
const MAX_DRAFTS = 10_000;

/** One draft per job, per parallel instance and per architecture; none is selected yet. */
export function makeDrafts(
  file: FileConfig,
  jobs: ReadonlyMap<string, JobConfig>,
  { request, problems }: { request: CompileRequest; problems: Problems },
): Drafts {
  const stages = allStages(file);
  const indexOf = new Map(stages.map((stage, index) => [stage, index]));
  const all: Draft[] = [];
  const named = new Map<string, Draft[]>();
  for (const config of jobs.values()) {
    const variants = variantsOf(config, jobs, request);
    if (all.length + variants.length > MAX_DRAFTS) {
      problems.add('language/too-large', `parallel and platforms expand to more than ${MAX_DRAFTS} jobs`, {
        at: config.at,
      });
      break;
    }
    const drafts = variants.map((variant): Draft => {
      const stage = config.values.stage ?? 'test';
      return {
        config,
        key: variant.key,
        byPlatform: variant.byPlatform ?? false,
        ...(variant.share && { share: variant.share }),
        group: config.name,
        stage,
        stageIndex: indexOf.get(stage) ?? -1,
        order: all.length,
        arch: variant.arch,
        ...whenOf(config),
        startInMs: config.values.start_in,
        interruptible: config.values.interruptible ?? false,
        listed: config.values.needs,
        included: true,
        reason: '',
        needs: null,
        artifactsFrom: [],
        imagesFrom: [],
        requires: [],
      };
    });
    for (const draft of drafts) {
      draft.order = all.length;
      all.push(draft);
      if (draft.key !== draft.group && !jobs.has(draft.key)) named.set(draft.key, [draft]);
    }
    named.set(config.name, drafts);
  }
  return { all, named, stages };
}

/** `manual` does not block the pipeline, unless the file sets allow_failure; a gate always does. */
function whenOf({ values }: JobConfig): Pick<Draft, 'when' | 'allowFailure'> {
  if (values.gate) return { when: 'manual', allowFailure: false };
  const when = values.when ?? 'on_success';
  return { when, allowFailure: values.allow_failure ?? when === 'manual' };
}

interface Variant {
  key: string;
  arch?: Arch;
  byPlatform?: boolean;
  share?: ParallelShare;
}

/** Jobs without a workspace neither provide nor take artifacts; a build takes them into its context. */
export function transfersArtifacts({ config }: Draft, direction: 'give' | 'take'): boolean {
  if (config.kind === 'push' || config.kind === 'deploy') return false;
  return direction === 'take' || (config.kind !== 'build' && config.kind !== 'trigger');
}

/** The architecture that a job sets by `arch` or by a tag. */
export const namedArch = ({ values }: JobConfig, share?: ParallelShare): Arch | undefined =>
  values.arch ?? values.tags?.map((tag) => shareTag(tag, share)).find(isArch);

/** The architectures that a build makes images for; undefined: one, and its name has no architecture. */
export function platformsOf(
  config: JobConfig,
  jobs: ReadonlyMap<string, JobConfig>,
): readonly Arch[] | undefined {
  if (config.values.build) return config.values.build.platforms;
  const apitest = config.values.apitest;
  if (!apitest || apitest.platforms) return apitest?.platforms;
  return jobs.get(apitest.image_from)?.values.build?.platforms;
}

function variantsOf(
  config: JobConfig,
  jobs: ReadonlyMap<string, JobConfig>,
  request: CompileRequest,
): Variant[] {
  const platforms = platformsOf(config, jobs);
  if (platforms)
    return platforms.map((arch) => ({ key: `${config.name}: [${arch}]`, arch, byPlatform: true }));
  const parallel = parallelOf(config.name, config.values.parallel) ?? [
    { key: config.name, share: undefined },
  ];
  return parallel.map(({ key, share }) => ({ key, share, arch: archFor({ config, share, jobs, request }) }));
}

interface ArchRequest {
  config: JobConfig;
  share: ParallelShare | undefined;
  jobs: ReadonlyMap<string, JobConfig>;
  request: CompileRequest;
}

function archFor({ config, share, jobs, request }: ArchRequest): Arch | undefined {
  const own = namedArch(config, share);
  if (config.kind === 'build') return own ?? request.defaultArch;
  if (config.kind !== 'apitest') return own;
  const built = jobs.get(config.values.apitest?.image_from ?? '');
  return own ?? (built && namedArch(built)) ?? request.defaultArch;
}
