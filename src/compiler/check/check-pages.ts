import { type JobConfig, placeIn } from '../job-config.ts';
import type { Problems } from '../problems.ts';
import { writtenPages } from '../draft/pages.ts';

/** Checked for every job of the file. */
export function checkPages(job: JobConfig, { problems }: { problems: Problems }): void {
  if (job.values.publish === undefined) return;
  const written = writtenPages(job);
  const trouble = !written
    ? 'is for jobs that publish a site: write pages: true, or pages: publish'
    : written.publish !== undefined
      ? 'and pages: publish name the same thing twice'
      : undefined;
  if (trouble)
    problems.add('language/conflict', `publish of "${job.name}" ${trouble}`, { at: placeIn(job, 'publish') });
}
