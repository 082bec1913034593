/** `needs` on jobs of other pipelines. The job is looked up at run time; here its name is expanded. */
import type { ForeignNeed, PlanJob } from '../../plan/model/plan.ts';
import type { PlanContext } from './context.ts';
import { transfersArtifacts, type Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import { settle } from './settle.ts';

/**
 * The needs whose artifacts the job takes: as in GitLab, with `artifacts: false` there is nothing to wait
 * for.
 */
export function crossPipelineNeeds(draft: Draft, context: PlanContext): Pick<PlanJob, 'foreign'> {
  const listed = draft.listed ?? [];
  if (!listed.some((need) => need.from)) return {};
  const scope = context.closed(draft);
  const foreign = listed.flatMap(({ from, job, artifacts }, index): ForeignNeed[] => {
    if (!from || 'mirrors' in from) return [];
    const whole = (key: string, text: string): string =>
      settle(draft.config, { scope, text, keyword: 'needs', path: [index, key] }, context.problems);
    const conflict = (text: string, key: string): void =>
      context.problems.add('language/conflict', `"${draft.group}" ${text}`, {
        at: placeIn(draft.config, 'needs', [index, key]),
      });
    if (!transfersArtifacts(draft, 'take'))
      conflict('takes no artifacts, so it cannot need jobs of other pipelines', 'job');
    const name = whole('job', job);
    if ('project' in from) {
      const project = whole('project', from.project);
      const ref = whole('ref', from.ref);
      return artifacts ? [{ project, ref, job: name }] : [];
    }
    const pipeline = whole('pipeline', from.pipeline);
    if (pipeline === String(context.request.number))
      conflict(
        'names its own pipeline in needs:pipeline; for a job of this pipeline, name only the job',
        'pipeline',
      );
    return artifacts ? [{ pipeline, job: name }] : [];
  });
  return foreign.length > 0 ? { foreign } : {};
}
