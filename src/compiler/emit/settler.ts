/** `settle` for the texts of one keyword of a job. */
import type { Draft } from '../draft/draft.ts';
import type { Path } from '../yaml/nodes.ts';
import type { PlanContext } from './context.ts';
import { settle } from './settle.ts';

export type SettleText = (text: string, ...path: Path) => string;
export function settlerOf(draft: Draft, context: PlanContext, keyword: string): SettleText {
  const scope = context.scope(draft);
  return (text, ...path) => settle(draft.config, { scope, text, keyword, path }, context.problems);
}
