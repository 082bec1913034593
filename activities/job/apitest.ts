/**
 * `apitest`: runs the built image, by its digest, on a machine of its architecture, waits until it answers,
 * then runs the test script beside it. The script's container is handled by `runJob`: detach, resume, cancel
 * and log.
 */
import { DavitError } from '../../src/errors.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { RunInput } from '../contract.ts';
import type { JobDeps } from './context/deps.ts';
import { makeRunJob } from './run-job.ts';

export function makeApitest(deps: JobDeps): (input: RunInput) => Promise<JobResult> {
  const run = makeRunJob(deps);
  return (input) => {
    if (input.kind !== 'apitest')
      throw new DavitError('internal/defect', `apitest was asked to run a job of kind ${input.kind}.`);
    return run(input);
  };
}
