/** Plans the child pipelines of trigger jobs whose files are all in this folder. */
import { compile, type CompileResult } from '../../compiler/compile.ts';
import { loadIncludes, type IncludeSource } from '../../compiler/includes.ts';
import type { CompiledJob, CompileRequest } from '../../compiler/request.ts';
import { MAX_DEPTH } from '../../plan/model/downstream.ts';
import type { JobKey } from '../../plan/model/ids.ts';
import type { TriggerSpec } from '../../plan/model/spec.ts';
import type { InputValue, Trigger, Upstream } from '../../plan/model/trigger.ts';

/** A plan is for people to read; further children are left out. */
const MAX_CHILDREN = 50;

export interface PlannedChild {
  /** The trigger job. */
  job: JobKey;
  answer: CompileResult;
  children: PlannedChild[];
}
export interface ChildrenContext {
  source: IncludeSource;
  /** Facts of git that the rules of the child's file need. */
  facts(request: CompileRequest): Promise<Partial<CompileRequest>>;
  options: Pick<CompileRequest, 'explain' | 'lint'>;
}

/**
 * Files from artifacts and other projects are known only when the pipeline runs; their jobs have no child
 * here.
 */
export async function childrenHere(
  context: ChildrenContext,
  { request, answer }: { request: CompileRequest; answer: CompileResult },
): Promise<PlannedChild[]> {
  return below(context, { request, answer, left: { count: MAX_CHILDREN } });
}

interface Level {
  request: CompileRequest;
  answer: CompileResult;
  left: { count: number };
}

async function below(context: ChildrenContext, { request, answer, left }: Level): Promise<PlannedChild[]> {
  const depth = (request.trigger.upstream?.depth ?? 0) + 1;
  if (answer.kind !== 'plan' || depth > MAX_DEPTH) return [];
  const children: PlannedChild[] = [];
  for (const compiled of answer.jobs) {
    const include = localFiles(compiled);
    if (!include || left.count === 0) continue;
    left.count -= 1;
    const asked = childRequest(request, compiled, include);
    const whole = { ...asked, ...(await loadIncludes(asked, context.source)) };
    const child = compile({ ...whole, ...(await context.facts(whole)), ...context.options });
    const next = await below(context, { request: whole, answer: child, left });
    children.push({ job: compiled.job.key, answer: child, children: next });
  }
  return children;
}

function localFiles({ spec }: CompiledJob): InputValue[] | undefined {
  if (spec.kind !== 'trigger' || !('include' in spec.to)) return undefined;
  const written = spec.to.include.map((one) => ('written' in one ? one.written : undefined));
  return written.every((one) => one !== undefined && isLocal(one))
    ? written.flatMap((one) => one ?? [])
    : undefined;
}
const isLocal = (one: InputValue): boolean =>
  typeof one === 'string'
    ? !/^https?:/i.test(one)
    : typeof one === 'object' && one !== null && !Array.isArray(one) && 'local' in one;

/** The request that the trigger job's activity makes, without the facts that only a run knows. */
function childRequest(
  parent: CompileRequest,
  { job, spec }: CompiledJob,
  include: InputValue[],
): CompileRequest {
  const { variables: _variables, inputs: _inputs, jobs: _jobs, file: _file, ...trigger } = parent.trigger;
  const above = parent.trigger.upstream;
  const upstream: Upstream = {
    pipeline: `${trigger.project}/${parent.iid}`,
    job: job.key,
    attempt: 1,
    ...(job.downstream?.strategy && { strategy: job.downstream.strategy }),
    config: parent.source,
    depth: (above?.depth ?? 0) + 1,
    family: above?.family ?? parent.number,
    root: above?.root ?? parent.number,
    origin: above?.origin ?? trigger.source,
    chain: [],
  };
  const child: Trigger = { ...trigger, source: 'parent_pipeline', upstream };
  const { variables }: Pick<TriggerSpec, 'variables'> = spec;
  return {
    ...parent,
    file: { name: `trigger of ${job.key}`, text: JSON.stringify({ include }) },
    trigger: child,
    iid: parent.iid + 1,
    number: parent.number + 1,
    forwarded: variables,
  };
}
