/** The site of a job whose script has succeeded: without it the job has failed. It never rejects but when cancelled. */
import { isCancellation } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { publishing } from '../activities.ts';
import { refOf, type JobRun, type Run } from './state.ts';

export async function publishPagesOf(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!job.spec.pages || result.outcome !== 'succeeded') return result;
  const { kind, key, spec } = job.spec;
  const { artifacts } = result;
  try {
    const answer = await publishing.publishPages({
      kind,
      project: run.input.trigger.project,
      pipeline: run.input.id,
      job: key,
      jobId: refOf(run, job).jobId,
      spec,
      ...(artifacts && { artifact: artifacts.digest }),
    });
    if (answer.kind === 'refused')
      return { ...result, outcome: 'failed', kind: 'config', refused: true, message: answer.message };
    const more = answer.kind === 'left' ? [answer.warning] : answer.warnings;
    return {
      ...result,
      ...(answer.kind === 'published' && { pages: { url: answer.url } }),
      ...(more.length > 0 && { warnings: [...(result.warnings ?? []), ...more] }),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const message = 'The site could not be published: the store did not take it. Retry the job.';
    return { ...result, outcome: 'errored', kind: 'artifact', message };
  }
}
