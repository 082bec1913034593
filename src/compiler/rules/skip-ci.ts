import { SKIP_CI } from '../../plan/model/text.ts';
import type { CompileRequest } from '../request.ts';

/**
 * `[skip ci]` or `[ci skip]`, any letter case, in the commit message: a push, tag or merge request then
 * starts nothing. Pipelines started by hand, API or schedule run.
 */
export function skipReason({ trigger, commit }: CompileRequest): string | undefined {
  // GitLab: a pipeline that another one starts always runs.
  if (trigger.upstream) return undefined;
  const byHand =
    trigger.source === 'cli' ||
    trigger.source === 'api' ||
    trigger.source === 'web' ||
    trigger.source === 'schedule';
  if (byHand) return undefined;
  const found = SKIP_CI.exec(trigger.message ?? commit.message);
  return found ? `the commit message contains ${found[0]}` : undefined;
}
