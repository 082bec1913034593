import { type JobConfig, placeIn } from '../job-config.ts';
import type { Problems } from '../problems.ts';
import { writtenPages } from '../draft/pages.ts';

/** Runs for every job of the file. */
export function checkPages(job: JobConfig, { problems }: { problems: Problems }): void {
  if (job.values.publish === undefined) return;
  const written = writtenPages(job);
  const trouble = !written
    ? 'is only for jobs that publish a site: set pages: true, or use pages: publish'
    : written.publish !== undefined
      ? 'and pages: publish set the same folder: keep one'
      : undefined;
  if (trouble)
    problems.add('language/conflict', `publish of "${job.name}" ${trouble}`, { at: placeIn(job, 'publish') });
}
