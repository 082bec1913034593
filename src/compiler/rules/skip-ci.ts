import type { CompileRequest } from '../request.ts';

/**
 * `[skip ci]` or `[ci skip]`, any letter case, in the commit message: a push, tag or merge request then starts nothing. Who
 * asks for a pipeline by hand, API or schedule gets it.
 */
export function skipReason({ trigger, commit }: CompileRequest): string | undefined {
  // GitLab: what another pipeline asks for is run.
  if (trigger.upstream) return undefined;
  const byHand =
    trigger.source === 'cli' ||
    trigger.source === 'api' ||
    trigger.source === 'web' ||
    trigger.source === 'schedule';
  if (byHand) return undefined;
  const found = /\[(ci[ _-]skip|skip[ _-]ci)\]/i.exec(trigger.message ?? commit.message);
  return found ? `the commit message says ${found[0]}` : undefined;
}
