/**
 * From the text of a pipeline file to a plan: parse, extends, default, validate, select, link, specs.
 *
 * Pure: equal requests get equal results, nothing is read or written. Invariants: COMPILE-1 it never throws
 * on user input; every mistake is a Problem with a place. COMPILE-2 all mistakes are reported in one run;
 * later steps skip what earlier ones rejected. COMPILE-3 a plan without an error names only jobs that are in
 * it, and has no cycle. COMPILE-4 work is linear in jobs and their edges.
 */
import { Extender } from './assemble/extends.ts';
import { readFileConfig } from './assemble/file.ts';
import { readJobs } from './assemble/job.ts';
import { Includer } from './assemble/include.ts';
import { ContentReader } from './inputs/content.ts';
import { runInputs } from './inputs/run-inputs.ts';
import { textsOf } from './includes.ts';
import { resolveReferences } from './assemble/reference.ts';
import { lint } from './lint/lint.ts';
import { checkJobs } from './check/check-jobs.ts';
import { PlanContext } from './emit/context.ts';
import { makeDrafts, type Draft } from './draft/draft.ts';
import { compileJob } from './emit/emit-job.ts';
import { explain } from './emit/explain.ts';
import { linkDrafts } from './draft/link.ts';
import { filterJobs } from './draft/filter-jobs.ts';
import { Problems } from './problems.ts';
import type { CompileResult, CompileRequest } from './request.ts';
import { selectDrafts, selectContext } from './draft/select-jobs.ts';
import { refusedRunVariables } from './variables/run-variables.ts';
import { readWorkflow } from './rules/workflow.ts';
import { globalVariablesReader } from './schema/keyword-table.ts';
import { skipReason } from './rules/skip-ci.ts';
import { isNull, type MapNode, type Node } from './yaml/nodes.ts';
import type { JobConfig, FileConfig } from './job-config.ts';

export type { CompileResult, CompiledJob, CompileRequest } from './request.ts';
export type { Problem } from './problems.ts';
export { problemText } from './problems.ts';

/**
 * Returns a plan, `empty` with the reason (no failure), or every problem of the file. Never throws on user
 * input.
 */
export function compile(request: CompileRequest): CompileResult {
  const skipped = skipReason(request);
  if (skipped !== undefined) return { kind: 'empty', reason: skipped, warnings: [] };
  const problems = new Problems();
  const read = readPipeline(request, problems);
  if (!read) return { kind: 'invalid', problems: problems.all() };
  return plan(read, request, problems);
}

export interface Read {
  /** With its includes merged, references not replaced yet. */
  whole: MapNode;
  /** What the pipeline's own file includes. */
  include?: Node;
  file: FileConfig;
  jobs: Map<string, JobConfig>;
}

/**
 * The file after extends and default; undefined when it cannot be compiled, with the reason in the problems.
 */
export function readPipeline(request: CompileRequest, problems: Problems): Read | undefined {
  const { root, include } = readWhole(request, problems);
  if (!root || problems.mustStop) return undefined;
  const hasReferences = root.kind === 'map' && textsOf(request).some((text) => text.includes('!reference'));
  const file = readFileConfig(hasReferences ? resolveReferences(root, problems) : root, problems);
  if (!file) return undefined;
  if (file.variables) globalVariablesReader.read(file.variables, problems);
  const jobs = readJobs(file, new Extender(file.entries, problems), problems);
  return problems.mustStop || root.kind !== 'map' ? undefined : { whole: root, include, file, jobs };
}

/** The document with its includes merged below it. */
function readWhole(request: CompileRequest, problems: Problems): { root?: Node; include?: Node } {
  const { name } = request.file;
  const contents = new ContentReader(request, problems);
  const root = contents.read(request.file, { given: runInputs(request.trigger.inputs, problems) });
  if (!root) return {};
  if (isNull(root)) {
    problems.add('language/missing', `${name} is empty`, {
      hint: 'A first job: test: { image: alpine, script: [echo hello] }',
    });
    return {};
  }
  const include = root.kind === 'map' ? root.entries.get('include') : undefined;
  if (root.kind !== 'map' || !include) return { root };
  const includer = new Includer(request, problems, contents);
  const whole = includer.whole(root, name);
  if (!whole) return {};
  const { files, list, wants, changed } = includer.needed;
  const missing = [...files, ...wants.keys(), ...(list ? ['files matched by a wildcard'] : [])];
  if (missing.length > 0 || changed.size > 0)
    problems.add(
      'language/include',
      `${missing.join(', ') || 'files that depend on changes'} cannot be included here`,
      {
        at: include.at,
      },
    );
  return { root: whole, include: include.value };
}

function plan(
  { whole, include, file, jobs }: Read,
  request: CompileRequest,
  problems: Problems,
): CompileResult {
  const drafts = makeDrafts(file, jobs, { request, problems });
  checkJobs({ jobs, drafts, request, problems });
  const workflow = readWorkflow(file, request, problems);
  const layers = { file: file.variables, workflow: workflow.variables };
  const selecting = selectContext(request, layers, { byWorkflow: workflow.hasRules, problems });
  selectDrafts(drafts, request, selecting);
  linkDrafts(drafts, problems);
  const { scopes } = selecting;
  if (request.lint) lint({ whole, include, file, jobs, drafts, scopes, layers, request, problems });
  if (problems.mustStop) return { kind: 'invalid', problems: problems.all() };
  if (request.trigger.jobs) filterJobs(drafts, request.trigger.jobs, problems);
  for (const name of refusedRunVariables(request))
    problems.add('language/no-effect', `${name} keeps its value: a run on a protected ref may not set it`, {
      hint: 'Change the variable in the installation file, or give the run a variable with another name.',
      severity: 'warning',
    });
  const included = drafts.all.filter((draft) => draft.included);
  const stages = drafts.stages.filter((stage) => included.some((draft) => draft.stage === stage));
  const context = new PlanContext(file, {
    request,
    drafts,
    problems,
    workflowVariables: workflow.variables,
    name: workflow.name,
  });
  const compiled = included.map((draft) => compileJob(draft, context, stages));
  if (problems.hasErrors) return { kind: 'invalid', problems: problems.all() };
  const warnings = problems.warnings();
  const explained = request.explain ? { explained: explain(drafts) } : {};
  if (workflow.refused !== undefined)
    return { kind: 'empty', reason: workflow.refused, warnings, ...explained };
  if (!included.some((draft) => draft.stage !== '.pre' && draft.stage !== '.post'))
    return { kind: 'empty', reason: emptyReason(drafts.all), warnings, ...explained };
  return {
    kind: 'plan',
    plan: {
      version: 1,
      ...(workflow.name !== undefined && { name: workflow.name }),
      stages,
      autoCancel: workflow.autoCancel,
    },
    jobs: compiled,
    warnings,
    ...explained,
  };
}

function emptyReason(drafts: readonly Draft[]): string {
  const out = drafts.find((draft) => !draft.included);
  if (!out) return 'it has jobs in .pre and .post only';
  return `no job is selected for this ref and source ("${out.group}": ${out.reason})`;
}
