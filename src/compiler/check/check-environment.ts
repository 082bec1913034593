import { placeIn, type JobConfig } from '../job-config.ts';
import { didYouMean } from '../suggest.ts';
import type { CheckContext } from './check-context.ts';

/** Checked for every job of the file. */
export function checkEnvironment(job: JobConfig, { jobs, problems }: CheckContext): void {
  const written = job.values.environment;
  if (written?.on_stop === undefined) return;
  const at = placeIn(job, 'environment', ['on_stop']);
  const other = jobs.get(written.on_stop);
  if (!other) {
    problems.add(
      'language/unknown-job',
      `"${job.name}" names "${written.on_stop}" in on_stop, and there is no such job`,
      { at, hint: didYouMean(written.on_stop, jobs.keys()) },
    );
    return;
  }
  const its = other.values.environment;
  const trouble = !its
    ? 'has no environment'
    : its.name !== written.name
      ? `has another environment, "${its.name}"`
      : its.action !== 'stop'
        ? 'has no action: stop'
        : other.values.gate
          ? 'has a gate, and nobody is there to approve when the time to stop has come'
          : undefined;
  if (trouble)
    problems.add('language/conflict', `"${other.name}", which is to stop "${written.name}", ${trouble}`, {
      at,
    });
}
