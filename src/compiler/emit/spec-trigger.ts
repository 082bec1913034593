/** The spec of a trigger job: which pipeline it starts, and with which variables. */
import type { SpecVariable, TriggerInclude, TriggerSpec } from '../../plan/model/spec.ts';
import type { InputValue } from '../../plan/model/trigger.ts';
import type { PlanDownstream } from '../../plan/model/plan.ts';
import type { WrittenTrigger } from '../schema/keywords/trigger.ts';
import { mirrorOf } from '../schema/keywords/needs.ts';
import type { Variable } from '../variables/scope.ts';
import { itemNodes, ruleKey } from '../yaml/rule-nodes.ts';
import { plain } from '../yaml/nodes.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { needTargets } from '../draft/link.ts';
import { commonSpec } from './spec-common.ts';
import { placeIn } from '../job-config.ts';
import { settle } from './settle.ts';

export function triggerSpec(draft: Draft, context: PlanContext, written: WrittenTrigger): TriggerSpec {
  const variables = forwarded(draft, context, written);
  const own = variables.some((variable) => variable.late)
    ? context
        .scope(draft)
        .all()
        .filter((variable) => variable.from === 'file')
    : [];
  return {
    ...commonSpec(draft, context),
    kind: 'trigger',
    variables,
    ...(own.length > 0 && { own }),
    to: written.include
      ? { include: includesOf(draft, context, written.include) }
      : {
          project: settled(draft, context, 'project', written.project ?? ''),
          ...(written.branch !== undefined && {
            branch: settled(draft, context, 'branch', written.branch),
          }),
        },
    ...(written.inputs && { inputs: inputsOf(written.inputs) }),
  };
}

/** A job that mirrors starts nothing and provides nothing: the plan has all that it needs. */
export const mirrorSpec = (draft: Draft, context: PlanContext): TriggerSpec => ({
  ...commonSpec(draft, context),
  kind: 'trigger',
  variables: [],
  to: { mirrors: mirrorOf(draft.config.values.needs) ?? '' },
});

function mirrored(draft: Draft, context: PlanContext): PlanDownstream | undefined {
  const { needs = [] } = draft.config.values;
  const index = needs.findIndex(({ from }) => from && 'mirrors' in from);
  const text = mirrorOf(needs);
  if (draft.config.kind !== 'trigger' || text === undefined) return undefined;
  const scope = context.closed(draft);
  const project = settle(
    draft.config,
    { scope, text, keyword: 'needs', path: [index, 'pipeline'] },
    context.problems,
  );
  return { strategy: 'mirror', project, mirrors: true, filesFrom: [] };
}

/** For the plan's job. */
export function downstreamOf(draft: Draft, context: PlanContext): PlanDownstream | undefined {
  const written = draft.config.values.trigger;
  if (!written) return mirrored(draft, context);
  const filesFrom = (written.include ?? []).flatMap((item) =>
    item === 'written' ? [] : jobsOf(draft, context, item.job).map((other) => other.key),
  );
  return {
    ...(written.strategy && { strategy: written.strategy }),
    ...(written.project !== undefined && {
      project: context.scope(draft).settle(written.project).text,
    }),
    filesFrom: [...new Set(filesFrom)],
  };
}

const settled = (draft: Draft, context: PlanContext, key: string, text: string): string =>
  settle(
    draft.config,
    { scope: context.closed(draft), text, keyword: 'trigger', path: [key] },
    context.problems,
  );

/** The values are plain JSON, made by `plain`. */
const inputsOf = (written: Record<string, unknown>): Record<string, InputValue> =>
  Object.fromEntries(Object.entries(written).map(([name, value]) => [name, asInput(value)]));
const asInput = (value: unknown): InputValue => {
  if (Array.isArray(value)) return value.map(asInput);
  if (typeof value === 'object' && value !== null) return inputsOf({ ...value });
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
};

