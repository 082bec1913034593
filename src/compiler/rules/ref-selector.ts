import type { RE2JS } from 're2js';
import type { CompileRequest } from '../request.ts';
import { variablesText } from './reason.ts';
import { AS_WRITTEN, type ConditionJob, type ConditionScope } from './scope.ts';
import { pipelineSource, projectPath } from '../variables/predefined.ts';
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

/** A key of a policy; `asked`: the variables of its conditions, for a person. */
interface Key {
  key: string;
  holds: boolean;
  asked: string;
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
  select(job: ConditionJob): Selection {
    const { values } = job.config;
    const scope = this.#context.scopes.of(job);
    const limited = values.only !== undefined || !this.#context.byWorkflow;
    const refs = values.only?.refs ?? (limited ? DEFAULT_ONLY : undefined);
    const matched = refs?.find((ref) => this.#matches(ref));
    if (refs && matched === undefined)
      return {
        included: false,
        reason: `only runs for ${refs.join(', ') || 'nothing'}${this.#projectText(refs)}`,
      };
    const only = this.#keys(values.only, scope);
    const missed = only.find(({ holds }) => !holds);
    if (missed) return { included: false, reason: `only: ${missed.key} does not hold${missed.asked}` };
    const excluded = values.except?.refs?.find((ref) => this.#matches(ref));
    if (excluded !== undefined)
      return { included: false, reason: `except ${excluded}${this.#projectText([excluded])}` };
    const met = this.#keys(values.except, scope).find(({ holds }) => holds);
    if (met) return { included: false, reason: `except: ${met.key} holds${met.asked}` };
    const asked = only.map((key) => key.asked).join('');
    if (matched === undefined) return { included: true, reason: `no condition${asked}` };
    const named = this.#projectText([matched]);
    return { included: true, reason: (values.only ? `only ${matched}` : matched) + named + asked };
  }

  /** The keys other than `refs`. davit has no cluster, so `kubernetes` never holds. GitLab expands no path of `changes` here. */
  #keys(policy: Policy | undefined, scope: ConditionScope): Key[] {
    const { checker } = this.#context;
    const { variables, changes, kubernetes } = policy ?? {};
    const asked = (variables ?? []).map((text) => ({ if: text }));
    return [
      ...(kubernetes ? [{ key: 'kubernetes', holds: false, asked: '' }] : []),
      ...(variables
        ? [
            {
              key: 'variables',
              holds: variables.some((text) => checker.expression(text, scope)),
              asked: variablesText(asked, scope, (text) => checker.parse(text)),
            },
          ]
        : []),
      ...(changes
        ? [{ key: 'changes', holds: checker.changes({ paths: changes }, AS_WRITTEN), asked: '' }]
        : []),
    ];
  }

  /** Where `BRANCH@PROJECT` is asked for, and the name of the project is that of the git remote. */
  #projectText(refs: readonly string[]): string {
    const { project, trigger } = this.#request;
    if (project.path !== undefined || !trigger.origin || !refs.some((ref) => ref.includes('@'))) return '';
    return `; the project is ${trigger.origin.path} (the git remote)`;
  }

  #matches(ref: string): boolean {
    const known = this.#matched.get(ref);
    if (known !== undefined) return known;
    const at = ref.indexOf('@');
    const pattern = at === -1 ? ref : ref.slice(0, at);
    const path = at === -1 ? undefined : ref.slice(at + 1);
    const here = projectPath(this.#request);
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
