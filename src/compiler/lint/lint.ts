/**
 * `davit lint`: reports what is valid but probably not intended. Warnings only, each with a place and a
 * remedy.
 *
 * Runs after all other steps and decides nothing; pipelines never run it. Invariant LINT-1: no warning
 * without certainty. What depends on project settings, a program or a machine is ignored.
 */
import { lintArtifacts } from './artifacts.ts';
import { lintConditions } from './conditions.ts';
import { lintEarlierRules } from './earlier-rules.ts';
import { lintFolded } from './folded.ts';
import { lintNames } from './names.ts';
import { lintReleaseLoop } from './release-loop.ts';
import { lintRunnerVariables } from './runner-variables.ts';
import { lintUnused } from './unused.ts';
import type { LintContext } from './lint-context.ts';

export function lint(context: LintContext): void {
  lintUnused(context);
  lintConditions(context);
  lintEarlierRules(context);
  lintNames(context);
  for (const job of context.jobs.values()) lintFolded(job, context.problems);
  lintArtifacts(context);
  lintRunnerVariables(context);
  lintReleaseLoop(context);
}
