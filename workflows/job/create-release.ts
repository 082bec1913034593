/**
 * Creates the release of a job whose script has succeeded; without it the job fails. Rejects only when
 * cancelled.
 */
import { isCancellation } from '@temporalio/workflow';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { releasing } from '../activities.ts';
import { runInput } from './inputs.ts';
import type { JobRun, Run } from './state.ts';

export async function createReleaseOf(run: Run, job: JobRun, result: JobResult): Promise<JobResult> {
  if (!job.spec.release || result.outcome !== 'succeeded') return result;
  const { project, dotenv, spec } = runInput(run, job, 0);
  const notes = result.releaseNotes ? { notes: result.releaseNotes } : {};
  const { kind, key } = job.spec;
  try {
    const output = await releasing.createRelease({
      kind,
      project,
      pipeline: run.input.id,
      job: key,
      spec,
      dotenv,
      ...notes,
    });
    if (output.kind === 'refused')
      return { ...result, outcome: 'failed', kind: 'config', refused: true, message: output.message };
    const { tag, url, warnings } = output;
    return {
      ...result,
      release: { tag, ...(url !== undefined && { url }) },
      ...(warnings.length > 0 && { warnings: [...(result.warnings ?? []), ...warnings] }),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const message =
      'The forge did not respond in time, so it is unknown whether the release was created. Retry the job.';
    return { ...result, outcome: 'errored', kind: 'internal', message };
  }
}
