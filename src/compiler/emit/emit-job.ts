/** From linked drafts to the plan's jobs and their specs. */
import { isArch } from '../../plan/model/ids.ts';
import type { PlanJob } from '../../plan/model/plan.ts';
import { RETRY_REASONS } from '../../plan/policy/job-retry.ts';
import { mayTake } from '../../plan/policy/worker-wait.ts';
import { chooseQueue, CONTROL_QUEUE, deployQueue, withArch } from '../../plan/model/queues.ts';
import type { JobSpec } from '../../plan/model/spec.ts';
import type { CompiledJob } from '../request.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { environmentOf } from './environment.ts';
import { crossPipelineNeeds } from './cross-pipeline-needs.ts';
import { apitestSpec, expandedTags, scriptSpec } from './spec-script.ts';
import { deploySpec, placesOf } from './spec-deploy.ts';
import { buildSpec, pushSpec } from './spec-image.ts';
import { downstreamOf, mirrorSpec, triggerSpec } from './spec-trigger.ts';
import { placeIn } from '../job-config.ts';
import { writtenPages } from '../draft/pages.ts';
import { settle } from './settle.ts';

export function compileJob(draft: Draft, context: PlanContext, stages: readonly string[]): CompiledJob {
  const { config } = draft;
  const { scope } = context.prepared(draft);
  const { values } = config;
  const environment = environmentOf(draft, context);
  const tags = expandedTags(draft, context);
  const target = values.deploy && targetOf(draft, context, tags);
  const retry = values.retry;
  const downstream = downstreamOf(draft, context);
  const job: Omit<PlanJob, 'spec'> = {
    key: draft.key,
    group: draft.group,
    stage: draft.stage,
    stageIndex: stages.indexOf(draft.stage),
    kind: config.kind,
    when: draft.when,
    ...(draft.when === 'delayed' && { startInMs: draft.startInMs ?? 0 }),
    allowFailure: draft.allowFailure,
    needs: draft.needs,
    ...crossPipelineNeeds(draft, context),
    artifactsFrom: draft.artifactsFrom,
    imagesFrom: draft.imagesFrom,
    tags,
    ...queueOf({ draft, context, tags, target }),
    retry: { max: retry?.max ?? 0, when: retry?.when ?? [], exitCodes: retry?.exit_codes ?? [] },
    timeoutMs: context.timeoutMs(draft),
    ...gateOf(draft, context),
    ...(values.manual_confirmation !== undefined &&
      draft.when === 'manual' && {
        confirmation: confirmationOf(draft, context, values.manual_confirmation),
      }),
    ...(values.release && { release: true as const }),
    ...(writtenPages(config) && { pages: true as const }),
    ...(environment && { environment }),
    ...(values.resource_group !== undefined && {
      resourceGroup: settle(
        config,
        { scope, text: values.resource_group, keyword: 'resource_group', path: [] },
        context.problems,
      ),
    }),
    interruptible: draft.interruptible,
    rerunnable: isRerunnable(draft),
    ...(target !== undefined && { target }),
    ...(downstream && { downstream }),
  };
  const spec = specOf(draft, context, target ?? '');
  return { job, spec, ...(values.deploy && { places: placesOf(draft, values.deploy.swarm) }) };
}

const confirmationOf = (draft: Draft, context: PlanContext, text: string): string =>
  settle(
    draft.config,
    { scope: context.scope(draft), text, keyword: 'manual_confirmation', path: [] },
    context.problems,
  );

function gateOf({ config, requires }: Draft, { request }: PlanContext): Pick<PlanJob, 'gate'> {
  const { gate } = config.values;
  if (!gate) return {};
  const expiresInMs = gate.expires_in ?? request.limits.gateExpiryMs;
  return { gate: { approvers: gate.approvers, expiresInMs, requires } };
}