const jobsOf = (draft: Draft, context: PlanContext, name: string): Draft[] =>
  needTargets(draft, context.closed(draft).expand(name).text, context.drafts).filter(
    (other) => other.included,
  );

function includesOf(
  draft: Draft,
  context: PlanContext,
  written: NonNullable<WrittenTrigger['include']>,
): TriggerInclude[] {
  const node = draft.config.entries.get('trigger')?.value;
  const nodes = itemNodes(ruleKey(node, 'include'));
  return written.map((item, index): TriggerInclude => {
    if (item === 'written') {
      const one = nodes[index];
      return { written: asInput(one ? plain(one) : null) };
    }
    const jobs = jobsOf(draft, context, item.job);
    const named = context.drafts.named.has(item.job) || item.job.includes('$');
    if (jobs.length === 0 && named)
      context.problems.add(
        'language/absent-job',
        `"${draft.group}" takes its file from "${item.job}", which is not in this pipeline`,
        { at: ruleKey(nodes[index], 'job') ?? draft.config.at },
      );
    return {
      artifact: settled(draft, context, 'include', item.artifact),
      jobs: jobs.map((other) => other.key),
      ...(item.inputs && { inputs: inputsOf(item.inputs) }),
    };
  });
}

/** Set by the worker of a job; a trigger job has none. */
const OF_JOBS =
  /^(CI_JOB_(ID|URL|TOKEN|STARTED_AT|STATUS|MANUAL)|CI_REGISTRY_(USER|PASSWORD)|CI_RUNNER_\w+|CI_SERVER_TLS_\w+|API_URL|API_HOST|API_PORT)$/;

/**
 * GitLab: `trigger:forward`. Variables of the file as the job sees them; those given to the pipeline only if
 * the file enables it.
 */
function forwarded(draft: Draft, context: PlanContext, { forward, include }: WrittenTrigger): SpecVariable[] {
  const layers = [
    ...(forward.yaml_variables ? context.written(draft) : []),
    ...(forward.pipeline_variables ? [context.given] : []),
  ];
  const all = new Map<string, Variable>();
  for (const layer of layers) for (const [name, variable] of layer) all.set(name, variable);
  return [...all.values()].map((variable) => forwardOne(draft, context, { variable, child: !!include }));
}

/**
 * A secret is forwarded as its reference, never as its value; a text that contains one is expanded in the
 * child, which has the same secrets, and is refused for another project.
 */
function forwardOne(
  draft: Draft,
  context: PlanContext,
  { variable, child }: { variable: Variable; child: boolean },
): SpecVariable {
  const { name, value, masked, file } = variable;
  const forward = (fields: Pick<SpecVariable, 'value'> & Partial<SpecVariable>): SpecVariable => ({
    name,
    masked,
    file,
    from: 'pipeline',
    ...fields,
  });
  if ('secret' in value || variable.raw) return forward({ value });
  const scope = context.scope(draft);
  const { text, late, tainted } = scope.expand(value.literal);
  if (!late) return forward({ value: { literal: text }, masked: masked || tainted });
  const whole = /^\$\{(\w+)\}$/.exec(text)?.[1];
  const behind = whole === undefined ? undefined : scope.find(whole);
  if (behind && ('secret' in behind.value || behind.file))
    return forward({
      value: behind.value,
      masked: behind.masked || 'secret' in behind.value,
      file: behind.file,
    });
  if (tainted && !child)
    context.problems.add(
      'language/secret',
      `the variable ${name} of "${draft.group}" has a secret inside a longer text, which is not forwarded to another project`,
      {
        at: placeIn(draft.config, 'variables', [name]),
        hint: 'Pass the secret in a variable of its own, or exclude it with inherit:variables or trigger:forward.',
      },
    );
  const known = text.replace(/\$\$|\$\{(\w+)\}/g, (found, inner: string | undefined) =>
    inner !== undefined && OF_JOBS.test(inner) ? '' : found,
  );
  return forward({ value: { literal: known }, masked: masked || tainted, late: true });
}
