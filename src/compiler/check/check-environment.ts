import { placeIn, type JobConfig } from '../job-config.ts';
import { didYouMean } from '../suggest.ts';
import type { CheckContext } from './check-context.ts';

/** Runs for every job of the file. */
export function checkEnvironment(job: JobConfig, { jobs, problems }: CheckContext): void {
  const written = job.values.environment;
  if (written?.on_stop === undefined) return;
  const at = placeIn(job, 'environment', ['on_stop']);
  const other = jobs.get(written.on_stop);
  if (!other) {
    problems.add(
      'language/unknown-job',
      `"${job.name}" names "${written.on_stop}" in on_stop, but there is no such job`,
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
          ? 'has a gate, which blocks the automatic stop until a person approves'
          : undefined;
  if (trouble)
    problems.add(
      'language/conflict',
      `"${other.name}" is the on_stop job of "${written.name}", but ${trouble}`,
      {
        at,
      },
    );
}
