/** `environment` of a job: what stops it, when, and its tier. */
import { parseDuration } from '../../plan/model/duration.ts';
import type { PlanEnvironment } from '../../plan/model/plan.ts';
import type { PlanContext } from './context.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import { isUnknownHere } from '../variables/unknown-here.ts';
import { settle } from './settle.ts';

/** For the plan's job. */
export function environmentOf(draft: Draft, context: PlanContext): PlanEnvironment | undefined {
  const { environment } = context.prepared(draft);
  const written = draft.config.values.environment;
  if (!environment || !written) return undefined;
  const onStop = stopperOf(draft, context);
  const autoStopInMs = autoStop(draft, context);
  return {
    ...environment,
    ...(onStop !== undefined && { onStop }),
    ...(autoStopInMs !== undefined && { autoStopInMs }),
  };
}

/**
 * The job of this pipeline that stops this environment: among parallel ones, the one with the same
 * environment name.
 */
function stopperOf(draft: Draft, context: PlanContext): string | undefined {
  const name = draft.config.values.environment?.on_stop;
  if (name === undefined) return undefined;
  const own = context.prepared(draft).environment?.name;
  const stoppers = (context.drafts.named.get(name) ?? []).filter((other) => other.included);
  const found = stoppers.find((other) => context.prepared(other).environment?.name === own);
  if (!found)
    context.problems.add(
      'language/absent-job',
      `"${name}", the on_stop job of "${draft.group}", is not in this pipeline: no job will run when the environment stops`,
      { at: placeIn(draft.config, 'environment', ['on_stop']), severity: 'warning' },
    );
  return found?.key;
}

function autoStop(draft: Draft, context: PlanContext): number | undefined {
  const written = draft.config.values.environment?.auto_stop_in;
  if (written === undefined) return undefined;
  const scope = context.scope(draft);
  const text = settle(
    draft.config,
    { scope, text: written, keyword: 'environment', path: ['auto_stop_in'] },
    context.problems,
  ).trim();
  // GitLab: an unset variable means that the environment does not stop automatically.
  if (/^(never)?$/i.test(text)) return undefined;
  const ms = parseDuration(text);
  if ((ms === undefined || ms <= 0) && !isUnknownHere(written, scope, context.request))
    context.problems.add(
      'language/type',
      `environment.auto_stop_in of "${draft.group}" must be a duration like 2 hours or 1 day, or never, not "${text}"`,
      { at: placeIn(draft.config, 'environment', ['auto_stop_in']) },
    );
  return ms;
}
