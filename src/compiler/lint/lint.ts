/**
 * `davit lint`: what is valid and yet hardly what was meant. Warnings only, each with a place and a way out.
 *
 * Role: looks at the jobs once all else is known of them. Non-role: it decides nothing, and a pipeline never asks for it.
 * Invariant L1: a doubt is no warning. What depends on settings of a project, on a program or on a machine is left alone.
 */
import { lintArtifacts } from './artifacts.ts';
import { lintConditions } from './conditions.ts';
import { lintFolded } from './folded.ts';
import { lintNames } from './names.ts';
import { lintRunnerVariables } from './runner-variables.ts';
import { lintUnused } from './unused.ts';
import type { LintContext } from './lint-context.ts';

export function lint(linting: LintContext): void {
  lintUnused(linting);
  lintConditions(linting);
  lintNames(linting);
  for (const job of linting.jobs.values()) lintFolded(job, linting.problems);
  lintArtifacts(linting);
  lintRunnerVariables(linting);
}
