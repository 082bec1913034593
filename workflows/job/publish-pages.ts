/**
 * Publishes the site of a job whose script has succeeded; without it the job fails. Rejects only when
 * cancelled.
 */
import { isCancellation } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { publishing } from '../activities.ts';
import { refOf, type JobRun, type Run } from './state.ts';

export async function publishPagesOf(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!job.spec.pages || result.outcome !== 'succeeded') return result;
  const { kind, key, spec } = job.spec;
  const { artifacts } = result;
  try {
    const output = await publishing.publishPages({
      kind,
      project: run.input.trigger.project,
      pipeline: run.input.id,
      job: key,
      jobId: refOf(run, job).jobId,
      spec,
      ...(artifacts && { artifact: artifacts.digest }),
    });
    if (output.kind === 'refused')
      return { ...result, outcome: 'failed', kind: 'config', refused: true, message: output.message };
    const warnings = output.kind === 'left' ? [output.warning] : output.warnings;
    return {
      ...result,
      ...(output.kind === 'published' && { pages: { url: output.url } }),
      ...(warnings.length > 0 && { warnings: [...(result.warnings ?? []), ...warnings] }),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const message = 'The site could not be published because the store did not accept it. Retry the job.';
    return { ...result, outcome: 'errored', kind: 'artifact', message };
  }
}
