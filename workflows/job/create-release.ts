/** The release of a job whose script has succeeded: without it the job has failed. It never rejects but when cancelled. */
import { isCancellation } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { releasing } from '../activities.ts';
import { runInput } from './inputs.ts';
import type { JobRun, Run } from './state.ts';

export async function createReleaseOf(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!job.spec.release || result.outcome !== 'succeeded') return result;
  const { project, dotenv, spec } = runInput(run, job, 0);
  const notes = result.releaseNotes ? { notes: result.releaseNotes } : {};
  const asked = {
    kind: job.spec.kind,
    project,
    pipeline: run.input.id,
    job: job.spec.key,
    spec,
    dotenv,
    ...notes,
  };
  try {
    const answer = await releasing.createRelease(asked);
    if (answer.kind === 'refused')
      return { ...result, outcome: 'failed', kind: 'config', refused: true, message: answer.message };
    const { tag, url, warnings } = answer;
    return {
      ...result,
      release: { tag, ...(url !== undefined && { url }) },
      ...(warnings.length > 0 && { warnings: [...(result.warnings ?? []), ...warnings] }),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const message =
      'The forge did not answer in time, so nobody knows whether the release was made. Retry the job.';
    return { ...result, outcome: 'errored', kind: 'internal', message };
  }
}
