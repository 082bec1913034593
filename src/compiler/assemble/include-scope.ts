/** Where a file that includes others stands, and what that lets it reach. */
import type { CompileRequest } from '../request.ts';
import { ConditionScopes, type ConditionScope } from '../rules/scope.ts';
import { Scope } from '../variables/scope.ts';
import type { IncludeRepository } from '../../plan/model/includes.ts';

/** What `$[[ component.x ]]` stands for. */
export interface ComponentContext {
  name: string;
  sha: string;
  /** What stands behind the `@`, as it was written. */
  reference: string;
  /** The tag that a version stands for; absent where a branch or sha was named. */
  version?: string;
}
/** A commit of another project. */
export interface Checkout {
  repository: IncludeRepository;
  sha: string;
  /** `group/project@ref` */
  shown: string;
}
/**
 * `own`: the pipeline's own source, and what davit ships. `project`: another project, whose files `local` means there.
 * `remote`: a file that somebody serves. As in GitLab it is read without any context: it sees no variable and no project.
 */
export type Base =
  | { kind: 'own' }
  | { kind: 'project'; checkout: Checkout; component?: ComponentContext }
  | { kind: 'remote' };
export const OWN: Base = { kind: 'own' };

/** One file to merge. */
export interface Found {
  /** Equal for the same text at the same place: circles are found by it. */
  id: string;
  /** What people call it. */
  name: string;
  /** undefined: not read yet; null: not there. */
  text: string | null | undefined;
  base: Base;
}

/** Variables that may stand in `include`, by place: GitLab's few, none of the file's own; none at all in a remote file. */
export function includeScopes(request: CompileRequest): (base: Base) => ConditionScope {
  const scope = new ConditionScopes(request, {}).of();
  return (base) => (base.kind === 'remote' ? NOTHING : scope);
}

const empty = new Scope([], { open: false });
const NOTHING: ConditionScope = {
  lookup: () => undefined,
  expand: (text) => empty.expand(text).text,
  settle: (text) => empty.expand(text),
};
