import type { RE2JS } from 're2js';
import type { CompileRequest } from '../request.ts';
import type { ConditionScope } from '../rules/scope.ts';
import { pipelineSource } from '../variables/predefined.ts';
import { refPattern } from '../../match/ref-pattern.ts';
import type { SelectContext } from './select-context.ts';
import type { JobConfig } from '../job-config.ts';

const DEFAULT_ONLY = ['branches', 'tags'];

type Policy = NonNullable<JobConfig['values']['only']>;

export interface Selection {
  included: boolean;
  /** For a person: what decided. */
  reason: string;
}

/** Selects the jobs of one pipeline by `only` and `except`; results are cached by ref. */
export class RefSelector {
  readonly #request: CompileRequest;
  readonly #context: SelectContext;
  readonly #source: string;
  readonly #matched = new Map<string, boolean>();

  constructor(request: CompileRequest, context: SelectContext) {
    this.#context = context;
    this.#request = request;
    this.#source = pipelineSource(request);
  }

  /** Keys of `only` must all hold, any key of `except` excludes; entries of one key are alternatives. */
  select({ values, name }: JobConfig): Selection {
    const stage = values.stage ?? 'test';
    const scope = this.#context.scopes.of({ name, stage, environment: values.environment?.name });
    const limited = values.only !== undefined || !this.#context.byWorkflow;
    const refs = values.only?.refs ?? (limited ? DEFAULT_ONLY : undefined);
    const matched = refs?.find((ref) => this.#matches(ref));
    if (refs && matched === undefined)
      return { included: false, reason: `only runs for ${refs.join(', ') || 'nothing'}` };
    for (const { key, holds } of this.#keys(values.only, scope))
      if (!holds) return { included: false, reason: `only: ${key} does not hold` };
    const excluded = values.except?.refs?.find((ref) => this.#matches(ref));
    if (excluded !== undefined) return { included: false, reason: `except ${excluded}` };
    for (const { key, holds } of this.#keys(values.except, scope))
      if (holds) return { included: false, reason: `except: ${key} holds` };
    if (matched === undefined) return { included: true, reason: 'no condition' };
    return { included: true, reason: values.only ? `only ${matched}` : matched };
  }

  /** The keys other than `refs`. davit has no cluster, so `kubernetes` never holds. */
  #keys(policy: Policy | undefined, scope: ConditionScope): { key: string; holds: boolean }[] {
    const { checker } = this.#context;
    const { variables, changes, kubernetes } = policy ?? {};
    return [
      ...(kubernetes ? [{ key: 'kubernetes', holds: false }] : []),
      ...(variables
        ? [{ key: 'variables', holds: variables.some((text) => checker.expression(text, scope)) }]
        : []),
      ...(changes ? [{ key: 'changes', holds: checker.changes({ paths: changes }, scope) }] : []),
    ];
  }

  #matches(ref: string): boolean {
    const known = this.#matched.get(ref);
    if (known !== undefined) return known;
    const at = ref.indexOf('@');
    const pattern = at === -1 ? ref : ref.slice(0, at);
    const path = at === -1 ? undefined : ref.slice(at + 1);
    const here = this.#request.project.path ?? this.#request.project.slug;
    const result = (path === undefined || path === here) && this.#matchesPattern(pattern);
    this.#matched.set(ref, result);
    return result;
  }

  #matchesPattern(pattern: string): boolean {
    const { refKind, ref } = this.#request.trigger;
    if (refKind === 'tag' && pattern === 'tags') return true;
    if (refKind === 'branch' && pattern === 'branches') return true;
    const source = this.#source.replace(/_event$/, '');
    const plural = source === 'push' ? 'pushes' : `${source}s`;
    if (pattern === source || pattern === plural) return true;
    if (refKind === 'merge_request') return false;
    const regex = safePattern(pattern);
    return regex ? regex.matcher(ref).find() : pattern === ref;
  }
}

function safePattern(pattern: string): RE2JS | undefined {
  try {
    return refPattern(pattern);
  } catch {
    // Reported by the checks of the file; here it matches only its own text.
    return undefined;
  }
}
