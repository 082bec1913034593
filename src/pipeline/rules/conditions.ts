/** The conditions of a rule: `if`, `changes` and `exists`, all of which must hold. Answers are kept by what was asked. */
import type { CompileRequest } from '../request.ts';
import { isTruthful } from './evaluate.ts';
import { parseExpression, type Parsed } from './expression.ts';
import { compileGlob } from './glob.ts';
import type { ConditionScope } from './scope.ts';

export interface Conditions {
  if?: string | null;
  changes?: { paths: readonly string[]; compare_to?: string };
  exists?: readonly string[];
}

/** Comparisons past which GitLab takes it that something matches. */
const MOST_CHANGES = 50_000;
const MOST_EXISTS = 10_000;
/** Sources for which `changes` means something; all others run as if all had changed. */
const BY_PUSH: ReadonlySet<string> = new Set(['push', 'merge_request', 'cli']);
const NEW_REF = /^0+$/;

export class ConditionChecker {
  readonly #request: CompileRequest;
  readonly #parsed = new Map<string, Parsed>();
  readonly #answers = new Map<string, boolean>();

  constructor(request: CompileRequest) {
    this.#request = request;
  }

  parse(text: string): Parsed {
    let parsed = this.#parsed.get(text);
    if (!parsed) this.#parsed.set(text, (parsed = parseExpression(text)));
    return parsed;
  }

  /** The first condition that does not hold, in words; undefined when all do. */
  failed(conditions: Conditions, scope: ConditionScope): string | undefined {
    const { changes, exists } = conditions;
    if (typeof conditions.if === 'string' && !this.expression(conditions.if, scope)) return conditions.if;
    if (changes && !this.changes(changes, scope)) return 'nothing in changes has changed';
    if (exists && !this.exists(exists, scope)) return 'nothing in exists is there';
    return undefined;
  }

  /** False for an expression that is not valid: it has been reported. */
  expression(text: string, scope: ConditionScope): boolean {
    const parsed = this.parse(text);
    return parsed.ok && isTruthful(parsed.expression, scope.lookup);
  }

  /** True where git has nothing to compare: new branches, tags, schedules, web, API. */
  changes({ paths, compare_to }: NonNullable<Conditions['changes']>, scope: ConditionScope): boolean {
    const since = compare_to === undefined ? '' : scope.expand(compare_to);
    const changed = this.changedSince(since);
    return (
      changed === undefined ||
      this.#matches(`changes ${since}`, paths, { files: changed, scope, most: MOST_CHANGES })
    );
  }

  /** The ref of `compare_to` that git does not know; undefined where it does, or was not asked. */
  unknownRef({ changes }: Conditions, scope: ConditionScope): string | undefined {
    if (changes?.compare_to === undefined || !this.#request.changed) return undefined;
    const since = scope.expand(changes.compare_to);
    return this.#request.changed[since] ? undefined : since;
  }

  /** Paths that have changed since a ref, or (empty) since before the push; undefined: all of them count as changed. */
  changedSince(since: string): readonly string[] | undefined {
    const { trigger, changed } = this.#request;
    if (since === '' && !comparesWithBefore(trigger)) return undefined;
    return changed?.[since];
  }

  exists(paths: readonly string[], scope: ConditionScope): boolean {
    const files = this.#request.files ?? [];
    return this.#matches('exists', paths, { files, scope, most: MOST_EXISTS });
  }

  #matches(
    what: string,
    paths: readonly string[],
    from: { files: readonly string[]; scope: ConditionScope; most: number },
  ): boolean {
    const { files, scope, most } = from;
    const globs = [...new Set(paths.map((path) => scope.expand(path)))];
    const key = JSON.stringify([what, globs]);
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      const compared = globs.filter((glob) => /[*?[{\\]/.test(glob)).length * files.length;
      answer = compared > most || globs.map(compileGlob).some((matches) => files.some(matches));
      this.#answers.set(key, answer);
    }
    return answer;
  }
}

/** Whether the event has a `before` that git can compare with: an update of a branch, or a merge request. */
export function comparesWithBefore(trigger: CompileRequest['trigger']): boolean {
  if (!BY_PUSH.has(trigger.source) || trigger.refKind === 'tag') return false;
  return trigger.refKind === 'merge_request' || !NEW_REF.test(trigger.before);
}
