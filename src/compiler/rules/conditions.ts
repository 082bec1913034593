/** The conditions of a rule: `if`, `changes` and `exists`, all of which must hold. Results are cached. */
import type { CompileRequest } from '../request.ts';
import { isTruthful } from '../expression/expression-evaluator.ts';
import { parseExpression, type Parsed } from '../expression/expression.ts';
import { compileGlob } from '../../match/ruby-glob.ts';
import { anyMatches, remoteFilesKey, foldersOf } from '../../match/path-patterns.ts';
import { eventOf } from '../../plan/model/trigger.ts';
import type { ConditionScope } from './scope.ts';

export interface Conditions {
  if?: string | null;
  changes?: LookedFor & { compare_to?: string };
  exists?: LookedFor & { project?: string; ref?: string };
}
/** One of the two. */
interface LookedFor {
  paths?: readonly string[];
  regexp?: string;
}

/** Above this number of comparisons GitLab assumes a match. */
const MAX_COMPARED = 50_000;
/** Sources with a state to compare with; for all others every path counts as changed. */
const BY_PUSH: ReadonlySet<string> = new Set(['push', 'merge_request', 'cli']);
const NEW_REF = /^0+$/;

export class ConditionChecker {
  readonly #request: CompileRequest;
  readonly #parsed = new Map<string, Parsed>();
  readonly #results = new Map<string, boolean>();

  constructor(request: CompileRequest) {
    this.#request = request;
  }

  parse(text: string): Parsed {
    let parsed = this.#parsed.get(text);
    if (!parsed) this.#parsed.set(text, (parsed = parseExpression(text)));
    return parsed;
  }

  /** Describes the first condition that does not hold; undefined when all do. */
  failed(conditions: Conditions, scope: ConditionScope): string | undefined {
    const { changes, exists } = conditions;
    if (typeof conditions.if === 'string' && !this.expression(conditions.if, scope)) return conditions.if;
    if (changes && !this.changes(changes, scope)) return 'nothing in changes has changed';
    if (exists && !this.exists(exists, scope)) return 'no file in exists was found';
    return undefined;
  }

  /** False for an invalid expression, which is reported elsewhere. */
  expression(text: string, scope: ConditionScope): boolean {
    const parsed = this.parse(text);
    return parsed.ok && isTruthful(parsed.expression, scope.lookup);
  }

  /** True where git has nothing to compare: new branches, tags, schedules, web, API. */
  changes(asked: NonNullable<Conditions['changes']>, scope: ConditionScope): boolean {
    const { compare_to } = asked;
    const since = compare_to === undefined ? '' : scope.expandPath(compare_to, true);
    const changed = this.changedSince(since);
    return (
      changed === undefined ||
      this.#matches(`changes ${since}`, asked, { files: changed, scope, nested: true })
    );
  }

  /** The ref of `compare_to` that git does not know; undefined if it does, or if nothing was compared. */
  unknownRef({ changes }: Conditions, scope: ConditionScope): string | undefined {
    if (changes?.compare_to === undefined || !this.#request.changed) return undefined;
    const since = scope.expandPath(changes.compare_to, true);
    return this.#request.changed[since] ? undefined : since;
  }

  /** The problem with the project that `exists` names, if its files are not available. */
  unknownProject(
    { exists }: Conditions,
    scope: ConditionScope,
  ): { message: string; severity: 'error' | 'warning' } | undefined {
    const key = exists && this.elsewhere(exists, scope);
    if (key === undefined) return undefined;
    const [project = '', ref = ''] = key.split('@');
    const what = `exists: the project "${project}"${ref === '' ? '' : ` at "${ref}"`}`;
    const found = this.#request.elsewhere?.[key];
    if (found === null)
      return { message: `${what} does not exist, or this pipeline may not read it`, severity: 'error' };
    if (found) return undefined;
    return { message: `${what} is not read here, so the rule does not match`, severity: 'warning' };
  }

  /**
   * Paths that changed since a ref, or (empty) since before the push; undefined: every path counts as
   * changed.
   */
  changedSince(since: string): readonly string[] | undefined {
    const { trigger, changed } = this.#request;
    if (since === '' && !comparesWithBefore(trigger)) return undefined;
    return changed?.[since];
  }

  exists(asked: NonNullable<Conditions['exists']>, scope: ConditionScope): boolean {
    const other = this.elsewhere(asked, scope);
    const files = (other === undefined ? this.#request.files : this.#request.elsewhere?.[other]) ?? [];
    return this.#matches(`exists ${other ?? ''}`, asked, { files, scope, nested: false, folders: true });
  }

  /** The key of `CompileRequest.elsewhere` for `exists`; undefined: the pipeline's own source. */
  elsewhere(asked: NonNullable<Conditions['exists']>, scope: ConditionScope): string | undefined {
    const { project, ref } = asked;
    if (project === undefined) return undefined;
    return remoteFilesKey(
      scope.expandPath(project, false),
      ref === undefined ? undefined : scope.expandPath(ref, false),
    );
  }

  #matches(
    subject: string,
    { paths, regexp }: LookedFor,
    from: { files: readonly string[]; scope: ConditionScope; nested: boolean; folders?: true },
  ): boolean {
    const globs = [...new Set((paths ?? []).map((path) => from.scope.expandPath(path, from.nested)))];
    const key = JSON.stringify([subject, globs, regexp]);
    let result = this.#results.get(key);
    if (result === undefined) {
      result = regexp === undefined ? globsMatch(globs, from) : anyMatches(regexp, from.files);
      this.#results.set(key, result);
    }
    return result;
  }
}

function globsMatch(globs: readonly string[], from: { files: readonly string[]; folders?: true }): boolean {
  const compared = globs.filter((glob) => /[*?[{\\]/.test(glob)).length * from.files.length;
  if (compared > MAX_COMPARED) return true;
  const asksFolders = from.folders && globs.some((glob) => glob.endsWith('/'));
  const paths = asksFolders ? [...from.files, ...foldersOf(from.files)] : from.files;
  return globs.map((glob) => compileGlob(glob)).some((matches) => paths.some(matches));
}

/** Whether the event has a `before` that git can compare with: an update of a branch, or a merge request. */
export function comparesWithBefore(trigger: CompileRequest['trigger']): boolean {
  // A child pipeline compares as its parent does.
  const source = trigger.source === 'parent_pipeline' ? trigger.upstream?.origin : eventOf(trigger);
  if (!BY_PUSH.has(source ?? '') || trigger.refKind === 'tag') return false;
  return trigger.refKind === 'merge_request' || !NEW_REF.test(trigger.before);
}
