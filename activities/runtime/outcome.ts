/**
 * Maps an error to the result of its job: the one table for jobs in containers, builds, pushes and
 * deployments. `failed` is the user's fault (the script, the file, what the file names), `errored` that of a
 * machine or of the installation. The kind decides which of GitLab's `retry:when` reasons match
 * (docs/language/failures.md).
 */
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import type { FailureKind, JobResult } from '../../src/plan/model/outcome.ts';
import { messageOf } from '../../src/utils/message.ts';

type Ending = readonly ['failed' | 'errored', FailureKind];

const BY_CODE: Partial<Record<ErrorCode, Ending>> = {
  'engine/build-failed': ['failed', 'script'],
  'engine/image-missing': ['failed', 'image_pull'],
  'engine/image-denied': ['failed', 'image_pull'],
  'engine/platform': ['failed', 'config'],
  'engine/no-space': ['errored', 'no_space'],
  'engine/container-missing': ['errored', 'host_lost'],
  'registry/name': ['failed', 'config'],
  'registry/denied': ['failed', 'registry'],
  'registry/missing-manifest': ['errored', 'missing_dependency'],
  'registry/unreachable': ['errored', 'registry'],
  'registry/failed': ['errored', 'registry'],
  'build/no-dockerfile': ['failed', 'config'],
  'build/refused': ['failed', 'config'],
  'source/refused': ['failed', 'config'],
  'job/source': ['failed', 'config'],
  'job/right': ['failed', 'config'],
  // An operator has to mend the machine; until then another worker may take it.
  'job/egress': ['errored', 'engine'],
  'job/artifacts': ['failed', 'artifact'],
  'archive/limit': ['failed', 'artifact'],
  // An output of an earlier job is gone. GitLab's reason for that is missing_dependency_failure. It is not
  // `artifact`, which matches runner_system_failure: a retry would miss the same blob.
  'blob/missing': ['errored', 'missing_dependency'],
  'store/no-space': ['errored', 'no_space'],
  // The pipeline file is right and the machine lacks the value: an operator sets it. So `errored`, and
  // `config`, which is never retried automatically and matches runner_configuration_error. As `failed` a
  // deployment would count as started, and `retry:` could not repeat it once the secret is there.
  'secret/missing': ['errored', 'config'],
  'job/readiness': ['failed', 'readiness'],
  'job/service': ['failed', 'config'],
  'job/variables': ['failed', 'config'],
  'usage/invalid': ['failed', 'config'],
  'deploy/unknown-target': ['failed', 'config'],
  'target/refused': ['failed', 'config'],
  'target/not-a-manager': ['errored', 'config'],
  'target/unreachable': ['errored', 'engine'],
  'target/missing': ['errored', 'engine'],
};

/** Codes that are not in the table: codes of the engine are its failures, all others are unexpected here. */
export const endingOf = (code: ErrorCode): Ending =>
  BY_CODE[code] ?? ['errored', code.startsWith('engine/') ? 'engine' : 'internal'];

export const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

/** A coded error for a person: what happened, its code, what to do. */
export const endText = (error: DavitError): string => `${error.message} [${error.code}] ${error.hint}`;

export type UnsuccessfulEnd = Pick<JobResult, 'outcome' | 'kind' | 'message' | 'started'>;

/** The result of a job that did not succeed. `started` is true: such a job may have had an effect. */
export const ended = (
  outcome: 'failed' | 'errored' | 'skipped',
  kind: FailureKind,
  message: string,
): UnsuccessfulEnd => ({ outcome, kind, message, started: true });

/** A thrown error as the result of a job without a container. */
export function endedBy(error: unknown): UnsuccessfulEnd {
  if (isTimeout(error)) return ended('failed', 'timeout', 'The job exceeded its timeout.');
  if (!(error instanceof DavitError))
    return ended('errored', 'internal', `Internal error of davit: ${messageOf(error)}`);
  return ended(...endingOf(error.code), endText(error));
}
