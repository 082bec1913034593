/** Where an including file comes from, and what it can reach from there. */
import type { CompileRequest } from '../request.ts';
import { AS_WRITTEN, ConditionScopes, type ConditionScope } from '../rules/scope.ts';
import type { IncludeRepository } from '../../plan/model/includes.ts';

/** Values of `$[[ component.x ]]`. */
export interface ComponentContext {
  name: string;
  sha: string;
  /** What follows the `@`, as written. */
  reference: string;
  /** The tag that the version resolves to; absent if a branch or sha was named. */
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
 * `own`: the pipeline's own source, and the templates of davit. `project`: another project, whose files
 * `local` means there. `remote`: a file of another server. As in GitLab it is read without context: it sees
 * no variable and no project.
 */
export type Base =
  | { kind: 'own' }
  | { kind: 'project'; checkout: Checkout; component?: ComponentContext }
  | { kind: 'remote' };
export const OWN: Base = { kind: 'own' };

/** One file to merge. */
export interface Found {
  /** Equal for the same text at the same place: used to find cycles. */
  id: string;
  /** Its name in messages. */
  name: string;
  /** Undefined: not read yet; null: it does not exist. */
  text: string | null | undefined;
  base: Base;
}

/**
 * Variables that `include` may use, by base: GitLab's few, none of the file's own; none at all in a remote
 * file.
 */
export function includeScopes(request: CompileRequest): (base: Base) => ConditionScope {
  const scope = new ConditionScopes(request, {}).of();
  return (base) => (base.kind === 'remote' ? AS_WRITTEN : scope);
}
