/** `environment:url` with variables that only the job sets: GitLab's dynamic environment URLs. */
import { expandLate } from '../../../src/compiler/variables/expand.ts';
import type { JobResult } from '../../../src/plan/model/outcome.ts';
import type { Job } from '../context/job.ts';
import { messageOf } from '../../../src/utils/message.ts';
import { broughtValues } from '../../runtime/brought-values.ts';

const MAX_CHARS = 255;

/**
 * The address of a job that succeeded; undefined if the plan knew it already. If the result is not an address
 * for a browser, it is dropped with a warning: the job has succeeded anyway.
 */
export async function environmentUrl(
  job: Job,
  result: Pick<JobResult, 'outcome' | 'dotenv'>,
  warnings: string[],
): Promise<string | undefined> {
  const url = job.spec.environment?.url;
  if (result.outcome !== 'succeeded' || !url?.includes('${')) return undefined;
  try {
    const text = job.log.masked(expandLate(url, await valuesOf(job, result.dotenv)));
    if (text.length <= MAX_CHARS && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
      return text;
    warnings.push(`environment: url: "${text.slice(0, MAX_CHARS)}" is not an http address.`);
  } catch (error) {
    warnings.push(`environment: url: ${messageOf(error)}`);
  }
  return undefined;
}

/** Reports of earlier jobs, overridden by its own. */
async function valuesOf(job: Job, digest: JobResult['dotenv']): Promise<Map<string, string>> {
  const { input, deps, spec } = job;
  const own = digest ? [{ job: input.ref.job, digest }] : [];
  const values = await broughtValues(spec, input, { blobs: deps.blobs, own });
  return values.set('CI_JOB_ID', String(input.ref.jobId));
}