function specOf(draft: Draft, context: PlanContext, target: string): JobSpec {
  const { values } = draft.config;
  if (values.build) return buildSpec(draft, context, values.build);
  if (values.apitest) return apitestSpec(draft, context, values.apitest);
  if (values.push) return pushSpec(draft, context, values.push);
  if (values.deploy) return deploySpec(draft, context, { swarm: values.deploy.swarm, target });
  if (values.trigger) return triggerSpec(draft, context, values.trigger);
  if (draft.config.kind === 'trigger') return mirrorSpec(draft, context);
  return scriptSpec(draft, context);
}

/**
 * Idempotent by digest, or marked by the file as safe to run again; a job with an environment is never rerun
 * automatically.
 */
function isRerunnable({ interruptible, config: { kind, values } }: Draft): boolean {
  if (kind === 'deploy' || kind === 'trigger' || values.environment) return false;
  return kind !== 'script' || interruptible || retriesLostHost(values.retry);
}

function retriesLostHost(retry: { max: number; when: readonly string[] } | undefined): boolean {
  if (!retry || retry.max === 0) return false;
  return retry.when.some((reason) => reason === 'always' || RETRY_REASONS.host_lost.includes(reason));
}

interface QueueRequest {
  draft: Draft;
  context: PlanContext;
  tags: string[];
  target: string | undefined;
}

function queueOf({
  draft,
  context,
  tags,
  target,
}: QueueRequest): Pick<PlanJob, 'queue' | 'arch' | 'missingTags'> {
  const { request } = context;
  if (draft.config.kind === 'push' || draft.config.kind === 'trigger') return { queue: CONTROL_QUEUE };
  if (target !== undefined) return { queue: deployQueue(target) };
  const arch = draft.arch ?? tags.find(isArch);
  const { queue, missing } = chooseQueue({ arch, tags }, request.fleet, request.defaultArch);
  warnAboutWorkers({ draft, context, missing, queue, tags: withArch({ arch, tags }) });
  return { queue, ...(arch && { arch }), ...(missing.length > 0 && { missingTags: missing }) };
}

interface WorkerWarning {
  draft: Draft;
  context: PlanContext;
  missing: readonly string[];
  queue: string;
  tags: readonly string[];
}

function warnAboutWorkers({ draft, context, missing, queue, tags }: WorkerWarning): void {
  const { fleet } = context.request;
  if (fleet.length === 0) return;
  const noArch = isArch(queue) && !fleet.some((worker) => worker.arches.includes(queue));
  const isApart = !fleet.some((worker) => mayTake({ queue, tags }, worker));
  const what = noArch
    ? `the architecture ${queue}`
    : missing.length > 0
      ? `the tag ${missing.join(', ')}`
      : isApart
        ? `the tags ${tags.join(', ')} together`
        : undefined;
  if (what)
    context.problems.add(
      'language/no-worker',
      `no worker currently has ${what}, so "${draft.group}" will wait`,
      {
        at: placeIn(draft.config, 'tags'),
        severity: 'warning',
      },
    );
}

function targetOf(draft: Draft, context: PlanContext, tags: readonly string[]): string {
  const { targets } = context.request;
  const named = tags.filter((tag) => targets.includes(tag));
  const only = targets.length === 1 && tags.length === 0 ? targets[0] : undefined;
  const found = named[0] ?? only;
  if (named.length > 1)
    context.problems.add(
      'language/conflict',
      `"${draft.group}" names two deploy targets: ${named.join(', ')}`,
      {
        at: placeIn(draft.config, 'tags'),
      },
    );
  if (found !== undefined) return found;
  const there = targets.length === 0 ? 'the installation has none' : `the targets are ${targets.join(', ')}`;
  const what =
    tags.length === 0
      ? 'names no deploy target'
      : `names no deploy target with its tags (${tags.join(', ')})`;
  context.problems.add('language/target', `"${draft.group}" ${what}; ${there}`, {
    at: placeIn(draft.config, 'tags'),
  });
  return '';
}
